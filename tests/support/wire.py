"""The way to a machine that is this one, over which every frame is counted, and cut off at one of them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from purvey._hosts.enter import FROM_ROOT, EnteredPipes
from purvey._hosts.shell import Pipes
from tests.support.shells import FRAME, lost

OWN_FOLDER = "/var/lib/purvey"
OWN = (
    "unshare", "--mount", "/bin/sh", "-c",
    f'mkdir -p {OWN_FOLDER} && mount --bind "$1" {OWN_FOLDER} && shift && cd / && exec "$@"', "sh",
)  # fmt: skip
"""Where root keeps purvey's own things on a machine is another folder for whoever comes this way."""


class Wire:
    """See `purvey._hosts.shell.Shell`. What was begun goes on when it is closed.

    Args:
        home: Where purvey keeps its own things there.
        at_frame: Is called for each frame with its pipes, before it is given on.
    """

    lasts = True

    def __init__(self, home: Path, at_frame: Callable[[WirePipes], None]) -> None:
        self._way = FROM_ROOT if os.geteuid() else (*OWN, str(home))
        self._at_frame = at_frame

    def is_queued(self, waiting: int) -> bool:
        """See `Shell.is_queued`."""
        del waiting
        return False

    async def start(self, command: str) -> WirePipes:
        """See `Shell.start`."""
        return WirePipes([*self._way, "/bin/sh", "-c", command], self._at_frame)

    async def park(self, pipes: Pipes) -> None:
        """See `Shell.park`."""
        if not self.lasts:
            await pipes.close()

    def resume(self, pipes: Pipes) -> bool:
        """See `Shell.resume`."""
        return self.lasts and isinstance(pipes, WirePipes) and not pipes.is_cut

    async def close(self) -> None:
        """See `Shell.close`."""


class WirePipes(EnteredPipes):
    """See `purvey._hosts.shell.Pipes`.

    Args:
        argv: The program.
        at_frame: See `Wire`.

    Attributes:
        is_cut: Whether the link is broken: nothing more arrives.
    """

    def __init__(self, argv: list[str], at_frame: Callable[[WirePipes], None]) -> None:
        super().__init__(argv)
        self.is_cut = False
        self._at_frame = at_frame
        self._held = b""

    async def receive(self) -> bytes:
        """See `Pipes.receive`; the bytes of a frame and of those before it are given on at once."""
        self._held = self._held or await super().receive()
        found = FRAME.search(self._held)
        end = len(self._held) if found is None else found.end()
        given, self._held = self._held[:end], self._held[end:]
        if found is not None:
            self._at_frame(self)
        if self.is_cut:
            raise lost()
        return given
