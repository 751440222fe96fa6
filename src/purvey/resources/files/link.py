"""Symbolic links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Value
from purvey._hosts.change import MakeLink, Remove
from purvey._hosts.fact import Answers, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._inputs import absolute, require_absolute
from purvey.resources._paths import above, blocked, named, sort
from purvey.resources._place import standing


class LinkProvider(HostProvider["Link"]):
    """Makes links, and never puts one in the place of anything but a link."""

    lands_within_s = LOCAL_LANDS_S

    def facts(self, place: Place, subject: Link) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [StatOf(require_absolute(subject.path))]

    def seen(self, place: Place, have: Link, answers: Answers) -> Observed:
        """See `HostProvider.seen`; what stands there and is no link shows in place of the target."""
        status = answers[StatOf(have.path)]
        if status is None:
            return Absent()
        target = status.target if status.kind == "link" else f"(a {status.kind})"
        return Present(have.path, {"path": have.path, "target": target}, sort=sort(status, "link"))

    def found(self, place: Place, want: Link, answers: Answers) -> Observed:
        """See `HostProvider.found`: whatever is at that path."""
        seen = self.seen(place, want, answers)
        return msgspec.structs.replace(seen, values={**seen.values, "revision": ""}) if isinstance(seen, Present) else seen

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`."""
        return named(object_id)

    async def describe(self, call: Call, want: Link) -> Mapping[str, Value]:
        """See `Provider.describe`: where it points."""
        return {"target": (await standing(call, want.path, "link")).target}

    def make(self, place: Place, want: Link, answers: Answers) -> Work:
        """See `HostProvider.make`: readers see the old target or the new one, never none.

        Raises:
            ProviderError: ``conflict`` if something else than a link stands there.
        """
        status = answers[StatOf(want.path)]
        if status is not None and status.kind != "link":
            raise ProviderError(
                "conflict",
                "Something else stands where a link shall be",
                detail=f"{want.path} is a {status.kind}; a link in its place would lose it.",
                hint="Move it away, then run again.",
            )
        return Work(want.path, (MakeLink(want.path, want.target),), {"revision": place.token})

    def remove(self, place: Place, have: Link, answers: Answers) -> Work:
        """See `HostProvider.remove`: what stands there and is no link is somebody else's, and ours is gone already."""
        status = answers[StatOf(have.path)]
        return Work(have.path, (Remove(have.path),) if status is not None and status.kind == "link" else ())

    def hazards(self, place: Place, want: Link) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return above(want.path)

    def findings(self, place: Place, want: Link, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return blocked(place.address, want.path, answers)

    def claims(self, want: Link) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


class Link(Resource, kind="files.Link", provider=LinkProvider):
    """A symbolic link; changing its target is one step, so it suits switching between two versions."""

    path: str = Input(immutable=True, doc="Where it is; a relative path begins at the script's folder.")
    target: str = Input(doc="Where it points, as written: a relative target begins at the link's own directory.")

    revision: str = Output(doc="Another one after each change of the link; what was adopted unchanged has none.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`."""
        return {**inputs, "path": absolute(inputs["path"], folder)} if "path" in inputs else inputs
