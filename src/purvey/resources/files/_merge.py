"""Trees of files put into folders that may hold others: what `merge.sh` does on a machine, as changes. Pure."""

from __future__ import annotations

import io
import shlex
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Final

import msgspec

from purvey._hosts.change import Change, MakeOwnFolder, Remove, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Fact
from purvey.errors import ProviderError
from purvey.providers.host import Place
from purvey.resources._paths import stem

if TYPE_CHECKING:
    import tarfile

WORK_S: Final = 600.0
"""Seconds that a tree may take."""


class Item(msgspec.Struct, frozen=True):
    """What a tree has under a name: a folder, a file with its content, or a link with its target."""

    mode: int
    content: bytes | None = None
    target: str = ""


def put(
    place: Place, folder: str, items: Mapping[str, Item], *,
    owner: str = "", first: Iterable[str] = (), last: Iterable[str] = (), touches: tuple[Fact, ...] | None = None,
) -> tuple[Change, ...]:  # fmt: skip
    """Put files, links and folders into a folder.

    Args:
        place: The operation; what it changes is kept for its undo.
        folder: The folder, which exists.
        items: By their names from there.
        owner: For chown(1); empty for us.
        first: Names that go before, because something else is to be in their place.
        last: Names that go afterwards; folders only if they are empty.
        touches: See `Run`.
    """
    argv = ("put", folder, _copy(folder, place.token), owner)
    return _merging(place, argv, _archive(items, first, last), touches)


def unpack(
    place: Place, folder: str, archive: str, archive_format: str, *, strip: int, owner: str, mark: str
) -> tuple[Change, ...]:  # fmt: skip
    """Unpack an archive into a folder, and remove what an earlier one has left there and this one does not hold.

    Args:
        place: The operation; what it changes is kept for its undo.
        folder: The folder, which exists.
        archive: Its path; a relative one begins in purvey's own folder for the object.
        archive_format: ``tar``, ``tar.gz``, ``tar.bz2``, ``tar.xz`` or ``zip``.
        strip: How many folders at the top of its names are left away.
        owner: For chown(1); empty for us.
        mark: The name in the folder of what says that it was unpacked; it goes before anything is changed.
    """
    argv = ("unpack", folder, _copy(folder, place.token), owner, _list(folder), archive, archive_format, str(strip), mark)
    return _merging(place, argv, b"", None)


def take_unpacked_away(place: Place, folder: str) -> tuple[Change, ...]:
    """Remove for good what was unpacked into a folder, and what is kept about it."""
    return (*_merging(place, ("gone", folder, "", "", _list(folder)), b"", None), *_forgotten(place, folder))


def take_away(place: Place, folder: str, names: Iterable[str]) -> tuple[Change, ...]:
    """Remove names from a folder for good, and what is kept about it."""
    return (*_merging(place, ("put", folder, "", ""), _archive({}, (), names), None), *_forgotten(place, folder))


def give_back(place: Place, folder: str) -> tuple[Change, ...]:
    """Put everything in a folder back that the operation which is taken back has changed."""
    return _merging(place, ("back", folder, _copy(folder, place.undoes), "", _list(folder)), b"", None)


def plainly(error: ProviderError) -> ProviderError:
    """An error in words of our own, or at least without the text of the script that failed."""
    error.detail = error.detail.replace(shlex.quote(script()), "(merge.sh)")
    if "ended with code 73" not in error.detail:
        return error
    where = error.detail.rpartition("\n")[2]
    return ProviderError(
        "conflict", "A link stands where a folder of a tree shall be",
        detail=f"{where} is a link, or behind one, and would lead out of the folder.",
        hint="Whoever owns the folder may have put it there. Look where it leads, and move it away.",
    )  # fmt: skip


def _merging(place: Place, argv: Sequence[str], data: bytes, touches: tuple[Fact, ...] | None) -> tuple[Change, ...]:
    meanwhile = f".purvey.new.{stem(place.folder)}"  # Another node may work on the same folder at the same time.
    command = Command(("sh", "-c", script(), "merge.sh", meanwhile, *argv), cwd=place.folder, stdin=data, timeout_s=WORK_S)
    return (MakeOwnFolder(place.folder), Run(command, touches=touches))


def _forgotten(place: Place, folder: str) -> tuple[Change, ...]:
    return (Remove(f"{place.folder}/{stem(folder)}", whole=True), Remove(place.folder, if_empty=True))


def _copy(folder: str, token: str) -> str:
    """Where what an operation found is kept, from the object's own folder."""
    return f"{stem(folder)}/{token}"


def _list(folder: str) -> str:
    """Where it is told what was unpacked, from the object's own folder."""
    return f"{stem(folder)}.unpacked"


@cache
def script() -> str:
    """What the machine's shell gets."""
    return shell("stage.sh", "merge.sh")


def shell(*names: str) -> str:
    """The text of these files of ours, without what only people read."""
    from importlib.resources import files  # noqa: PLC0415 - only who sends a tree pays for it.

    lines = [line for name in names for line in files("purvey.resources.files").joinpath(name).read_text().splitlines()]
    return "\n".join(line for line in lines if line.strip() and not line.startswith("#"))


def _archive(items: Mapping[str, Item], first: Iterable[str], last: Iterable[str]) -> bytes:
    """What `put` reads; the same bytes for the same items."""
    import tarfile  # noqa: PLC0415 - as below.

    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        _add(archive, "tree", Item(0o755))
        for name in sorted(items):
            _add(archive, f"tree/{name}", items[name])
        for name, names in (("first", first), ("last", last)):
            _add(archive, name, Item(0o600, "".join(f"./{item}\n" for item in sorted(names)).encode()))
    return stream.getvalue()


def _add(archive: tarfile.TarFile, name: str, item: Item) -> None:
    import tarfile  # noqa: PLC0415 - as above.

    member = tarfile.TarInfo(name)
    member.mode = item.mode
    if item.target:
        member.type, member.linkname = tarfile.SYMTYPE, item.target
    elif item.content is None:
        member.type = tarfile.DIRTYPE
    else:
        member.size = len(item.content)
    archive.addfile(member, io.BytesIO(item.content or b""))
