"""A kind on machines that must be made once: each time that it is, a line is added to a file there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from purvey import Input, Resource
from purvey._base.limits import LOCAL_LANDS_S
from purvey._hosts.change import Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Fact
from purvey.providers import Absent, Observed, Present
from purvey.providers.host import HostProvider, Place, Work

APPEND = 'sleep "$3"; printf "%s\\n" "$1" >>"$2"'


class EntryProvider(HostProvider[Any]):
    """Adds lines, and believes the record: nothing else keeps it from adding one twice."""

    recovers_by = "token"
    lands_within_s = LOCAL_LANDS_S

    def facts(self, place: Place, subject: Any) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return ()

    def seen(self, place: Place, have: Any, answers: Answers) -> Observed:
        """See `HostProvider.seen`."""
        return Present(have.line, {"line": have.line, "ledger": have.ledger, "seconds": have.seconds})

    def found(self, place: Place, want: Any, answers: Answers) -> Observed:
        """See `HostProvider.found`."""
        return Absent()

    def make(self, place: Place, want: Any, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return Work(want.line, (_append(want.line, want),))

    def remove(self, place: Place, have: Any, answers: Answers) -> Work:
        """See `HostProvider.remove`."""
        return Work(have.line, (_append(f"no {have.line}", have),))


class Entry(Resource, kind="test.Entry", provider=EntryProvider):
    """A line in a file of a machine."""

    line: str = Input()
    ledger: str = Input()
    seconds: float = Input(default=0.0)


def _append(line: str, subject: Any) -> Run:
    command = Command(("sh", "-c", APPEND, "sh", line, subject.ledger, f"{subject.seconds:g}"))
    return Run(command, repeats=False, touches=())
