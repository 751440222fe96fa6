"""Archives: what is in them, unpacked into a folder on the machine, once for each content.

A small file in the folder, ``.purvey-NAME``, tells from which archive it was filled. It is written last and goes with the
folder, so neither a folder that was emptied nor one that was filled by half is taken for a full one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Value
from purvey._hosts.change import Change, MakeOwnFolder, Remove, Write
from purvey._hosts.fact import Answers, ContentOf, DigestOf, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.recorder import current
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Diff, Finding, Kind, Observed, Present, Recorded
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._inputs import absolute, refused, require_absolute
from purvey.resources._paths import above, blocked, stem
from purvey.resources.files._content import digest_of, local, unchanged
from purvey.resources.files._merge import give_back, plainly, take_unpacked_away, unpack

if TYPE_CHECKING:
    from purvey.errors import ScriptError

FORMATS: Final[Mapping[str, str]] = {
    ".tar": "tar", ".tar.gz": "tar.gz", ".tgz": "tar.gz", ".tar.bz2": "tar.bz2", ".tbz2": "tar.bz2",
    ".tar.xz": "tar.xz", ".txz": "tar.xz", ".zip": "zip",
}  # fmt: skip
"""What the end of a name tells."""

_FOLDERS: Final = frozenset({"directory", "link"})
_ANOTHER: Final = "(another archive)"
_WHEREABOUTS: Final = frozenset({"source"})


class ArchiveProvider(HostProvider["Archive"]):
    """Unpacks archives, and removes what it has unpacked."""

    long_calls = True
    lands_within_s = LOCAL_LANDS_S

    def facts(self, place: Place, subject: Archive) -> Sequence[Fact]:
        """See `HostProvider.facts`: the folder, what fills it, and the archive where that is on the machine."""
        path = require_absolute(subject.path)
        asked: list[Fact] = [StatOf(path), ContentOf(f"{path}/{_mark(place)}")]
        return [*asked, DigestOf(require_absolute(subject.archive))] if subject.archive is not None else asked

    def seen(self, place: Place, have: Archive, answers: Answers) -> Observed:
        """See `HostProvider.seen`: an archive that is gone has been unpacked all the same."""
        told = answers[ContentOf(f"{have.path}/{_mark(place)}")]
        if told is None:
            return Absent()
        digest, strip, owner, group = (told.decode(errors="replace").splitlines() + [""] * 4)[:4]
        values: dict[str, Value] = {"path": have.path, "strip": int(strip) if strip.isdecimal() else -1, "digest": digest}
        values |= {"owner": owner or None, "group": group or None}
        if have.archive is not None and answers[DigestOf(have.archive)] not in (None, digest):
            values["digest"] = _ANOTHER
        return Present(have.path, values)

    def found(self, place: Place, want: Archive, answers: Answers) -> Observed:
        """See `HostProvider.found`."""
        seen = self.seen(place, want, answers)
        return Present(seen.id, {**seen.values, "revision": ""}) if isinstance(seen, Present) else seen

    def make(self, place: Place, want: Archive, answers: Answers) -> Work:
        """See `HostProvider.make`: what is there under the same names is replaced, all else stays."""
        status = answers[StatOf(want.path)]
        if status is None or status.kind not in _FOLDERS:
            raise ProviderError(
                "not_found" if status is None else "conflict",
                "The folder for an archive is not there",
                detail=f"{want.path} {'does not exist' if status is None else f'is a {status.kind}'}.",
                hint="Declare it, and build the path from that node: files.Directory(…).",
            )
        digest = want.source_digest if want.archive is None else answers[DigestOf(want.archive)]
        if digest is None:
            raise ProviderError(
                "not_found", "An archive is not there", detail=f"{want.archive} is no file.",
                hint="Let this come after what puts it there; its own path makes it so: archive=download.path.",
            )  # fmt: skip
        outputs: dict[str, Value] = {"digest": digest, "revision": place.token}
        told = f"{digest}\n{want.strip}\n{want.owner or ''}\n{want.group or ''}\n".encode()
        if answers[ContentOf(f"{want.path}/{_mark(place)}")] == told:
            return Work(want.path, (), outputs)
        return Work(want.path, _unpacking(place, want, told), outputs)

    def remove(self, place: Place, have: Archive, answers: Answers) -> Work:
        """See `HostProvider.remove`: what was unpacked, also where somebody has changed it, and folders that are empty then."""
        status = answers[StatOf(have.path)]
        if status is None or status.kind not in _FOLDERS:
            return Work(have.path)
        return Work(have.path, (Remove(f"{have.path}/{_mark(place)}"), *take_unpacked_away(place, have.path)))

    def take_back(self, place: Place, have: Archive, before: Archive | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: every file as it was, to the byte; the former archive is not needed."""
        there = answers[StatOf(have.path)] is not None
        return Work(have.path, give_back(place, have.path) if there else (), outputs=None)

    def explained(self, subject: Archive, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: what is missing on the machine, or in the archive."""
        error = plainly(error)
        said = error.detail.rpartition("\n")[2]
        if "ended with code 69" in error.detail:
            hint = "Let this come after the package unzip."
            return ProviderError(
                "not_found", "A machine cannot unpack an archive", detail=f"{_name(subject)}: {said}.", hint=hint
            )
        if "ended with code 66" in error.detail:
            return ProviderError("invalid", "An archive cannot be unpacked as it is wished", detail=f"{_name(subject)}: {said}")
        return error

    def hazards(self, place: Place, want: Archive) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return above(f"{want.path}/x")

    def findings(self, place: Place, want: Archive, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return blocked(place.address, f"{want.path}/x", answers)

    def reaches(self, want: Archive) -> Sequence[str] | None:
        """See `HostProvider.reaches`: what is unpacked."""
        return (want.path,)

    def claims(self, want: Archive) -> Sequence[str]:
        """See `Provider.claims`; several may fill one folder."""
        return ()

    def predict(self, want: Archive) -> Mapping[str, Value]:
        """See `Provider.predict`: the digest of what is beside the script."""
        return {"digest": want.source_digest} if want.source_digest is not None else {}

    def diff(self, kind: Kind, desired: Mapping[str, Value], recorded: Recorded | None, observed: Mapping[str, Value]) -> Diff:
        """See `Provider.diff`: the same archive in another place beside the script is no change."""
        found = super().diff(kind, desired, recorded, observed)
        return Diff(tuple(change for change in found.changes if change.path not in _WHEREABOUTS))


class Archive(Resource, kind="files.Archive", provider=ArchiveProvider):
    """An archive, unpacked into a folder; once, and anew when it is another one or somebody has emptied the folder.

        tool = files.Download("tool.tar.gz", path="/opt/tool.tar.gz", url="https://example.org/tool-1.2.tar.gz", sha256="9f86…")
        home = files.Directory("tool", path="/opt/tool")
        files.Archive("tool", path=home.path, archive=tool.path, strip=1)

    What an earlier archive has left and the new one does not hold is removed; other files in the folder stay. Edits of single
    files are not noticed. A link where a folder of the archive is to be is refused, for it would lead elsewhere. An undo brings
    every file back as it was.
    """

    path: str = Input(immutable=True, doc="The folder to unpack into, which exists.")
    source: str | None = Input(default=None, doc="An archive beside the script, which is sent; for some megabytes.")
    archive: str | None = Input(default=None, doc="An archive on the machine.")
    format: str | None = Input(default=None, doc="tar, tar.gz, tar.bz2, tar.xz or zip; by default what its name says.")
    strip: int = Input(default=0, doc="How many folders at the top of its names are left away.")
    owner: str | None = Input(default=None, doc="The user who owns it all; by default the one who runs purvey.")
    group: str | None = Input(default=None, doc="The group that owns it all.")
    source_digest: str | None = Input(default=None, doc="Filled in by purvey: SHA-256 of the source.")

    digest: str = Output(compared=True, doc="SHA-256 of the archive that the folder was filled from.")
    revision: str = Output(doc="Another one after each time it was unpacked.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_path``, ``script.bad_archive``, ``script.source_unreadable``.
        """
        known = {name: value for name, value in inputs.items() if name != "source_digest"}
        for name in ("path", "archive"):
            if known.get(name) is not None:
                known[name] = absolute(known[name], folder)
        given = [name for name in ("source", "archive") if known.get(name) is not None]
        if len(given) != 1:
            raise _bad("It has `source` and `archive`." if given else "It has no archive.", "Give `source=` or `archive=`.")
        name = known[given[0]]
        if known.get("format") is None:
            if isinstance(name, str | PurePath) and current().nonce not in str(name) and _format_of(str(name)) is None:
                raise _bad(f"{name} does not tell what it is.", 'Say it:\n\n    format="tar.gz"')
        elif known["format"] not in FORMATS.values():
            raise _bad(f"`format` is {known['format']!r}.", f"It is one of {', '.join(sorted(set(FORMATS.values())))}.")
        strip = known.get("strip", 0)
        if isinstance(strip, int) and strip < 0:
            raise _bad(f"`strip` is {strip}.", "It is a number of folders, from 0.")
        if given == ["source"]:
            source = local(known["source"], "source", folder)
            known |= {"source": str(source), "source_digest": digest_of(source, "source")}
        return known


def _format_of(name: str) -> str | None:
    return next((told for end, told in FORMATS.items() if name.endswith(end)), None)


def _unpacking(place: Place, want: Archive, told: bytes) -> tuple[Change, ...]:
    """Unpack it, telling so at the end.

    Raises:
        ProviderError: ``invalid`` if nothing says what kind of archive it is, and as `unchanged`.
    """
    archive_format = want.format or _format_of(_name(want))
    if archive_format is None:
        raise ProviderError(
            "invalid", "An archive's name does not tell what it is", detail=_name(want), hint='Say it:\n\n    format="tar.gz"'
        )
    owner = f"{want.owner or ''}{f':{want.group}' if want.group is not None else ''}"
    mark = _mark(place)
    after: tuple[Change, ...] = (Write(f"{want.path}/{mark}", told, 0o644),)
    if want.archive is not None:
        return (*unpack(place, want.path, want.archive, archive_format, strip=want.strip, owner=owner, mark=mark), *after)
    sent = f"{stem(want.path)}.archive"
    data = unchanged(str(want.source), want.source_digest)
    before = (MakeOwnFolder(place.folder), Write(f"{place.folder}/{sent}", data, 0o600))
    unpacked = unpack(place, want.path, sent, archive_format, strip=want.strip, owner=owner, mark=mark)
    return (*before, *unpacked, Remove(f"{place.folder}/{sent}"), *after)


def _mark(place: Place) -> str:
    """The name in the folder that tells what fills it; several archives may fill one."""
    return f".purvey-{place.name}"


def _name(subject: Archive) -> str:
    return str(subject.archive if subject.archive is not None else subject.source)


def _bad(problem: str, hint: str) -> ScriptError:
    return refused("script.bad_archive", "An archive is not given as it must be", problem, hint)
