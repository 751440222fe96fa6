"""Whether the way to a file of this machine may be gone: no link of somebody else leads us to what is not theirs.

The rule is that of machines behind a shell (`approach` in asking.sh). There we stand meanwhile in what is worked on; here the
way is looked at before each call, so that somebody who swaps a folder for a link between the two is not seen. A link of root or
of ours leads where we have it lead, as the kernel has it (``fs.protected_symlinks``).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from purvey.errors import HostError

LINKS_MAX: Final = 40
"""Links on one way, as many as Linux follows."""


def require_way(path: str) -> None:
    """Refuse a way on which a link of somebody else leads out of what they can change, and not to what is theirs.

    Raises:
        HostError: ``denied``.
    """
    way = _Way()
    try:
        way.go(Path(path).parent)
        owner = way.at.stat().st_uid
    except OSError:  # What is done there says why.
        return
    base = way.base
    if base is not None and all(place.is_relative_to(base) for place in (*way.strange, way.at)):
        return
    if set(way.strange.values()) <= {owner}:
        return
    link = next(iter(way.strange))
    raise HostError(
        "denied",
        "A link of somebody else leads away",
        detail=f"On the way to {path} the link {link} is somebody else's, and leads to {way.at}, which is not theirs.",
        hint=f"Name the file where it is, below {way.at}, or take the link away.",
    )


class _Way:
    """Goes a way step by step, over links.

    Attributes:
        at: Where it has come to; no link is on the way there.
        base: The first folder that others than root and we can change; None as long as there is none.
        strange: The links of others that it has followed, with their owners.
    """

    def __init__(self) -> None:
        self.at = Path("/")
        self.base: Path | None = None
        self.strange: dict[Path, int] = {}
        self._links = 0

    def go(self, way: Path) -> None:
        """Go on.

        Raises:
            OSError: Something on the way is not there, or the links do not end.
        """
        for name in way.parts:
            if name in ("/", ".."):
                self.at = Path("/") if name == "/" else self.at.parent
                continue
            there = self.at / name
            found = there.lstat()
            is_ours = found.st_uid in (0, os.geteuid())
            if stat.S_ISLNK(found.st_mode):
                self._links += 1
                if self._links > LINKS_MAX:
                    raise OSError
                if not is_ours:
                    self.strange[there] = found.st_uid
                self.go(there.readlink())
                continue
            self.at = there
            is_shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
            if self.base is None and (is_shared or not is_ours):
                self.base = there
