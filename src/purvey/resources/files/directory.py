"""Directories."""

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
from purvey.resources._inputs import placed, require_absolute
from purvey.resources._machine import MachineProvider


class DirectoryProvider(MachineProvider["Directory"]):
    """Makes directories, and removes those that are empty."""

    lands_within_s = LOCAL_LANDS_S

    async def read(self, call: Call, have: Directory) -> Observed:
        """See `Provider.read`; what stands there and is no directory shows in place of the mode."""
        status = await call.host.stat(have.path)
        if status is None:
            return Absent()
        values: dict[str, Value] = _place.attributes(status, have)
        if status.kind != "directory":
            values["mode"] = f"(a {status.kind})"
        return Present(have.path, values)

    async def find(self, call: Call, want: Directory) -> Observed:
        """See `Provider.find`: whatever is at that path."""
        return await self.read(call, want)

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`."""
        return _place.named(object_id)

    async def describe(self, call: Call, want: Directory) -> Mapping[str, Value]:
        """See `Provider.describe`: its mode."""
        return {"mode": f"{(await _place.standing(call, want.path, 'directory')).mode:04o}"}

    async def create(self, call: Call, want: Directory) -> Done:
        """See `Provider.create`."""
        path = require_absolute(want.path)
        await call.host.make_directory(path, mode=_place.bits(want.mode), owner=want.owner, group=want.group)
        await call.identified(path)
        return Done(path, {})

    async def update(self, call: Call, have: Directory, want: Directory) -> Done:
        """See `Provider.update`: its attributes."""
        return await self.create(call, want)

    async def delete(self, call: Call, have: Directory) -> None:
        """See `Provider.delete`: what stands there and is no directory is somebody else's, and ours is gone already.

        Raises:
            ProviderError: ``in_use`` if somebody has put something into it.
        """
        status = await call.host.stat(have.path)
        if status is None or status.kind != "directory":
            return
        if not await _place.remove_if_empty(call, have.path):
            raise ProviderError(
                "in_use",
                "A directory is not empty",
                detail=f"{have.path} holds what this run does not remove, so it was made or left by somebody else.",
                hint="Look what it is, then remove it and run again, or keep the directory with Options(retain=True):\n\n"
                f"    ls -A {have.path}",
            )

    async def preflight(self, call: Call, want: Directory) -> Sequence[Finding]:
        """See `Provider.preflight`."""
        return await _place.blocked(call, want.path)

    def claims(self, want: Directory) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


class Directory(Resource, kind="files.Directory", provider=DirectoryProvider):
    """A directory.

    The directory above it must exist, or be another node: build the path from that one, so that it is made first.

        site = files.Directory("site", path="/srv/shop")
        pages = files.Directory("pages", path=f"{site.path}/pages")

    It is removed only when it is empty: what others have put into it is theirs.
    """

    path: str = Input(immutable=True, doc="Where it is; a relative path begins at the script's folder.")
    mode: str = Input(default="0755", doc="Its mode in octal.")
    owner: str | None = Input(default=None, doc="The user who owns it; by default the one who runs purvey.")
    group: str | None = Input(default=None, doc="The group that owns it.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`."""
        return placed(inputs, folder, "0755")
