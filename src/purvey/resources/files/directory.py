"""Directories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Value
from purvey._hosts.change import MakeDirectory, Remove
from purvey._hosts.fact import Answers, Fact, StatOf
from purvey._script.fields import Input
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._inputs import placed, require_absolute
from purvey.resources._paths import above, attributes, bits, blocked, named, sort
from purvey.resources._place import standing


class DirectoryProvider(HostProvider["Directory"]):
    """Makes directories, and removes those that are empty."""

    lands_within_s = LOCAL_LANDS_S

    def facts(self, place: Place, subject: Directory) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [StatOf(require_absolute(subject.path))]

    def seen(self, place: Place, have: Directory, answers: Answers) -> Observed:
        """See `HostProvider.seen`; what stands there and is no directory shows in place of the mode."""
        status = answers[StatOf(have.path)]
        if status is None:
            return Absent()
        values: dict[str, Value] = attributes(status, have)
        if status.kind != "directory":
            values["mode"] = f"(a {status.kind})"
        return Present(have.path, values, sort=sort(status, "directory"))

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`."""
        return named(object_id)

    async def describe(self, call: Call, want: Directory) -> Mapping[str, Value]:
        """See `Provider.describe`: its mode."""
        return {"mode": f"{(await standing(call, want.path, 'directory')).mode:04o}"}

    def make(self, place: Place, want: Directory, answers: Answers) -> Work:
        """See `HostProvider.make`; one that is there gets the attributes."""
        return Work(want.path, (MakeDirectory(want.path, bits(want.mode), want.owner, want.group),))

    def remove(self, place: Place, have: Directory, answers: Answers) -> Work:
        """See `HostProvider.remove`: what stands there and is no directory is somebody else's, and ours is gone already."""
        status = answers[StatOf(have.path)]
        return Work(have.path, (Remove(have.path),) if status is not None and status.kind == "directory" else ())

    def explained(self, subject: Directory, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: somebody has put something into it."""
        if error.code != "conflict" or "removed" not in error.summary:
            return error
        return ProviderError(
            "in_use",
            "A directory is not empty",
            detail=f"{subject.path} holds what this run does not remove, so it was made or left by somebody else.",
            hint="Look what it is, then remove it and run again, or keep the directory with Options(retain=True):\n\n"
            f"    ls -A {subject.path}",
        )

    def hazards(self, place: Place, want: Directory) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return above(want.path)

    def findings(self, place: Place, want: Directory, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return blocked(place.address, want.path, answers)

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
