"""Trees: a folder beside the script, copied to the machine file by file, only what differs."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Value
from purvey._hosts.fact import Answers, ContentOf, DigestOf, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.reference import refuse_tokens
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Diff, Finding, Kind, Observed, Present, Recorded, Unreadable
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._inputs import absolute, beside, octal, refused, require_absolute
from purvey.resources._paths import above, bits, blocked
from purvey.resources.files._merge import Item, give_back, plainly, put, take_away
from purvey.resources.files._tree import Found, found_in, looking, read

if TYPE_CHECKING:
    from purvey.errors import ScriptError

_WHEREABOUTS: Final = frozenset({"source"})
"""Inputs that say where the files were read; whether they changed is told by the tree."""

_FOLDERS: Final = frozenset({"directory", "link"})
"""What the folder may be: a link to one is not told from other links before it is entered."""


class SyncProvider(HostProvider["Sync"]):
    """Copies trees, and leaves what is there beside them."""

    adopts = True
    lands_within_s = LOCAL_LANDS_S

    def facts(self, place: Place, subject: Sync) -> Sequence[Fact]:
        """See `HostProvider.facts`: the folder, and all that is in it in one question."""
        path = require_absolute(subject.path)
        return [StatOf(path), looking(path, subject.exclude)]

    def seen(self, place: Place, have: Sync, answers: Answers) -> Observed:
        """See `HostProvider.seen`: of the tree, what differs; what is there beside it only if it is to be deleted."""
        status = answers[StatOf(have.path)]
        if status is None:
            return Absent()
        if status.kind not in _FOLDERS:
            return Unreadable(f"{have.path} is a {status.kind}.")
        found = found_in(answers[looking(have.path, have.exclude)])
        if found is None:
            return Unreadable(f"{have.path} cannot be read as a whole, or a name in it has a line end.")
        others = found.others(have.tree) if have.delete else set()
        known = {name: told for name, told in found.tree.items() if name in have.tree or name in others}
        if have.tree and not known.keys() & _telling({**have.tree, **known}):
            return Absent()
        values: dict[str, Value] = {"path": have.path, "tree": known}
        for field, number in (("owner", 0), ("group", 1)):
            wished = getattr(have, field)
            if wished is not None:
                theirs = (found.owners[name][number] for name in have.tree if name in found.owners)
                values[field] = next((other for other in theirs if other != wished), wished)
        return Present(have.path, values)

    def found(self, place: Place, want: Sync, answers: Answers) -> Observed:
        """See `HostProvider.found`: a folder that has at least one of the files."""
        seen = self.seen(place, want, answers)
        return Present(seen.id, {**seen.values, "revision": ""}) if isinstance(seen, Present) else seen

    def make(self, place: Place, want: Sync, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return self._worked(place, want, {}, answers)

    def change(self, place: Place, have: Sync, want: Sync, answers: Answers) -> Work:
        """See `HostProvider.change`: what left the tree is removed, whatever else is kept."""
        return self._worked(place, want, have.tree, answers)

    def remove(self, place: Place, have: Sync, answers: Answers) -> Work:
        """See `HostProvider.remove`: the files of the tree, and those of its folders that are empty then."""
        status = answers[StatOf(have.path)]
        there = status is not None and status.kind in _FOLDERS
        return Work(have.path, take_away(place, have.path, map(_bare, have.tree)) if there else ())

    def take_back(self, place: Place, have: Sync, before: Sync | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: every file as it was, to the byte."""
        there = answers[StatOf(have.path)] is not None
        return Work(have.path, give_back(place, have.path) if there else (), outputs=None)

    def explained(self, subject: Sync, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return plainly(error)

    def hazards(self, place: Place, want: Sync) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return above(f"{want.path}/x")

    def findings(self, place: Place, want: Sync, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return blocked(place.address, f"{want.path}/x", answers)

    def reaches(self, want: Sync) -> Sequence[str] | None:
        """See `HostProvider.reaches`: the tree."""
        return (want.path,)

    def looks_at(self, want: Sync) -> Sequence[str] | None:
        """See `HostProvider.looks_at`: the tree."""
        return (want.path,)

    def claims(self, want: Sync) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"tree:{want.path}",)

    def diff(self, kind: Kind, desired: Mapping[str, Value], recorded: Recorded | None, observed: Mapping[str, Value]) -> Diff:
        """See `Provider.diff`: the same files read from another place are no change."""
        found = super().diff(kind, desired, recorded, observed)
        return Diff(tuple(change for change in found.changes if change.path not in _WHEREABOUTS))

    def _worked(self, place: Place, want: Sync, before: Mapping[str, str], answers: Answers) -> Work:
        status = answers[StatOf(want.path)]
        if status is None or status.kind not in _FOLDERS:
            raise ProviderError(
                "not_found" if status is None else "conflict",
                "The folder for a tree is not there",
                detail=f"{want.path} {'does not exist' if status is None else f'is a {status.kind}'}.",
                hint="Declare it, and build the path from that node: files.Directory(…).",
            )
        found = found_in(answers[looking(want.path, want.exclude)])
        if found is None:
            raise ProviderError("failed", "A folder cannot be read", detail=f"{want.path} was not told as a whole.")
        return _work(place, want, before, found)


class Sync(Resource, kind="files.Sync", provider=SyncProvider):
    """A folder beside the script, copied to a folder on the machine: only the files that differ are sent.

        site = files.Directory("site", path="/srv/site")
        files.Sync("pages", path=site.path, source="pages", exclude=["*.orig", "drafts/"], delete=True)

    The plan shows every file that differs by its mode and digest. What has left the tree is removed; other files in the folder
    stay, unless `delete` is set. Each file appears at once and whole. An undo brings every file back as it was.
    """

    path: str = Input(immutable=True, doc="The folder on the machine, which exists.")
    source: str = Input(doc="The folder beside the script.")
    exclude: Sequence[str] = Input(
        default=(), doc="Patterns of names that are neither copied nor deleted; one with a slash inside begins at the top."
    )
    delete: bool = Input(default=False, doc="Whether everything else goes that is in the folder and not excluded.")
    mode: str | None = Input(
        default=None, doc="The mode of every file; by default 0644, and 0755 of what may be executed here."
    )
    directory_mode: str = Input(default="0755", doc="The mode of every folder in it.")
    owner: str | None = Input(default=None, doc="The user who owns it all; by default the one who runs purvey.")
    group: str | None = Input(default=None, doc="The group that owns it all.")
    tree: Mapping[str, str] = Input(default={}, doc="Filled in by purvey: names, modes and digests.")

    revision: str = Output(doc="Another one after each change of the tree; what was adopted unchanged has none.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_path``, ``script.bad_mode``, ``script.source_unreadable``.
        """
        known = dict(inputs)
        if "path" in known:
            known["path"] = absolute(known["path"], folder)
        known["directory_mode"] = octal(known.get("directory_mode", "0755"))
        if known.get("mode") is not None:
            known["mode"] = octal(known["mode"])
        source = known.get("source")
        if not isinstance(source, str | PurePath):
            return known
        place = Path(beside(refuse_tokens(str(source), "`source`"), folder))
        exclude = [str(pattern) for pattern in known.get("exclude", ())]
        try:
            tree = read(place, exclude, known.get("mode"), known["directory_mode"])
        except (OSError, ValueError) as error:
            raise _unreadable(place, error) from None
        return {**known, "source": str(place), "exclude": exclude, "tree": tree}


def _work(place: Place, want: Sync, before: Mapping[str, str], found: Found) -> Work:
    """Send what differs; a folder with each of its files, because it must be there first."""
    owner = _owner(want)
    sent = [
        name
        for name, told in want.tree.items()
        if found.tree.get(name) != told or (owner and not _is_owned(want, found.owners[name]))
    ]
    first = _in_the_way(want, before, found)
    gone = {name for name in before if name not in want.tree and name in found.tree}
    if want.delete:
        gone |= found.others(want.tree)
    last = gone.difference(first)
    if not sent and not first and not last:
        return Work(want.path, (), {"revision": place.token})
    folders = {f"{parent}/" for name in sent for parent in map(str, PurePath(name).parents) if parent != "."}
    items = {_bare(name): _item(want, name) for name in sorted({*sent, *folders})}
    paths = [f"{want.path}/{name}" for name in sorted({*items, *map(_bare, first), *map(_bare, last)})]
    touched = (looking(want.path, want.exclude), *(kind(path) for path in paths for kind in (StatOf, DigestOf, ContentOf)))
    changes = put(place, want.path, items, owner=owner, first=map(_bare, first), last=map(_bare, last), touches=touched)
    return Work(want.path, changes, {"revision": place.token})


def _telling(tree: Mapping[str, str]) -> set[str]:
    """The names by which a tree is recognised: a folder may be there for others, unless there is nothing else in the tree."""
    return {name for name in tree if not name.endswith("/")} or set(tree)


def _in_the_way(want: Sync, before: Mapping[str, str], found: Found) -> set[str]:
    """Names at which something of another kind stands, with what is in it.

    Raises:
        ProviderError: ``conflict`` if that is not ours.
    """
    there = {_bare(name): name for name in found.tree}
    blocking = [
        there[_bare(name)]
        for name in want.tree
        if _bare(name) in there and there[_bare(name)].endswith("/") != name.endswith("/")
    ]
    for name in blocking:
        inside = [item for item in found.tree if item == name or (name.endswith("/") and item.startswith(name))]
        foreign = [item for item in inside if item not in before]
        if foreign and not want.delete:
            raise ProviderError(
                "conflict",
                "Something else stands where a file or folder of a tree shall be",
                detail=f"{want.path}/{foreign[0]} was not put there by this node.",
                hint="Move it away, or let it go with delete=True.",
            )
    return {item for name in blocking for item in found.tree if item == name or (name.endswith("/") and item.startswith(name))}


def _item(want: Sync, name: str) -> Item:
    """What is sent under a name.

    Raises:
        ProviderError: ``schema_changed`` if a file is not the planned one any more.
    """
    told = want.tree[name]
    if name.endswith("/"):
        return Item(bits(told))
    if told.startswith("-> "):
        return Item(0o777, target=told.removeprefix("-> "))
    mode, _, digest = told.partition(" ")
    path = Path(want.source, name)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ProviderError(
            "not_found",
            "A file of a tree cannot be read",
            detail=f"{path}: {error.strerror}.",
            hint="Put it back, then resume.",
        ) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise ProviderError(
            "schema_changed",
            "A file of a tree is not the planned one",
            detail=f"{path} was changed after the plan was made, so nobody has seen what would be written.",
            hint="Plan again, and read the new plan.",
        )
    return Item(bits(mode), data)


def _bare(name: str) -> str:
    return name.removesuffix("/")


def _owner(want: Sync) -> str:
    """What chown(1) gets; empty where nobody is named."""
    return f"{want.owner or ''}{f':{want.group}' if want.group is not None else ''}"


def _is_owned(want: Sync, owners: tuple[str, str]) -> bool:
    return want.owner in (None, owners[0]) and want.group in (None, owners[1])


def _unreadable(place: Path, error: Exception) -> ScriptError:
    reason = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
    return refused(
        "script.source_unreadable",
        "A tree cannot be read",
        f"`source` is {place}: {reason}.",
        "Paths begin at the script's folder, or with a slash; leave names away with `exclude`.",
    )
