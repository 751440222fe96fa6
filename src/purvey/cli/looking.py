"""What a command that changes nothing is at, for people who wait: nothing where it is quick."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from purvey._base.event import Event, Message, PhaseStarted
from purvey._report.lines import Lines

QUIET_S: Final = 2.0
"""Seconds in which nobody wonders what a command does."""


class Looking:
    """An observer that tells, on standard error, what the command is at, once that takes its time."""

    def __init__(self) -> None:
        self._lines = Lines(sys.stderr)
        self._held: list[Event] = []
        self._is_late = False
        self._turn = threading.Lock()

    def on(self, event: Event, /) -> None:
        """Tell it, or keep it until the command takes its time."""
        if not isinstance(event, PhaseStarted | Message):
            return
        with self._turn:
            if self._is_late:
                self._lines.on(event)
            else:
                self._held.append(event)

    def late(self) -> None:
        """From here on people wonder."""
        with self._turn:
            self._is_late = True
            for event in self._held:
                self._lines.on(event)


@contextmanager
def looking() -> Iterator[Looking]:
    """An observer for as long as the block lasts."""
    found = Looking()
    timer = threading.Timer(QUIET_S, found.late)
    timer.daemon = True
    timer.start()
    try:
        yield found
    finally:
        timer.cancel()
