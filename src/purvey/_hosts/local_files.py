"""Files and folders of this machine: look, read, change; every change is on the disk when its function returns."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat as modes
from pathlib import Path
from typing import Literal

from purvey._hosts.fact import FileStat
from purvey._hosts.local_errors import explained
from purvey._hosts.local_stage import sync_folder
from purvey._hosts.local_users import gid_of, group_name, uid_of, user_name


def stat(path: str) -> FileStat | None:
    """See `Connector.stat`."""
    with explained(path, "looked at"):
        try:
            found = os.lstat(path)
            target = str(Path(path).readlink()) if modes.S_ISLNK(found.st_mode) else ""
        except (FileNotFoundError, NotADirectoryError):
            return None
    kind = _kind(found.st_mode)
    return FileStat(
        kind=kind,
        mode=modes.S_IMODE(found.st_mode),
        owner=user_name(found.st_uid),
        group=group_name(found.st_gid),
        size=found.st_size if kind == "file" else 0,
        target=target,
    )


def _kind(mode: int) -> Literal["file", "directory", "link", "other"]:
    if modes.S_ISREG(mode):
        return "file"
    if modes.S_ISDIR(mode):
        return "directory"
    return "link" if modes.S_ISLNK(mode) else "other"


def read(path: str) -> bytes:
    """See `Connector.read`."""
    with explained(path, "read"):
        return Path(path).read_bytes()


def digest(path: str) -> str:
    """See `Connector.digest`."""
    with explained(path, "read"), Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_folder(path: str) -> bool:
    """Whether a directory is at `path`, or a link leads to one."""
    return os.path.isdir(path)  # noqa: PTH112 - `Path.is_dir` raises for what may not be looked at.


def make_directory(path: str, *, mode: int, owner: str | None, group: str | None) -> None:
    """See `Connector.make_directory`."""
    uid_of(owner), gid_of(group)  # Before anything is made for nobody.
    with explained(path, "made"):
        try:
            Path(path).mkdir(0o700)
        except FileExistsError:
            if not modes.S_ISDIR(os.lstat(path).st_mode):
                raise
    set_attributes(path, mode=mode, owner=owner, group=group)
    with explained(path, "made"):
        sync_folder(path)


def set_attributes(path: str, *, mode: int | None, owner: str | None, group: str | None) -> None:
    """See `Connector.set_attributes`."""
    uid, gid = uid_of(owner), gid_of(group)
    with explained(path, "given its owner and mode"):
        os.lchown(path, uid, gid)
        if mode is not None and not modes.S_ISLNK(os.lstat(path).st_mode):
            Path(path).chmod(mode)  # After the change of the owner, which clears bits of the mode.


def remove(path: str) -> None:
    """See `Connector.remove`."""
    with explained(path, "removed"):
        try:
            if modes.S_ISDIR(os.lstat(path).st_mode):
                Path(path).rmdir()
            else:
                Path(path).unlink()
            sync_folder(path)
        except (FileNotFoundError, NotADirectoryError):
            return


def remove_tree(path: str) -> None:
    """Remove a directory and all that is in it, or whatever is there; nothing if there is nothing."""
    with explained(path, "removed"):
        if Path(path).is_dir() and not Path(path).is_symlink():
            shutil.rmtree(path)
            sync_folder(path)
            return
    remove(path)
