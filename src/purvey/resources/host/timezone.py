"""The time zone of a machine."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, MakeLink, Remove, Write
from purvey._hosts.fact import Answers, ContentOf, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._given import matching, recorded, require
from purvey.resources._paths import given_back, kept

_LINK: Final = "/etc/localtime"
_FILE: Final = "/etc/timezone"
_FOLDER: Final = "/usr/share/zoneinfo"
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*)*")
_SAYS: Final = 'Name one of the tz database: "Europe/Berlin", "UTC".'
_COPY: Final = "(a file)"


class TimezoneProvider(HostProvider["Timezone"]):
    """The link that the C library follows, and the file that Debian has beside it."""

    adopts = True

    def facts(self, place: Place, subject: Timezone) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [StatOf(_LINK), ContentOf(_FILE), _data(subject)]

    def seen(self, place: Place, have: Timezone, answers: Answers) -> Observed:
        """See `HostProvider.seen`; a zone in which link and file differ is the one that is not wished."""
        zones = [_linked(answers), _written(answers)]
        zone = next((zone for zone in zones if zone not in (None, have.zone)), have.zone)
        return Present("timezone", {"zone": zone, "revision": recorded(have, "revision")})

    def make(self, place: Place, want: Timezone, answers: Answers) -> Work:
        """See `HostProvider.make`.

        Raises:
            ProviderError: ``not_found`` if the machine has no such zone.
        """
        if answers[_data(want)] is None:
            raise ProviderError(
                "not_found", "A machine does not know a time zone", detail=f"There is no {_data(want).path}.",
                hint="Check the name; the zones are installed by\n\n    apt install tzdata",
            )  # fmt: skip
        changes: list[Change] = []
        if _linked(answers) != want.zone:
            changes += [kept(place, _LINK), MakeLink(_LINK, f"{_FOLDER}/{want.zone}")]
        if _written(answers) not in (None, want.zone):
            changes += [kept(place, _FILE), Write(_FILE, f"{want.zone}\n".encode(), 0o644)]
        return Work("timezone", tuple(changes), {"revision": place.token})

    def remove(self, place: Place, have: Timezone, answers: Answers) -> Work:
        """See `HostProvider.remove`: the machine keeps the zone that it has."""
        return Work("timezone")

    def take_back(self, place: Place, have: Timezone, before: Timezone | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`."""
        if before is None or before.zone == have.zone:
            return Work("timezone", outputs=None)
        linked = before.zone not in ("", _COPY)
        link = MakeLink(_LINK, f"{_FOLDER}/{before.zone}") if linked else given_back(place, _LINK, [Remove(_LINK)])
        written = [] if _written(answers) is None else [given_back(place, _FILE, [])]
        return Work("timezone", (link, *written), outputs=None)

    def findings(self, place: Place, want: Timezone, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        if answers[_data(want)] is not None:
            return []
        problem = f"the machine has no time zone {want.zone}"
        return [Finding(place.address, problem, "Check the name; zones come with:\n  apt install tzdata", certain=False)]

    def hazards(self, place: Place, want: Timezone) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return [_data(want)]

    def claims(self, want: Timezone) -> Sequence[str]:
        """See `Provider.claims`."""
        return ("timezone", f"path:{_LINK}", f"path:{_FILE}")


class Timezone(Resource, kind="host.Timezone", provider=TimezoneProvider):
    """The time zone of a machine.

        zone = host.Timezone("zone", zone="Europe/Berlin")

    Programs that run keep the one that they were started with; give `zone.revision` to what has to be started anew.
    """

    zone: str = Input(doc="Its name in the tz database.")

    revision: str = Output(doc="Another one after each change, for what has to notice it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - as the base has it.
        """See `Resource.prepare`."""
        matching(inputs, "zone", _ZONE, _SAYS)
        return inputs


def _data(subject: Timezone) -> StatOf:
    return StatOf(f"{_FOLDER}/{require(subject.zone, _ZONE, 'The name of a time zone', _SAYS)}")


def _linked(answers: Answers) -> str:
    """The zone that the link leads to; empty where there is none, which means UTC."""
    status = answers[StatOf(_LINK)]
    if status is None:
        return ""
    return status.target.partition("zoneinfo/")[2] if status.kind == "link" else _COPY


def _written(answers: Answers) -> str | None:
    """The zone in the file; None where the machine has no such file."""
    content: Value = answers[ContentOf(_FILE)]
    return content.decode(errors="replace").strip() if isinstance(content, bytes) else None
