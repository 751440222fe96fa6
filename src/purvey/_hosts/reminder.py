"""Tells people now and then that a machine has not answered yet: nobody should have to guess what a command waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

FIRST_S: Final = 5.0
"""Seconds after which people begin to wonder; machines that answer at all take one or two."""

AGAIN_S: Final = 15.0
"""Seconds between one reminder and the next."""


class Reminder:
    """Reminds as long as somebody waits for a machine, however many do.

    Args:
        name: What people call the machine.
        tell: Tells them.
        is_queued: Whether the machine was not asked yet for anything that so many wait for: it is no wonder that it is silent.
    """

    def __init__(self, name: str, tell: Callable[[str], None], is_queued: Callable[[int], bool] = lambda _: False) -> None:
        self._name = name
        self._tell = tell
        self._is_queued = is_queued
        self._waiting = 0
        self._began = 0.0
        self._next: asyncio.TimerHandle | None = None

    @contextmanager
    def waiting(self) -> Iterator[Callable[[], None]]:
        """Somebody waits: until it leaves, or calls what it gets, because there is an answer."""
        is_over = False

        def over() -> None:
            nonlocal is_over
            if not is_over:
                is_over = True
                self._end()

        def answered() -> None:
            """There is an answer: a machine that answers one keeps the others waiting from then on only."""
            over()
            if self._next is not None:
                self._next.cancel()
                self._time(asyncio.get_running_loop())

        self._begin()
        try:
            yield answered
        finally:
            over()

    def _begin(self) -> None:
        self._waiting += 1
        if self._next is None:
            self._time(asyncio.get_running_loop())

    def _time(self, loop: asyncio.AbstractEventLoop) -> None:
        self._began = loop.time()
        self._next = loop.call_later(FIRST_S, self._remind, loop)

    def _end(self) -> None:
        self._waiting -= 1
        if not self._waiting and self._next is not None:
            self._next.cancel()
            self._next = None

    def _remind(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._is_queued(self._waiting):
            self._time(loop)
            return
        self._tell(f"waiting {self._name}: no answer for {loop.time() - self._began:.0f} s")
        self._next = loop.call_later(AGAIN_S, self._remind, loop)
