"""Symbolic links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Value
from purvey._script.fields import Input
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Done, Finding, Observed, Present
from purvey.resources import _place
from purvey.resources._inputs import absolute, require_absolute
from purvey.resources._machine import MachineProvider


class LinkProvider(MachineProvider["Link"]):
    """Makes links, and never puts one in the place of anything but a link."""

    lands_within_s = LOCAL_LANDS_S

    async def read(self, call: Call, have: Link) -> Observed:
        """See `Provider.read`; what stands there and is no link shows in place of the target."""
        status = await call.host.stat(have.path)
        if status is None:
            return Absent()
        target = status.target if status.kind == "link" else f"(a {status.kind})"
        return Present(have.path, {"path": have.path, "target": target})

    async def find(self, call: Call, want: Link) -> Observed:
        """See `Provider.find`: whatever is at that path."""
        return await self.read(call, want)

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`."""
        return _place.named(object_id)

    async def describe(self, call: Call, want: Link) -> Mapping[str, Value]:
        """See `Provider.describe`: where it points."""
        return {"target": (await _place.standing(call, want.path, "link")).target}

    async def create(self, call: Call, want: Link) -> Done:
        """See `Provider.create`.

        Raises:
            ProviderError: ``conflict`` if something else than a link stands there.
        """
        path = require_absolute(want.path)
        status = await call.host.stat(path)
        if status is not None and status.kind != "link":
            raise ProviderError(
                "conflict",
                "Something else stands where a link shall be",
                detail=f"{path} is a {status.kind}; a link in its place would lose it.",
                hint="Move it away, then run again.",
            )
        await call.host.link(path, want.target)
        await call.identified(path)
        return Done(path, {})

    async def update(self, call: Call, have: Link, want: Link) -> Done:
        """See `Provider.update`: readers see the old target or the new one, never none."""
        return await self.create(call, want)

    async def delete(self, call: Call, have: Link) -> None:
        """See `Provider.delete`: what stands there and is no link is somebody else's, and ours is gone already."""
        status = await call.host.stat(have.path)
        if status is not None and status.kind == "link":
            await call.host.remove(have.path)

    async def preflight(self, call: Call, want: Link) -> Sequence[Finding]:
        """See `Provider.preflight`."""
        return await _place.blocked(call, want.path)

    def claims(self, want: Link) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


class Link(Resource, kind="files.Link", provider=LinkProvider):
    """A symbolic link; changing its target is one step, so it suits switching between two versions."""

    path: str = Input(immutable=True, doc="Where it is; a relative path begins at the script's folder.")
    target: str = Input(doc="Where it points, as written: a relative target begins at the link's own directory.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`."""
        return {**inputs, "path": absolute(inputs["path"], folder)} if "path" in inputs else inputs
