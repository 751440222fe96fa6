"""What the kinds that live at a path share, as data: what is kept about a path, and what is in the way of it. Pure."""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import shlex
from collections.abc import Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Protocol

from purvey._base.value import Value
from purvey._hosts.change import Change, Keep, Remove, Restore, SetAttributes, Write
from purvey._hosts.fact import Answers, FileStat, StatOf
from purvey._hosts.paths import PATHS_MAX
from purvey.errors import ProviderError, ScriptError
from purvey.providers import Call, Finding
from purvey.providers.host import Place
from purvey.resources._inputs import require_absolute


class Placed(Protocol):
    """The inputs of whatever has a place in the file system."""

    @property
    def path(self) -> str:
        """Its absolute path."""

    @property
    def mode(self) -> str:
        """Its mode in octal."""

    @property
    def owner(self) -> str | None:
        """The user who owns it; None leaves that alone."""

    @property
    def group(self) -> str | None:
        """The group that owns it; None leaves that alone."""


def attributes(status: FileStat, wished: Placed) -> dict[str, Value]:
    """The attributes of what was found, as far as the script has a wish: an owner that it does not give is not compared."""
    found: dict[str, Value] = {"path": wished.path, "mode": f"{status.mode:04o}"}
    if wished.owner is not None:
        found["owner"] = status.owner
    if wished.group is not None:
        found["group"] = status.group
    return found


def named(object_id: str) -> dict[str, Value]:
    """The input that says which object is meant: its path is its id.

    Raises:
        ScriptError: ``script.relative_id`` if it is relative.
    """
    if not object_id.startswith("/"):
        raise ScriptError(
            "script.relative_id",
            "A path is not absolute",
            detail=f"The id of a file is its absolute path, and {object_id!r} is relative.",
            hint=f"From the folder where you are it is\n\n    --id {shlex.quote(os.path.abspath(object_id))}",  # noqa: PTH100 - not resolved.
        )
    return {"path": require_absolute(posixpath.normpath("/" + object_id.lstrip("/")))}  # POSIX would leave two slashes there.


def sort(status: FileStat, wanted: str) -> str:
    """See `Present.sort`, for a kind whose objects are `wanted`: ``file``, ``directory`` or ``link``."""
    return "" if status.kind == wanted else status.kind


def bits(mode: str) -> int:
    """A mode's permission bits.

    Raises:
        ProviderError: ``invalid`` if it was put together from values that are known only now, and is not octal.
    """
    if not re.fullmatch("[0-7]{1,4}", mode):
        raise ProviderError("invalid", "A file mode is not octal", detail=f"The mode came out as {mode!r}.")
    return int(mode, 8)


def stem(path: str) -> str:
    """A short name for purvey's own files about `path`: two generations of one object share a folder."""
    return hashlib.sha256(path.encode()).hexdigest()[:16]


def copy_path(place: Place | Call, path: str) -> str:
    """Where the copy is of what a file held before it was changed."""
    return f"{place.folder}/{stem(path)}.before"


def key_path(place: Place | Call, path: str) -> str:
    """Where the key of a secret file's digest is."""
    return f"{place.folder}/{stem(path)}.key"


def kept(place: Place | Call, path: str) -> Keep:
    """Keep what a file holds, so that an undo gives back exactly that."""
    return Keep(path, copy_path(place, path), place.token)


def given_back(place: Place | Call, path: str, otherwise: Sequence[Change]) -> Restore:
    """Give back what the operation that is being undone found; where it kept nothing, do something else."""
    plain = tuple(item for item in otherwise if isinstance(item, Write | SetAttributes | Remove))
    return Restore(path, copy_path(place, path), place.undoes, plain)


def forgotten(place: Place | Call, path: str) -> tuple[Change, ...]:
    """Remove what purvey keeps about a path, and the object's own folder once nothing is left in it."""
    return (Remove(copy_path(place, path)), Remove(key_path(place, path)), Remove(place.folder, if_empty=True))


def with_attributes(wished: Placed) -> SetAttributes:
    """Give what is at the place the attributes that are wished."""
    return SetAttributes(wished.path, bits(wished.mode), wished.owner, wished.group)


@lru_cache(PATHS_MAX)
def above(path: str) -> tuple[StatOf, ...]:
    """The folders on the way to a path, nearest first: what may be in the way of it."""
    return tuple(StatOf(str(folder)) for folder in PurePosixPath(path).parents) if path.startswith("/") else ()


def blocked(address: str, path: str, answers: Answers) -> list[Finding]:
    """What makes it certain that nothing can be made at `path`, from the answers about the folders `above` it.

    A folder that does not exist yet is no finding: another node of the script may make it.
    """
    if not path.startswith("/"):
        return [Finding(address, f"the path came out as {path!r}, which is not absolute", "Begin it with a slash.")]
    for folder in above(path):
        status: FileStat | None = answers[folder]
        if status is not None:
            if status.kind in ("directory", "link"):
                return []
            problem = f"{folder.path} is a {status.kind} and no folder, so {path} cannot be made"
            return [Finding(address, problem, "Remove it, or choose another path.")]
    return []
