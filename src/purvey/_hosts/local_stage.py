"""Build a file beside the one that it shall replace, and put it in place at once.

The successor of a file has one name, made from the file's, and a lock that lasts as long as its builder. So what a killed run
left is known for what it is, and replaced; and two runs that write one file at once do not spoil each other's work.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Final, NamedTuple

from purvey._hosts import paths
from purvey._hosts.local_errors import explained
from purvey._hosts.local_users import gid_of, uid_of
from purvey.errors import HostError

TRIES_MAX: Final = 5
"""Times that a name found taken is tried again; more than two happen only when others work on the same name."""


class Staged(NamedTuple):
    """A complete new file, `temporary`, beside `path`; the open `file` holds its lock."""

    path: str
    temporary: Path
    file: int


def stage(path: str, data: bytes, *, mode: int, owner: str | None, group: str | None) -> Staged:
    """The file that is ready to become `path`: complete, on the disk, with its owner and mode.

    Raises:
        HostError: if it cannot be built; then nothing of it is left.
    """
    uid, gid = uid_of(owner), gid_of(group)
    with explained(path, "written"):
        temporary = beside(path)
        staged = Staged(path, temporary, _create(path, temporary))
        try:
            _fill(staged.file, data)
            os.fchown(staged.file, uid, gid)
            os.fchmod(staged.file, mode)  # After the change of the owner, which clears bits of the mode.
            os.fsync(staged.file)
        except BaseException:
            discard(staged)
            raise
        return staged


def commit(staged: Staged) -> None:
    """Put the file in place of the old one, for good.

    Raises:
        HostError: if it cannot be; then the old one stays, and nothing of the new one is left.
    """
    try:
        with explained(staged.path, "written"):
            _replace(staged)
            sync_folder(staged.path)
    except BaseException:
        discard(staged)
        raise
    os.close(staged.file)


def discard(staged: Staged) -> None:
    """Give the new file up; the old one stays."""
    with contextlib.suppress(OSError):
        if _is_ours(staged):
            staged.temporary.unlink()
    os.close(staged.file)


def link(path: str, target: str) -> None:
    """See `Connector.link`."""
    with explained(path, "linked"):
        temporary = beside(path)
        temporary.unlink(missing_ok=True)  # A killed run may have left it.
        temporary.symlink_to(target)
        try:
            temporary.rename(path)
        except OSError:
            temporary.unlink()
            raise
        sync_folder(path)


def beside(path: str) -> Path:
    """The one name under which a successor of `path` is built."""
    return Path(paths.beside(path))


def sync_folder(path: str) -> None:
    """Make what happened to the name `path` survive a power failure."""
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _is_ours(staged: Staged) -> bool:
    """Whether the name still means the file that we hold."""
    return os.path.samestat(os.fstat(staged.file), staged.temporary.lstat())


def _replace(staged: Staged) -> None:
    if not _is_ours(staged):
        raise _conflict(staged.path)
    staged.temporary.rename(staged.path)


def _fill(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _create(path: str, temporary: Path) -> int:
    """A new, empty, locked file that nobody else can read, in place of one that a dead builder left."""
    for _ in range(TRIES_MAX):
        try:
            file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:
            _remove_stale(path, temporary)
            continue
        fcntl.flock(file, fcntl.LOCK_EX)
        return file
    raise _conflict(path)


def _remove_stale(path: str, temporary: Path) -> None:
    file = -1
    try:
        with contextlib.suppress(OSError):  # What cannot be opened is a link or the like, and no builder's.
            file = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        if file >= 0:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        temporary.unlink()
    except BlockingIOError:
        raise _conflict(path) from None
    except FileNotFoundError:
        return
    finally:
        if file >= 0:
            os.close(file)


def _conflict(path: str) -> HostError:
    return HostError(
        "conflict",
        "Two runs write one file",
        detail=f"Another process writes {path} at this moment.",
        hint="Let one stack own the file, and run again when the other run is over.",
    )
