"""Whether the way to a file of this machine may be gone: no link of somebody else leads us to what is not theirs.

The rule is that of machines behind a shell (`led` in ways.sh). There we stand meanwhile in what is worked on; here the way is
looked at before each call, so that somebody who swaps a folder for a link between the two is not seen.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final, NamedTuple

from purvey.errors import HostError

ANYBODY: Final = -1
"""Stands for a user of whom nothing is known; no user has this number."""

LINKS_MAX: Final = 40
"""Links on one way, as many as Linux follows."""


def require_way(path: str) -> None:
    """Refuse a way on which a link that others may change leads to what they could not do without us.

    Raises:
        HostError: ``denied``.
    """
    way = _Way()
    try:
        way.go(Path(path).parent)
        owner = way.at.stat().st_uid
    except OSError:  # What is done there says why.
        return
    for link in way.links:
        if not (way.keeps(link) or link.putter == owner != os.geteuid()):
            raise HostError(
                "denied",
                "A link that others may have put there leads away",
                detail=f"On the way to {path} the link {link.path} leads to {way.at}, where those could not work "
                "who may have put it there.",
                hint=f"Name the file where it is, below {way.at}; or let nobody else change the folder {link.path.parent}.",
            )


class _Link(NamedTuple):
    """A link, and one of those who may have put it where it is.

    Attributes:
        path: Where it is.
        putter: A user; `ANYBODY` for a link of root's or ours in a folder that is shared.
        inside: Whether it is in the first folder that others can change.
    """

    path: Path
    putter: int
    inside: bool


class _Way:
    """Goes a way step by step, over links.

    Attributes:
        at: Where it has come to; no link is on the way there.
        base: The first folder that others than root and we can change; None as long as there is none.
        links: Those that it has followed and others may change.
    """

    def __init__(self) -> None:
        self.at = Path("/")
        self.base: Path | None = None
        self.links: list[_Link] = []
        self._keeper = 0
        self._followed = 0

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
            if stat.S_ISLNK(found.st_mode):
                self._follow(there, found.st_uid)
                continue
            self.at = there
            is_shared = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and not found.st_mode & stat.S_ISVTX
            if self.base is None and (is_shared or not _is_ours(found.st_uid)):
                self.base, self._keeper = there, found.st_uid

    def keeps(self, link: _Link) -> bool:
        """Whether a link leads no further than the folder in which it is, which is the putter's, or shared by root or us."""
        is_theirs = _is_ours(self._keeper) or link.putter == self._keeper
        return link.inside and is_theirs and self.base is not None and self.at.is_relative_to(self.base)

    def _follow(self, link: Path, owner: int) -> None:
        self._followed += 1
        if self._followed > LINKS_MAX:
            raise OSError
        inside = self.base is not None and link.is_relative_to(self.base)
        self.links += [_Link(link, putter, inside) for putter in self._putters(owner, self.at.stat())]
        self.go(link.readlink())

    def _putters(self, owner: int, folder: os.stat_result) -> set[int]:
        """Who may have put a link there: its owner, those of its folders, and anybody where others may bring ours."""
        us = os.geteuid()
        found = {owner, folder.st_uid, *([self._keeper] if self.base is not None else [])}
        if _is_ours(owner) and folder.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            is_group = folder.st_uid == us  # A group of our own may well be all who share it.
            is_safe = folder.st_mode & stat.S_ISVTX and owner == us  # Nobody has a link of ours that we did not put there.
            if us == 0 or not (is_group or is_safe):
                found.add(ANYBODY)
        elif _is_ours(owner) and self.base is not None and _is_ours(self._keeper) and (us == 0 or self._keeper != us):
            found.add(ANYBODY)
        return {user for user in found if not _is_ours(user)}


def _is_ours(owner: int) -> bool:
    return owner in (0, os.geteuid())
