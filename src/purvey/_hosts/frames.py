"""What a program's output says: frames, cut out of the stream as it comes. Pure.

A frame is a line ``NONCE KIND WORDS…`` and the bytes up to the next one. The nonce is random and no process but the shell knows
it, so that nothing a command prints can look like a frame. A frame that nothing follows is not told, as its end may be missing;
nor is one that only the end of the program follows, which somebody has killed then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

BARE: Final = frozenset({"begun", "busy", "waiting", "superseded", "left", "ready", "over", "mismatch", "interrupted", "code"})
"""Kinds of frame that hold nothing but their words, and are told at once."""


class Frame(msgspec.Struct, frozen=True):
    """One frame."""

    kind: str
    words: tuple[str, ...] = ()
    data: bytes = b""


class Frames:
    """Cuts a stream into frames.

    Args:
        nonce: What begins each frame.
    """

    def __init__(self, nonce: str) -> None:
        self._mark = f"\n{nonce} ".encode()
        self._rest = bytearray()
        self._looked = 0
        self._open: Frame | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with `data`."""
        self._rest += data
        while (start := self._rest.find(self._mark, self._looked)) >= 0:
            self._looked = start
            end = self._rest.find(b"\n", start + len(self._mark))
            if end < 0:
                return
            kind, *words = self._rest[start + len(self._mark) : end].decode(errors="replace").split()
            if self._open is not None and kind != "over":
                yield msgspec.structs.replace(self._open, data=bytes(self._rest[:start]))
            del self._rest[: end + 1]
            self._looked = 0
            self._open = None if kind in BARE else Frame(kind, tuple(words))
            if self._open is None:
                yield Frame(kind, tuple(words))
        self._looked = max(0, len(self._rest) - len(self._mark))
