"""Whether the way to a file of this machine may be gone: no link of somebody else leads us to what is not theirs.

The rule is that of machines behind a shell (`approach` in asking.sh). There we stand meanwhile in what is worked on; here the
way is looked at before each call, so that somebody who swaps a folder for a link between the two is not seen.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from purvey.errors import HostError


def require_way(path: str) -> None:
    """Refuse a way on which a link that others may change leads out of what is theirs.

    Raises:
        HostError: ``denied``.
    """
    folder = Path(path).parent
    doubtful = _doubtful(folder)
    if doubtful is None:
        return
    try:
        base, stood = os.path.realpath(doubtful), os.path.realpath(folder)
        told, owner = Path(stood).stat(), doubtful.lstat()
        if not stat.S_ISLNK(owner.st_mode) or owner.st_uid in (0, os.geteuid()):
            if os.path.commonpath((base, stood)) == base:
                return
            owner = Path(base).stat()
    except OSError:  # What is done there says why.
        return
    if told.st_uid == owner.st_uid != os.geteuid():
        return
    raise HostError(
        "denied",
        "A link of somebody else leads away",
        detail=f"On the way to {path} others can change {doubtful}, and a link there leads to {stood}, which is not theirs.",
        hint=f"Name the file where it is, below {stood}, or take the link away.",
    )


def _doubtful(folder: Path) -> Path | None:
    """The first folder on the way that others than root and we can change, or replace; the last one is `folder`."""
    for at in (*reversed(folder.parents), folder):
        try:
            found = at.lstat()
        except OSError:
            return None
        shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not (found.st_mode & stat.S_ISVTX and at != folder)
        if found.st_uid not in (0, os.geteuid()) or shared:
            return at
    return None
