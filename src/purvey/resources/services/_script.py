"""What the kinds of init scripts share: a script in /etc/init.d, its status, and the runlevels that it is started in.

A script tells its status by its return code. What it says beside that may be another thing each time (a process id, how long it
has run), and is left out of the answer, so that what a plan has seen is compared with what is there and not with its words.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from purvey._base.value import Value
from purvey._hosts.change import Change, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact, StatOf
from purvey._hosts.step import Ended
from purvey.errors import HostError, ProviderError
from purvey.providers.host import Work
from purvey.resources._given import require
from purvey.resources._inputs import refused
from purvey.resources.services._service import START_S, Service, ServiceProvider, revisions
from purvey.resources.services._state import State

if TYPE_CHECKING:
    from purvey.errors import ScriptError

FOLDER: Final = "/etc/init.d"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,200}")
_MAY_BE_RUN: Final = 0o111

AWAIT: Final = 'for n in 1 2 3 4 5; do (eval "$2") && exit 0; sleep 1; done >/dev/null; exit 0'
"""Some seconds for it to show that it runs. Whether it does is asked afterwards."""


class Script(Service, Protocol):
    """The fields that every kind of init scripts has."""

    @property
    def script(self) -> str:
        """The name of the script."""

    @property
    def content(self) -> str | None:
        """Its text."""

    @property
    def runlevels(self) -> Sequence[str] | None:
        """Where it is started at boot."""


S = TypeVar("S", bound=Script)


class ScriptProvider(ServiceProvider[S]):
    """Starts, stops and enables init scripts; a subclass says by which commands."""

    file_mode = 0o755

    program = ""
    """What starts and stops them."""

    def named_as(self, subject: S) -> str:
        """See `ServiceProvider.named_as`."""
        return subject.script

    def files(self, subject: S) -> Mapping[str, str]:
        """See `ServiceProvider.files`: the script."""
        return {path_of(subject): subject.content} if subject.content is not None else {}

    def is_ours(self, subject: S) -> bool:
        """See `ServiceProvider.is_ours`."""
        return subject.content is not None

    def runlevels(self, want: S) -> tuple[str, ...] | None:
        """See `ServiceProvider.runlevels`."""
        return tuple(want.runlevels) if want.runlevels is not None else None

    def also_seen(self, have: S, state: State, answers: Answers) -> Mapping[str, Value]:
        """See `ServiceProvider.also_seen`: the script, and where it is started."""
        values: dict[str, Value] = {}
        if have.content is not None:
            data = answers[ContentOf(path_of(have))]
            values["content"] = data.decode(errors="replace") if data is not None else None
        if have.runlevels is not None:
            values["runlevels"] = list(state.runlevels or ())
        return values

    def is_there(self, subject: S, answers: Answers) -> bool:
        """Whether there is such a script.

        Raises:
            HostError: ``invalid`` if it cannot be run.
        """
        status = answers[StatOf(path_of(subject))]
        if status is not None and status.kind == "file" and not status.mode & _MAY_BE_RUN:
            raise HostError(
                "invalid", "An init script may not be executed",
                detail=f"{path_of(subject)} has the mode {status.mode:04o}, so it is neither started nor stopped.",
                hint=f"Let it be executed:\n\n    chmod +x {path_of(subject)}",
            )  # fmt: skip
        return status is not None

    @abstractmethod
    def status(self, subject: S) -> Ask:
        """The question whether it runs, which ends with 0 where it does."""

    def told(self, subject: S, what: str, answers: Answers) -> Sequence[Change]:
        """See `ServiceProvider.told`: many a daemon tells who it is a moment after it was started."""
        status = self.status(subject)
        acting = Run(Command((self.program, subject.script, what), timeout_s=START_S), touches=(status,))
        if what not in ("start", "restart"):
            return [acting]
        return [acting, Run(Command(("sh", "-c", AWAIT, *status.argv[3:], status.argv[2])))]

    def learnt(self, want: S, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `ServiceProvider.learnt`: whether it is started at boot where it should be, too.

        Raises:
            HostError: ``failed`` if it is not.
        """
        known = super().learnt(want, work, ended)
        if work.after and work.outputs is not None and want.enabled:
            levels, now = self.runlevels(want), self.state(want, ended.answers).runlevels or ()
            if now != levels if levels is not None else not now:
                wished = f"{', '.join(levels)}" if levels is not None else "those that it is made for"
                raise HostError(
                    "failed", "A service is not started in the runlevels that are wished",
                    detail=f"{want.script} is started in {', '.join(now) or 'none'}, and should be in {wished}.",
                    hint="A script that names the runlevels it is made for is started in no others: # Default-Start: 2 3 4 5\n"
                    "Mend its header, or write enabled=None, which leaves that alone.",
                )  # fmt: skip
        return known

    def explained(self, subject: S, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: the script itself has said what it could not do."""
        started = re.search(rf"\n  {self.program} \S+ (re)?start\n?", f"{error.detail}\n")
        if started is None or "ended with code" not in error.detail:
            return error
        return HostError("failed", "A service could not be started", detail=error.detail, hint=self.advice(subject))

    def advice(self, subject: S) -> str:
        """See `ServiceProvider.advice`."""
        return f"See what it says, and what it has logged in /var/log:\n\n    {self.program} {subject.script} start"


def path_of(subject: Script) -> str:
    """Where the script is.

    Raises:
        ProviderError: ``invalid`` if its name came out as none.
    """
    return f"{FOLDER}/{require(subject.script, _NAME, 'The name of a script', f'Use the name that it has in {FOLDER}.')}"


def status_of(text: str, name: str) -> Ask:
    """The question how a program of the shell ends, which is told the script's name."""
    return Ask(("sh", "-c", text, "sh", name))


def facts_of(subject: Script, status: Ask, levels: Ask, beside: str) -> list[Fact]:
    """The questions about a script: whether it is there, what starts it, and as far as it matters, how it is."""
    asked: list[Fact] = [StatOf(path_of(subject)), StatOf(beside)]
    asked += [status] if subject.running is not None else []
    return [*asked, levels] if subject.enabled is not None else asked


def prepared(inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs of a script, made whole.

    Raises:
        ScriptError: ``script.bad_service``, ``script.no_revision``.
    """
    known = {"enabled": True, "running": True, "content": None, "runlevels": None, **revisions(inputs)}
    script = known.get("script")
    if isinstance(script, str) and not _NAME.fullmatch(script):
        raise bad(f"{script!r} is no name of a script", f"Use the name that it has in {FOLDER}.")
    if known["runlevels"] is not None:
        if known["enabled"] is not True:
            raise bad("It has `runlevels`, and shall not be enabled", "Leave one of the two out.")
        if isinstance(known["runlevels"], str) or not all(isinstance(level, str) for level in known["runlevels"]):
            raise bad("`runlevels` is no list of names", 'Write it as runlevels=["default"].')
        if not known["runlevels"]:
            raise bad("`runlevels` is empty", "For one that is started in none, write enabled=False.")
        known["runlevels"] = sorted(set(known["runlevels"]))
    return known


def bad(problem: str, hint: str) -> ScriptError:
    """The error for a service that is not described as it must be."""
    return refused("script.bad_service", "A service is not described in a way that is understood", f"{problem}.", hint)
