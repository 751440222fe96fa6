"""Tells people now and then that a machine has not answered yet: nobody should have to guess what a command waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Self

FIRST_S: Final = 5.0
"""Seconds after which people begin to wonder; machines that answer at all take one or two."""

AGAIN_S: Final = 15.0
"""Seconds between one reminder and the next."""


class Reminder:
    """Reminds until it is stopped, or left.

    Args:
        name: What people call the machine.
        tell: Tells them.
    """

    def __init__(self, name: str, tell: Callable[[str], None]) -> None:
        self._name = name
        self._tell = tell
        self._loop = asyncio.get_running_loop()
        self._began = self._loop.time()
        self._next = self._loop.call_later(FIRST_S, self._remind)

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nobody waits any more."""
        self.stop()

    def stop(self) -> None:
        """There is an answer."""
        self._next.cancel()

    def _remind(self) -> None:
        self._tell(f"waiting {self._name}: no answer for {self._loop.time() - self._began:.0f} s")
        self._next = self._loop.call_later(AGAIN_S, self._remind)
