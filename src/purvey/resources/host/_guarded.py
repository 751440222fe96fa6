"""What commands and scripts share: the guard that says whether they are done already, and how they are run and taken back.

A command is no object: nothing tells from outside whether it has had its effect. So each says by what that is seen, or that it
is not, and the guard alone decides whether it is run. It is run once: where its end is not known, a person looks.
"""

from __future__ import annotations

import contextlib
import shlex
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from purvey._base.value import Secret, Unknown, Value, reveal
from purvey._hosts.change import Change, Run
from purvey._hosts.command import FAILED, TOOK_TOO_LONG, Command
from purvey._hosts.fact import Answers, Ask, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Diff, Kind, NotKnownError, Observed, Present, Recorded
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import bad, recorded
from purvey.resources._inputs import absolute, octal, require_absolute
from purvey.resources._paths import bits
from purvey.resources._plaintext import hidden, holds_secret, plaintexts

if TYPE_CHECKING:
    from pathlib import Path

    from purvey._hosts.step import Ended

STDOUT_CHARACTERS_MAX: Final = 16_384
"""What is recorded of an output, from its end: enough for a number or a report, little enough for every plan to carry it."""

_UNLESS: Final = r"""
if [ -n "$1" ]; then cd -- "$1" || exit 126; fi
user=$2
shift 2
exec >/dev/null
if [ -z "$user" ] || [ "$user" = "$(id -un)" ]; then exec "$@"; fi
exec su -s /bin/sh -c 'exec "$0" "$@"' -- "$user" "$@"
"""

FED: Final = 'cat 2>/dev/null | { exec 3<&0 </dev/null; exec "$@"; }'
"""Gives what is read as /dev/fd/3: a pipe of the user's own, who could not open one of root's by its path; and nothing that is
started reads from it."""

_AROUND: Final = ("sh", "-c", FED, "sh")
"""What is put around the interpreter of a script."""

G = TypeVar("G", bound="Guarded")


class Guarded(Resource):
    """What commands and scripts have in common."""

    creates: str | None = Input(default=None, doc="A path; it is run only while nothing is there.")
    unless: Sequence[str] | None = Input(
        default=None,
        doc="A program and its arguments; it is run only while this one fails. It gets `env`, but for what is secret there.",
    )
    always: bool = Input(
        default=False, doc="Whether it is run by every apply, for want of anything that tells that it is done."
    )
    undo: Sequence[str] | None = Input(
        default=None, doc="A program and its arguments that take it back; without it, it is final."
    )
    env: Mapping[str, str | Secret] = Input(default={}, secret=True, doc="Variables for it; their values may hold secrets.")
    cwd: str | None = Input(default=None, doc="The folder in which it runs.")
    user: str | None = Input(default=None, doc="As whom it runs; by default as whom purvey works on the machine.")
    umask: str = Input(default="0022", doc="Which permissions its files do not get, in octal.")
    timeout_s: float = Input(default=300.0, doc="Seconds that it may take; it is ended then.")
    codes: Sequence[int] = Input(default=(0,), doc="The codes with which it may end.")
    repeats: bool = Input(default=False, doc="Whether it may be run again where nobody knows whether it has had its effect.")

    stdout: str = Output(doc="The end of what it wrote to standard output, secrets masked; empty where it was not run.")
    code: int = Output(doc="The code with which it ended; 0 where it was not run.")
    ran: bool = Output(doc="Whether it was run, and did not find its work done.")
    revision: str = Output(doc="Another one each time that it was run, for what has to notice it; empty before.")


