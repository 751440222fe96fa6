"""What a machine's programs complain of, as errors: what was to be done where, why it was not, what to do. Pure."""

from __future__ import annotations

from typing import Final, assert_never

from purvey._hosts.change import (
    Change,
    Keep,
    MakeDirectory,
    MakeLink,
    MakeOwnFolder,
    Remove,
    Restore,
    Run,
    SetAttributes,
    Write,
)
from purvey._hosts.command import TIMED_OUT, Completed, check, evidence
from purvey.errors import Code, HostError, InternalError

NOT_ACCEPTED: Final = 65
"""What the runner ends with where a validating command did not accept a new file (EX_DATAERR)."""

_ENDED_BY_TIMEOUT: Final = frozenset({124, 137})
"""What timeout(1) ends with: the time was over, and the command had to be killed as well."""

_SIGNALLED: Final = 128
"""A shell tells a command ended by a signal by this and the signal's number."""

_COMPLAINTS: Final[tuple[tuple[str, Code], ...]] = (
    ("No such file or directory", "not_found"),
    ("Not a directory", "not_found"),
    ("nonexistent directory", "not_found"),
    ("Directory nonexistent", "not_found"),
    ("Permission denied", "denied"),
    ("Operation not permitted", "denied"),
    ("Read-only file system", "denied"),
    ("No space left on device", "quota_exceeded"),
    ("Disk quota exceeded", "quota_exceeded"),
    ("File too large", "quota_exceeded"),
    ("File exists", "conflict"),
    ("Is a directory", "conflict"),
    ("Directory not empty", "conflict"),
    ("invalid user", "not_found"),
    ("invalid group", "not_found"),
)

_HINTS: Final[dict[Code, str]] = {
    "not_found": "Declare the folder, the user or the group, and let this come after it.",
    "denied": "Work there as a user who may, or as root; or choose another path.",
    "quota_exceeded": "Nothing was changed. Make room there, then run again.",
    "conflict": "Something else is there. Move it away, or choose another path.",
}


def failure(change: Change, said: Completed, machine: str) -> HostError:
    """Why a change did not succeed.

    Args:
        change: What was to be done.
        said: The return code, not 0, and what was written.
        machine: What people call the machine.
    """
    if isinstance(change, Run):
        return _of_command(change, said, machine)
    if isinstance(change, Write) and change.validate is not None and said.returncode == NOT_ACCEPTED:
        words = evidence(change.validate, said) or "It said nothing."
        return HostError(
            "invalid",
            "A new file was not accepted, so the old one stays",
            detail=f"{change.path} on {machine} was checked by:\n  {change.validate}\n{words}",
            hint="Correct the content; the message above is the validating command's own.",
        )
    text = said.stderr.decode(errors="replace").strip()
    code: Code = next((code for words, code in _COMPLAINTS if words in text), "failed")
    doing = _doing(change)
    return HostError(
        code, f"A file or folder could not be {doing}", detail=f"{change.path} on {machine} could not be {doing}:\n{text}",
        hint=_HINTS.get(code, ""),
    )  # fmt: skip


def _of_command(change: Run, said: Completed, machine: str) -> HostError:
    code = TIMED_OUT if said.returncode in _ENDED_BY_TIMEOUT else said.returncode
    if _SIGNALLED < code < _SIGNALLED + 65:
        code = _SIGNALLED - code
    try:
        check(change.command, Completed(code, said.stdout, said.stderr))
    except HostError as error:
        error.detail = f"On {machine}: {error.detail}"
        return error
    raise InternalError("A command that succeeded was told to have failed.")


def _doing(change: Write | MakeDirectory | MakeOwnFolder | MakeLink | SetAttributes | Remove | Keep | Restore) -> str:
    """What was to be done, as it stands after "could not be"."""
    match change:
        case Write() | Restore():
            return "written"
        case MakeDirectory() | MakeOwnFolder():
            return "made"
        case MakeLink():
            return "linked"
        case SetAttributes():
            return "given its owner and mode"
        case Remove():
            return "removed"
        case Keep():
            return "kept for an undo"
    assert_never(change)
