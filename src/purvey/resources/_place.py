"""What the kinds for files share when they act: attributes, contents, removal, and whether a place can be written at all."""

from __future__ import annotations

import os
import posixpath
import shlex
from typing import TYPE_CHECKING, Protocol

from purvey._base.value import Value
from purvey.errors import HostError, ProviderError, ScriptError
from purvey.providers import Call, Finding
from purvey.resources import _before
from purvey.resources._inputs import require_absolute

if TYPE_CHECKING:
    from purvey._hosts.command import Command
    from purvey._hosts.connector import FileStat


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
    return {"path": posixpath.normpath(require_absolute(object_id))}


async def standing(call: Call, path: str, kind: str) -> FileStat:
    """What stands at a path, for an import.

    Raises:
        ProviderError: ``not_found`` if nothing does, ``invalid`` if it is something else than a `kind`.
    """
    status = await call.host.stat(path)
    if status is None:
        raise ProviderError("not_found", "Nothing is there under this id", detail=f"{path} does not exist.")
    if status.kind != kind:
        raise ProviderError("invalid", "Something else is there", detail=f"{path} is a {status.kind}, and not a {kind}.")
    return status


async def set_attributes(call: Call, wished: Placed) -> None:
    """Give what is at the place the attributes that are wished."""
    await call.host.set_attributes(wished.path, mode=bits(wished.mode), owner=wished.owner, group=wished.group)


async def write(call: Call, wished: Placed, data: bytes, *, validate: Command | None = None) -> None:
    """Put a file at the place, in one step."""
    await call.host.write(wished.path, data, mode=bits(wished.mode), owner=wished.owner, group=wished.group, validate=validate)


def bits(mode: str) -> int:
    """A mode's permission bits.

    Raises:
        ProviderError: ``invalid`` if it was put together from values that are known only now, and is not octal.
    """
    try:
        return int(mode, 8)
    except ValueError:
        raise ProviderError("invalid", "A file mode is not octal", detail=f"The mode came out as {mode!r}.") from None


async def content(call: Call, path: str) -> bytes | None:
    """What the file at `path` holds; None if nothing is there, or something that is no file."""
    status = await call.host.stat(path)
    if status is None or status.kind != "file":
        return None
    return await call.host.read(path)


async def remove(call: Call, path: str) -> None:
    """Remove a file and everything that purvey keeps about it.

    A directory in its place is somebody else's: ours is gone already, which is no error.
    """
    status = await call.host.stat(path)
    if status is not None and status.kind in ("file", "link"):
        await call.host.remove(path)
    await forget(call, path)


async def forget(call: Call, path: str) -> None:
    """Remove what purvey keeps about a path, and the object's own folder once nothing is left in it."""
    if await call.host.stat(call.folder) is None:
        return
    for own in (_before.copy_path(call, path), key_path(call, path)):
        await call.host.remove(own)
    await remove_if_empty(call, call.folder)


async def remove_if_empty(call: Call, folder: str) -> bool:
    """Remove a directory; False if something is in it."""
    try:
        await call.host.remove(folder)
    except HostError as error:
        if error.code != "conflict":
            raise
        return False
    return True


def key_path(call: Call, path: str) -> str:
    """Where the key of a secret file's digest is."""
    return f"{call.folder}/{_before.stem(path)}.key"


async def blocked(call: Call, path: str) -> list[Finding]:
    """What makes it certain that nothing can be made at `path`, looked at before the first write.

    A folder that does not exist yet is no finding: another node of the script may make it.
    """
    if not path.startswith("/"):
        return [Finding(call.address, f"the path came out as {path!r}, which is not absolute", "Begin it with a slash.")]
    parent = posixpath.dirname(path)
    status = await call.host.stat(parent)
    while status is None and parent != "/":
        parent = posixpath.dirname(parent)
        status = await call.host.stat(parent)
    if status is not None and status.kind not in ("directory", "link"):
        problem = f"{parent} is a {status.kind} and no folder, so {path} cannot be made"
        return [Finding(call.address, problem, "Remove it, or choose another path.")]
    return []