class GuardedProvider(HostProvider[G]):
    """Runs what is guarded."""

    adopts = True
    recovers_by = "token"
    long_calls = True
    forgets = True
    follows = True
    is_told_again = True

    @abstractmethod
    def command(self, want: G) -> Command:
        """What is run, with nothing around it."""

    def conceals(self, want: G) -> bool:
        """Whether nothing that it says may be shown, for any word of it may be a part of a secret."""
        return False

    def facts(self, place: Place, subject: G) -> Sequence[Fact]:
        """See `HostProvider.facts`: what tells whether it is done."""
        guard = _guard(subject)
        return [guard] if guard is not None else []

    def seen(self, place: Place, have: G, answers: Answers) -> Observed:
        """See `HostProvider.seen`: what nothing tells of is done, and always to be done again."""
        kept = {name: recorded(have, name, default) for name, default in _NOT_RUN.items()}
        if _is_done(have, answers):
            return Present(place.address, {**kept, "always": False} if have.always else kept)
        return Absent()

    def diff(self, kind: Kind, desired: Mapping[str, Value], recorded: Recorded | None, observed: Mapping[str, Value]) -> Diff:
        """See `Provider.diff`: what is done each time is so by the script, not by anybody's hand."""
        changes = super().diff(kind, desired, recorded, observed).changes
        told = (msgspec.structs.replace(item, because="always") if item.name == "always" else item for item in changes)
        return Diff(tuple(told))

    def found(self, place: Place, want: G, answers: Answers) -> Observed:
        """See `HostProvider.found`: a guard may say that it is done before it was ever run."""
        return Absent() if want.always else self.seen(place, want, answers)

    def make(self, place: Place, want: G, answers: Answers) -> Work:
        """See `HostProvider.make`: what was begun for this very operation was not found done."""
        if not place.begun and not want.always and _is_done(want, answers):
            return Work(place.address, (), _NOT_RUN)
        guard = _guard(want)
        run = _run(want, self.command(want), tuple(want.codes))
        return Work(place.address, (run,), _ran(place), after=(guard,) if guard is not None else ())

    def change(self, place: Place, have: G, want: G, answers: Answers) -> Work:
        """See `HostProvider.change`: what is done is not done again, in whichever words it is said now."""
        work = self.make(place, want, answers)
        return (
            work if work.changes else Work(work.id, outputs={name: recorded(have, name, _NOT_RUN[name]) for name in _NOT_RUN})
        )

    def remove(self, place: Place, have: G, answers: Answers) -> Work:
        """See `HostProvider.remove`: what was done stays done."""
        return Work(place.address)

    def take_back(self, place: Place, have: G, before: G | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: by the command that the script gives for it."""
        changes: list[Change] = []
        if have.undo is not None and have.revision == place.undoes:  # Else that operation found it done.
            command = Command(tuple(have.undo), cwd=have.cwd or "", user=have.user, timeout_s=have.timeout_s, **variables(have))
            changes = [_run(have, command, (0,))]
        return Work(place.address, tuple(changes), outputs=None)

    def runs_once(self, want: G) -> bool:
        """See `HostProvider.runs_once`."""
        return not want.repeats

    def cut_off(self, place: Place, want: G, answers: Answers) -> Work | None:
        """See `HostProvider.cut_off`: its guard tells whether it has done its work, if it has one."""
        is_done = _guard(want) is not None and _is_done(want, answers)
        return Work(place.address, (), {**_NOT_RUN, **_ran(place)}) if is_done else None

    def reaches(self, want: G) -> Sequence[str] | None:
        """See `HostProvider.reaches`: a command may do anything."""
        return None

    def looks_at(self, want: G) -> Sequence[str] | None:
        """See `HostProvider.looks_at`: so may what `unless` depends on."""
        return () if want.unless is None else None

    def undoable(self, verb: str, have: G | None, want: G | None) -> bool:
        """See `Provider.undoable`."""
        subject = want if want is not None else have
        return subject is not None and subject.undo is not None

    def learnt(self, want: G, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `HostProvider.learnt`: what it said, and that its guard sees it done.

        Raises:
            ProviderError: ``failed`` where the guard does not.
        """
        if not work.changes or work.outputs is None:
            return {}
        if not _is_done(want, ended.answers):
            raise _without_effect(want)
        told = "(secret)" if self.conceals(want) else hidden(ended.out.decode(errors="replace"), _secrets(want))
        return {"stdout": told[-STDOUT_CHARACTERS_MAX:], "code": ended.returncode}

    def explained(self, subject: G, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: without secrets and what is put around the command; one that took too long stays so."""
        if error.code == "timeout" and not subject.repeats:
            error.code = "failed"
        with contextlib.suppress(NotKnownError):
            if self.conceals(subject):
                first = error.detail.partition("\n")[0]
                error.detail = f"{first}\n  (what it said is not shown, for a secret stands in its text)"
            error.detail = hidden(error.detail, _secrets(subject))
        error.detail = error.detail.replace(f"{shlex.join(_AROUND)} ", "")
        if error.summary in (FAILED, TOOK_TOO_LONG):
            error.hint = error.hint or "What it had done by then stays; purvey cannot know what that is."
        return error

    def doing(self, subject: G, command: Command) -> str:
        """See `HostProvider.doing`: without what is put around the command."""
        around = len(_AROUND) if command.argv[: len(_AROUND)] == _AROUND else 0
        return str(msgspec.structs.replace(command, argv=command.argv[around:]))


_NOT_RUN: Final[dict[str, Value]] = {"stdout": "", "code": 0, "ran": False, "revision": ""}


def _ran(place: Place) -> dict[str, Value]:
    return {"ran": True, "revision": place.token}


def checked(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The inputs of something guarded, as they are recorded.

    Raises:
        ScriptError: ``script.bad_input`` where not exactly one guard is given.
    """
    given = [name for name in ("creates", "unless", "always") if inputs.get(name) not in (None, False)]
    if len(given) != 1:
        raise bad(
            f"It was given {' and '.join(f'`{name}`' for name in given) or 'no guard'}.",
            "Say by what it is seen to be done, so that it is not done twice: exactly one of `creates`, `unless`, and, where "
            "nothing tells, `always=True`.",
        )
    known = {**inputs, "umask": octal(inputs.get("umask", "0022"))}
    for name in ("creates", "cwd"):
        if known.get(name) is not None:
            known[name] = absolute(known[name], folder)
    for name in ("unless", "undo", "codes"):
        if known.get(name) in ([], ()):
            raise bad(f"`{name}` is empty.", "Leave it out, or give at least one item.")
    return known


def variables(subject: Guarded) -> dict[str, Any]:
    """The variables for `Command`, secrets apart."""
    secret = {name: str(reveal(value)) for name, value in subject.env.items() if holds_secret(value)}
    return {"env": {name: str(value) for name, value in subject.env.items() if name not in secret}, "secret_env": secret}


def _guard(subject: Guarded) -> StatOf | Ask | None:
    """The question that tells whether it is done; None where nothing does."""
    if subject.creates is not None:
        return StatOf(require_absolute(subject.creates))
    if subject.unless is not None:
        environment = [f"{name}={value}" for name, value in _asked_with(subject).items()]
        words = (*(["env", *environment] if environment else []), *subject.unless)
        return Ask(("sh", "-c", _UNLESS, "sh", subject.cwd or "", subject.user or "", *words))
    return None


def _asked_with(subject: Guarded) -> dict[str, str]:
    """The variables for a question: everybody on the machine can read it, and so can who reads the plan.

    Raises:
        NotKnownError: while one is not known.
    """
    if any(isinstance(value, Unknown) for value in subject.env.values()):
        raise NotKnownError("env")
    return {name: str(value) for name, value in subject.env.items() if isinstance(value, str | int | float)}


def _is_done(subject: Guarded, answers: Answers) -> bool:
    guard = _guard(subject)
    if guard is None:
        return True
    return answers[guard] is not None if isinstance(guard, StatOf) else answers[guard].returncode == 0


def _run(subject: Guarded, command: Command, codes: tuple[int, ...]) -> Run:
    """The command with the permissions and the language of the script's, and not of purvey's own work."""
    asked = msgspec.structs.replace(command, umask=f"{bits(subject.umask):04o}")
    return Run(asked, codes, repeats=subject.repeats, touches=None, in_english=False)


def _secrets(subject: Guarded) -> list[str]:
    values: dict[str, Any] = dict(subject._values or {})  # noqa: SLF001 - every input of it may hold one.
    return plaintexts([value for name, value in values.items() if name in ("env", "stdin", "content")])


def _without_effect(want: Guarded) -> ProviderError:
    seen = f"{want.creates} is not there" if want.creates is not None else f"{' '.join(want.unless or ())} still fails"
    return ProviderError(
        "failed", "A command ended well and has not done its work", detail=f"It is seen to be done by its guard, and {seen}.",
        hint="Correct `creates` or `unless`; with a wrong one it would be run by every apply.",
    )  # fmt: skip
