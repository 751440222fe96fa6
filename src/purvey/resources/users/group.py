"""Groups of a machine's users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from purvey._base.value import Value
from purvey._hosts.change import Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Fact
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Diff, Finding, Kind, Observed, Present, Recorded
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import compared, matching, recorded, require
from purvey.resources._programs import missing, not_installed, program
from purvey.resources.users._account import FILES, NAME, NAME_SAYS, about_group, group_of

if TYPE_CHECKING:
    from purvey._hosts.step import Ended

_PROGRAMS = (("groupadd", "passwd"),)


class GroupProvider(HostProvider["Group"]):
    """Groups in /etc/group, by the programs of shadow-utils."""

    adopts = True

    def facts(self, place: Place, subject: Group) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [about_group(require(subject.name, NAME, "The name of a group", NAME_SAYS))]

    def seen(self, place: Place, have: Group, answers: Answers) -> Observed:
        """See `HostProvider.seen`."""
        gid = group_of(answers, about_group(have.name))
        if gid is None:
            return Absent()
        return Present(have.name, {"name": have.name, "gid": gid, "assigned_gid": gid, "revision": recorded(have, "revision")})

    def diff(self, kind: Kind, desired: Mapping[str, Value], recorded: Recorded | None, observed: Mapping[str, Value]) -> Diff:
        """See `Provider.diff`: the number may be any where the script gives none."""
        return super().diff(kind, desired, recorded, compared(kind, desired, observed))

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`: its name."""
        return {"name": object_id}

    def make(self, place: Place, want: Group, answers: Answers) -> Work:
        """See `HostProvider.make`; one that is there gets the number."""
        question = about_group(want.name)
        gid = group_of(answers, question)
        command: tuple[str, ...] = ()
        if gid is None:
            command = ("groupadd", *(("-r",) if want.system else ()), *_number(want.gid), "--", want.name)
        elif want.gid not in (None, gid):
            command = ("groupmod", *_number(want.gid), "--", want.name)
        changes = (Run(Command(command), touches=(question,)),) if command else ()
        return Work(want.name, changes, {"revision": place.token}, after=(question,))

    def remove(self, place: Place, have: Group, answers: Answers) -> Work:
        """See `HostProvider.remove`."""
        question = about_group(have.name)
        gone = group_of(answers, question) is None
        return Work(have.name, () if gone else (Run(Command(("groupdel", "--", have.name)), touches=(question,)),))

    def take_back(self, place: Place, have: Group, before: Group | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`."""
        if before is None:
            return self.remove(place, have, answers)
        return Work(before.name, self.make(place, before, answers).changes, outputs=None)

    def learnt(self, want: Group, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `HostProvider.learnt`: its number."""
        return {"assigned_gid": group_of(ended.answers, about_group(want.name))} if work.after else {}

    def explained(self, subject: Group, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: a number that is taken, and users who still have it as their own group."""
        if "cannot remove the primary group" in error.detail:
            return ProviderError(
                "in_use", "A group is the primary group of a user", detail=error.detail,
                hint="Remove that user, or give it another group, before this one goes.",
            )  # fmt: skip
        if "already exists" in error.detail:
            return ProviderError(
                "conflict", "The number of a group is taken", detail=error.detail, hint="Give another `gid`, or none."
            )
        return not_installed(error, "groupadd", "passwd")

    def hazards(self, place: Place, want: Group) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return [program(name) for name, _ in _PROGRAMS]

    def findings(self, place: Place, want: Group, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return missing(place.address, _PROGRAMS, answers)

    def looks_at(self, want: Group) -> Sequence[str] | None:
        """See `HostProvider.looks_at`: the machine's files."""
        return FILES

    def claims(self, want: Group) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"group:{want.name}",)


class Group(Resource, kind="users.Group", provider=GroupProvider):
    """A group of a machine's users.

        ops = users.Group("ops", gid=2000)
        ana = users.User("ana", groups=[ops.name])

    A group that is there already is taken over, and stays when its node goes. Where `gid` changes, files keep the old number.
    """

    name: str = Input(default=None, immutable=True, doc="Its name; by default the node's.")
    gid: int | None = Input(default=None, doc="Its number; by default the machine chooses one, and keeps it.")
    system: bool = Input(default=False, doc="Whether a number is chosen from those of the system; counts when it is made.")

    assigned_gid: int = Output(doc="Its number.")
    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - as the base has it.
        """See `Resource.prepare`."""
        matching(inputs, "name", NAME, NAME_SAYS)
        return inputs


def _number(gid: int | None) -> tuple[str, ...]:
    return () if gid is None else ("-g", str(gid))
