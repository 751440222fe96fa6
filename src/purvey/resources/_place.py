"""What the kinds share that act at a path by themselves; those that say what they do share `_paths`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey.errors import HostError, ProviderError
from purvey.providers import Call, Finding
from purvey.resources import _paths
from purvey.resources._paths import Placed, bits

if TYPE_CHECKING:
    from purvey._hosts.command import Command
    from purvey._hosts.fact import FileStat


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
    for own in (_paths.copy_path(call, path), _paths.key_path(call, path)):
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


async def blocked(call: Call, path: str) -> list[Finding]:
    """See `_paths.blocked`, looked at before the first write."""
    return _paths.blocked(call.address, path, await call.host.ask(_paths.above(path)))
