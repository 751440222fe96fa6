"""Where labs are on this machine, and how what is left of dead ones goes.

A lab has a name of its own, under which stand its folder (a file system in memory), its network namespaces, and a file that
its process locks for as long as it lives. The kernel opens that lock when the process ends, however it does; so a lab whose
file can be locked is nobody's, and the next lab on the machine removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from purvey.testing.hosts import _network

_ALL: Final = Path("/run/purvey-labs")


class Place:
    """A place for a lab, until `remove`; what dead labs left is removed first.

    Attributes:
        name: Of the lab, and of its namespace.
        folder: In memory.
    """

    def __init__(self) -> None:
        _ALL.mkdir(exist_ok=True)
        sweep()
        self.name, self._lock = _claim()
        self.folder = _ALL / self.name
        try:
            self.folder.mkdir()
            _network.command("mount", "-t", "tmpfs", "-o", "mode=755", "lab", str(self.folder))
        except BaseException:
            self.remove()
            raise

    def remove(self) -> None:
        """End every process of the lab, and leave nothing of it."""
        _remove(self.name)
        os.close(self._lock)


def sweep() -> None:
    """Remove the labs whose process has ended."""
    for path in _ALL.glob("*.lock"):
        with _locked(path) as free:
            if free:
                _remove(path.stem)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[bool]:
    """Whether nobody lives who has locked the file, and nobody removed it meanwhile; then it is ours for so long."""
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


def _claim() -> tuple[str, int]:
    """A new name, and its file, locked; one that a sweep came to between the two is given up."""
    while True:
        name = f"purvey-{secrets.token_hex(3)}"
        with contextlib.suppress(FileExistsError):
            descriptor = os.open(_ALL / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            if _lock(descriptor):
                return name, descriptor
            os.close(descriptor)


def _remove(name: str) -> None:
    while boots := _boots(name):  # First, because they make namespaces; again, because they start programs.
        for pid in boots:
            _network.end(pid)
    for namespace in _network.names(name):
        _network.remove(namespace)
    folder = _ALL / name
    if folder.is_mount():
        _network.command("umount", "--recursive", "--lazy", str(folder))
    if folder.exists():
        folder.rmdir()
    (_ALL / f"{name}.lock").unlink(missing_ok=True)


def _boots(name: str) -> list[int]:
    """What boots the hosts of a lab, by the variable that all of it has."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            found += [int(environment.parent.name)] if f"LAB={name}".encode() in environment.read_bytes().split(b"\0") else []
    return found
