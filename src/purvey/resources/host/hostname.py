"""The name of a machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, Remove, Run, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError
from purvey.providers import Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import matching, recorded, require
from purvey.resources._paths import given_back, kept

_FILE: Final = "/etc/hostname"
_NOW: Final = Ask(("uname", "-n"))
_NAME: Final = re.compile(
    r"(?=.{1,64}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
_SAYS: Final = "Letters, digits and hyphens, and points between them; at most 64 in all."


class HostnameProvider(HostProvider["Hostname"]):
    """The kernel's name of the machine, and the file that it gets it from."""

    adopts = True

    def facts(self, place: Place, subject: Hostname) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [_NOW, ContentOf(_FILE)]

    def seen(self, place: Place, have: Hostname, answers: Answers) -> Observed:
        """See `HostProvider.seen`: every machine has one."""
        values: dict[str, Value] = {"hostname": _now(answers), "persistent": _at_boot(answers) == have.hostname}
        return Present("hostname", {**values, "revision": recorded(have, "revision")})

    def make(self, place: Place, want: Hostname, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        name = require(want.hostname, _NAME, "The name of a machine", _SAYS)
        changes: list[Change] = []
        if _now(answers) != name:
            changes.append(Run(Command(("hostname", name)), touches=(_NOW,)))
        if want.persistent and _at_boot(answers) != name:
            changes += [kept(place, _FILE), Write(_FILE, f"{name}\n".encode(), 0o644)]
        return Work("hostname", tuple(changes), {"revision": place.token})

    def remove(self, place: Place, have: Hostname, answers: Answers) -> Work:
        """See `HostProvider.remove`: a machine without a name is none, so it keeps the one that it has."""
        return Work("hostname")

    def take_back(self, place: Place, have: Hostname, before: Hostname | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: the file as it was, where this operation has written it."""
        if before is None:
            return self.remove(place, have, answers)
        runs: list[Change] = []
        if _now(answers) != before.hostname:
            runs = [Run(Command(("hostname", before.hostname)), touches=(_NOW,))]
        untouched = before.persistent and before.hostname == have.hostname
        if untouched or not have.persistent or _at_boot(answers) != have.hostname:
            return Work("hostname", tuple(runs), outputs=None)
        former: Change = Write(_FILE, f"{before.hostname}\n".encode(), 0o644) if before.persistent else Remove(_FILE)
        return Work("hostname", (*runs, given_back(place, _FILE, [former])), outputs=None)

    def claims(self, want: Hostname) -> Sequence[str]:
        """See `Provider.claims`."""
        return ("hostname", f"path:{_FILE}")


class Hostname(Resource, kind="host.Hostname", provider=HostnameProvider):
    """The name of a machine.

        host.Hostname("name", hostname="web-1.example.org")

    It is set now and in /etc/hostname. What else knows the machine by its name, /etc/hosts above all, is not changed.
    """

    hostname: str = Input(doc="The name.")
    persistent: bool = Input(default=True, doc="Whether it has it after a reboot, too.")

    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - as the base has it.
        """See `Resource.prepare`."""
        matching(inputs, "hostname", _NAME, _SAYS)
        return {"persistent": True, **inputs}


def _now(answers: Answers) -> str:
    said = answers[_NOW]
    if said.returncode or not said.text():
        raise HostError("failed", "A machine does not say its name", detail="`uname -n` there says nothing.")
    return said.text()


def _at_boot(answers: Answers) -> str:
    """What the file says: its first line that is no comment, as hostname(5) has it."""
    lines = (answers[ContentOf(_FILE)] or b"").decode(errors="replace").splitlines()
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")
