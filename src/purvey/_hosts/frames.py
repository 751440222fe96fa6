"""What a program's output says: frames, cut out of the stream as it comes. Pure.

A frame is a line ``NONCE KIND WORDS…`` and the bytes up to the next one. The nonce is random, so that nothing a command prints
can look like a frame.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

BARE: Final = frozenset({"begun", "waiting", "superseded", "left", "mismatch", "interrupted", "code"})
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
        self._rest = b""
        self._open: Frame | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames that are complete with `data`."""
        self._rest += data
        while (start := self._rest.find(self._mark)) >= 0:
            end = self._rest.find(b"\n", start + len(self._mark))
            if end < 0:
                return
            yield from self._finished(self._rest[:start])
            kind, *words = self._rest[start + len(self._mark) : end].decode(errors="replace").split()
            self._rest = self._rest[end + 1 :]
            if kind in BARE:
                yield Frame(kind, tuple(words))
            else:
                self._open = Frame(kind, tuple(words))

    def end(self) -> Iterator[Frame]:
        """The last frame, now that nothing more comes."""
        yield from self._finished(self._rest)
        self._rest = b""

    def _finished(self, data: bytes) -> Iterator[Frame]:
        if self._open is not None:
            yield msgspec.structs.replace(self._open, data=data)
        self._open = None
