"""How a run is watched and stopped: a live picture on a terminal, plain lines elsewhere, and what Ctrl-C means."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final, NoReturn, Protocol

from purvey._base.clock import SystemClock
from purvey._base.event import Event, Observer, RunStarted
from purvey._report.document import error_document, to_json
from purvey._report.lines import Lines
from purvey.cli.failure import EXIT_INTERRUPTED, left_at_once
from purvey.cli.screen import Screen

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR: Final = b"\x1b[?25h"


class _Picture(Observer, Protocol):
    def say(self, text: str) -> None:
        """Show a sentence."""

    def pause(self) -> None:
        """Take the picture away."""


class Watch:
    """An observer that shows a run, and remembers its id.

    Args:
        screen: Where the run is shown.

    Attributes:
        run: The id of the run, once it has one.
    """

    def __init__(self, screen: Screen) -> None:
        self.run = ""
        self._as_json = screen.as_json
        self._live = _live(screen) if screen.is_terminal and not screen.as_json else None
        self._inner: Observer = self._live or Lines(screen.stream)

    def on(self, event: Event, /) -> None:
        """Show an event."""
        if isinstance(event, RunStarted):
            self.run = event.run
        self._inner.on(event)

    def pause(self) -> None:
        """Take a live picture away, if there is one."""
        if self._live is not None:
            self._live.pause()

    @contextmanager
    def stopped_by_signals(self, interrupt: Callable[[], int], program: Sequence[str]) -> Iterator[None]:
        """Meanwhile, Ctrl-C and SIGTERM ask the run to stop; a second one leaves at once.

        Args:
            interrupt: Notes one, and returns how many there were.
            program: How purvey is called for this project.
        """

        def handle(_number: int, _frame: FrameType | None) -> None:
            if interrupt() > 1:
                self._leave(program)
            self._say("Stopping: nothing new is started, what is in flight is finished. Once more leaves at once.")

        before = [signal.signal(number, handle) for number in _SIGNALS]
        try:
            yield
        finally:
            for number, handler in zip(_SIGNALS, before, strict=True):
                signal.signal(number, handler)

    def _say(self, text: str) -> None:
        if self._live is not None:
            self._live.say(text)
        else:  # Past every buffer, because the signal may have come in the middle of a write.
            os.write(sys.stderr.fileno(), f"{text}\n".encode())

    def _leave(self, program: Sequence[str]) -> NoReturn:
        """End the process without another step; the journal holds what was in flight, and no thread is waited for."""
        if self._live is not None:
            os.write(sys.stdout.fileno(), _SHOW_CURSOR + b"\n")
        advice = shlex.join([*program, *(["resume", self.run] if self.run else ["runs"])])
        os.write(sys.stderr.fileno(), f"\nLeft at once. What was in flight is settled by\n\n    {advice}\n".encode())
        if self._as_json:  # The command's own document comes after these signals are taken, so it was not written yet.
            with suppress(OSError):
                os.write(sys.stdout.fileno(), to_json(error_document(left_at_once(self.run, advice))).encode())
        os._exit(EXIT_INTERRUPTED)


def _live(screen: Screen) -> _Picture:
    from rich.console import Console  # noqa: PLC0415 - only a terminal pays for rich.

    from purvey._report.live import Live  # noqa: PLC0415

    return Live(Console(file=screen.stream), SystemClock())
