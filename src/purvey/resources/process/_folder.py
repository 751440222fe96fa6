"""An object's own folder on a machine: made with all above it, and removed when nothing is left in it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from purvey._hosts.command import Command, check
from purvey.errors import HostError

if TYPE_CHECKING:
    from purvey._hosts.connector import Connector

TRAVERSABLE = 0o755
"""The mode of folders above an object's own: as root, unprivileged users must get through them."""


async def make_folders(host: Connector, path: str, *, mode: int) -> None:
    """Make the folder `path` with `mode`, and those above it that do not exist.

    Args:
        host: The machine.
        path: An absolute path; a folder that exists gets `mode` too, those above it stay as they are.
        mode: Permission bits of the folder itself.
    """
    missing: list[str] = []
    above = PurePosixPath(path).parent
    while await host.stat(str(above)) is None:
        missing.append(str(above))
        above = above.parent
    for folder in reversed(missing):
        await host.make_directory(folder, mode=TRAVERSABLE)
    await host.make_directory(path, mode=mode)


async def names(host: Connector, path: str) -> list[str]:
    """The sorted names in the folder `path`.

    Raises:
        HostError: if it cannot be read.
    """
    command = Command(("find", path, "-mindepth", "1", "-maxdepth", "1", "-printf", "%f\\0"))
    completed = check(command, await host.run(command))
    return sorted(name.decode(errors="surrogateescape") for name in completed.stdout.split(b"\0") if name)


async def remove_if_empty(host: Connector, path: str) -> None:
    """Remove the folder `path` unless something is left in it."""
    try:
        if not await names(host, path):
            await host.remove(path)
    except HostError:  # It is gone, or somebody has just put something into it.
        return
