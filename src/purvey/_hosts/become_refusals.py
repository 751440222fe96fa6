"""Why another user's rights were refused, from what sudo, su and doas say: what it is about, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from purvey._hosts.command import EVIDENCE_LINES
from purvey.errors import HostError

NOT_FOUND: Final = 127
"""What a shell ends with where there is no such program."""

_DENIED: Final = "The rights to work on a machine were refused"

_GIVE: Final = {
    "sudo": "Give it as `become_password=secret(…)`; or let it be done without one, by a line for visudo on the machine, with "
    "the name of the user that logs in:\n  LOGIN ALL=({user}) NOPASSWD: ALL",
    "doas": "It asks on a terminal only, and there is none. Allow it without a password in /etc/doas.conf, with the name of "
    "the user that logs in:\n  permit nopass LOGIN as {user}",
    "su": "Give it as `become_password=secret(…)`.",
}
_MAY: Final = {
    "sudo": "Allow it, by a line for visudo on the machine, with the name of the user that logs in:\n  LOGIN ALL=({user}) ALL",
    "doas": "Allow it in /etc/doas.conf, with the name of the user that logs in:\n  permit nopass LOGIN as {user}",
    "su": "Look in /etc/pam.d/su who may use it; often it is the members of the group wheel.",
}
_WHOSE: Final = {
    "sudo": "sudo asks for the password of the user that logs in, unless the machine has it otherwise",
    "su": "su asks for the password of {user}",
}


def no_shell(name: str, said: str, code: int | None) -> HostError:
    """Whom we log in as has no shell that runs what it is sent."""
    return HostError(
        "failed", "A machine does not run what it is sent", detail=f"{name} says:\n{_evidence(said, code)}",
        hint="It needs a POSIX shell at /bin/sh for the user that logs in.",
    )  # fmt: skip


def wanted(by: str, user: str, name: str) -> HostError:
    """A password is asked for, and none was given."""
    return HostError(
        "denied",
        "A password is wanted for the rights to work on a machine",
        detail=f"On {name}, {by} asks for a password before it lets us be {user}.",
        hint=_GIVE[by].format(user=user),
    )


def wrong_password(by: str, user: str, name: str) -> HostError:
    """It was asked for again after it was given."""
    return HostError(
        "denied",
        "The password for the rights to work on a machine was not taken",
        detail=f"On {name}, {by} does not let us be {user} with the password that is given. It was tried once, and is not "
        "tried again in this run.",
        hint=f"Correct the secret that is given as `become_password=`: {_WHOSE[by].format(user=user)}.",
    )


def after_password(by: str, user: str, name: str, said: str, code: int | None) -> HostError:
    """We were refused after the password was given.

    Args:
        by: The program.
        user: Whom we want to be.
        name: What people call the machine.
        said: What was said after it was given.
        code: The return code; None if it has not ended.
    """
    if code is not None and any(words in said.lower() for words in _WRONG):
        return wrong_password(by, user, name)
    if code is not None and _why(said) is _wanted:  # It was given, so there is more to it.
        return _refusal(by, user, name, said)
    return refused(by, user, name, said, code)


def refused(by: str, user: str, name: str, said: str, code: int | None) -> HostError:
    """We were refused, and were not asked for a password."""
    why = _why(said)
    if why is not None:
        return why(by, user, name, said)
    if code == NOT_FOUND:
        return HostError(
            "not_found",
            "The program for the rights to work on a machine is missing",
            detail=f"On {name} we are to be {user} by {by}, which is not there:\n{_evidence(said, code)}",
            hint=f"Install {by} there, or choose another way with `become=`.",
        )
    if code is None:
        return HostError(
            "denied",
            "The rights to work on a machine were neither given nor refused",
            detail=f"On {name}, {by} is to let us be {user}. It asks for something else than a password, or waits for somebody "
            f"who does not answer:\n{_evidence(said, code)}",
            hint="Let that user be taken on with a password alone, or without one.",
        )
    return _refusal(by, user, name, said)


def _refusal(by: str, user: str, name: str, said: str, hint: str = "Mend what it complains of on the machine.") -> HostError:
    words = _evidence(said, 1)
    between = "\n" if "\n" in words else " "
    detail = f"On {name}, {by} does not let us be {user}:{between}{words}"
    return HostError("denied", _DENIED, detail=detail, hint=hint)


def _not_allowed(by: str, user: str, name: str, said: str) -> HostError:
    return _refusal(by, user, name, said, _MAY[by].format(user=user))


def _no_terminal(by: str, user: str, name: str, said: str) -> HostError:
    hint = "Take `requiretty` out of /etc/sudoers there, or except the user that logs in:\n  Defaults:LOGIN !requiretty"
    return _refusal(by, user, name, said, hint)


def _wanted(by: str, user: str, name: str, said: str) -> HostError:
    del said
    return wanted(by, user, name)


def _no_user(by: str, user: str, name: str, said: str) -> HostError:
    del by
    return HostError(
        "not_found",
        "There is no such user to work as on a machine",
        detail=f"On {name} we are to be {user}:\n{_evidence(said, 1)}",
        hint="Correct `become_user=`, or make that user first.",
    )


_Why = Callable[[str, str, str, str], HostError]

_COMPLAINTS: Final[tuple[tuple[str, _Why], ...]] = (
    ("you must have a tty", _no_terminal),
    ("a password is required", _wanted),
    ("authentication required", _wanted),
    ("authorization required", _wanted),
    ("a tty is required", _wanted),
    ("not in the sudoers file", _not_allowed),
    ("is not allowed to execute", _not_allowed),
    ("may not run sudo", _not_allowed),
    ("su: permission denied", _not_allowed),
    ("doas: operation not permitted", _not_allowed),
    ("doas is not enabled", _not_allowed),
    ("unknown user", _no_user),
    ("does not exist or the user entry", _no_user),
)
"""What is said, in lower case, and what it means."""

_WRONG: Final = ("try again", "incorrect", "authentication failure", "authentication failed")


def _why(said: str) -> _Why | None:
    low = said.lower()
    return next((meaning for words, meaning in _COMPLAINTS if words in low), None)


def _evidence(said: str, code: int | None) -> str:
    ended = "has not ended" if code is None else f"ended with code {code}"
    return "\n".join(said.strip().splitlines()[-EVIDENCE_LINES:]) or f"It said nothing and {ended}."
