"""A run on a terminal: a line for each operation that has ended, and below them what is in flight, kept up to date.

The engine's thread only notes events; a thread of its own draws, ten times a second, so that a fast run is not slowed by its
picture. Only this module imports rich, and only a terminal imports this module.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Final

from rich.console import Console, Group
from rich.live import Live as Screen
from rich.spinner import Spinner
from rich.text import Text

from purvey._base.clock import Clock
from purvey._base.event import Event, Message, OperationEnded, PhaseStarted, RunEnded
from purvey._report.lines import ended_line, line_of
from purvey._report.progress import Progress, Running
from purvey._report.style import clean
from purvey._report.words import clock_face, duration

ROWS_MAX: Final = 12
"""Operations in flight that are listed; those that run longest come first."""

REFRESH_S: Final = 0.1

_STYLES: Final = {"done": "green", "failed": "bold red", "parked": "yellow"}


class Live:
    """An observer that draws.

    Args:
        console: The terminal.
        clock: Tells how long things have taken.
    """

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console = console
        self._clock = clock
        self._progress = Progress()
        self._ended: list[Text] = []
        self._lock = threading.RLock()  # A signal may come while this thread holds it, and has something to say.
        self._spinner = Spinner("dots", style="cyan")
        self._screen: Screen | None = None
        self._quiet = threading.Event()
        self._drawer: threading.Thread | None = None
        self._paused_at: float | None = None

    def on(self, event: Event, /) -> None:
        """Take an event into account; the picture appears with the first phase and goes with the run's end."""
        with self._lock:
            self._progress.take(event)
            self._note(event)
        if isinstance(event, RunEnded):
            self.pause()
        elif isinstance(event, PhaseStarted):
            self.go_on()
        elif isinstance(event, Message) and self._screen is None:
            self._flush()

    def say(self, text: str) -> None:
        """Show a sentence above the picture."""
        with self._lock:
            self._ended.append(Text(clean(text), style="yellow"))

    def pause(self) -> None:
        """Take the picture away, so that a person can be asked; idempotent."""
        if self._screen is None:
            return
        self._quiet.set()
        if self._drawer is not None:
            self._drawer.join()
        self._flush()
        self._screen.stop()
        self._screen = None
        self._paused_at = self._clock.now()

    def go_on(self) -> None:
        """Show the picture; idempotent."""
        if self._screen is not None:
            return
        if self._paused_at is not None:  # The time in which a person thinks is not the run's.
            self._progress.started += self._clock.now() - self._paused_at
        self._quiet.clear()
        self._screen = Screen(
            console=self._console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False
        )
        self._screen.start()
        self._draw()
        self._drawer = threading.Thread(target=self._keep_drawing, name="purvey-live", daemon=True)
        self._drawer.start()

    def _note(self, event: Event) -> None:
        if isinstance(event, OperationEnded):
            text = ended_line(event)
            if text:
                self._ended.append(Text(clean(text), style=_STYLES.get(event.result, "")))
        elif isinstance(event, Message):
            self.say(line_of(event))

    def _keep_drawing(self) -> None:
        while not self._quiet.wait(REFRESH_S):
            self._flush()
            self._draw()

    def _flush(self) -> None:
        with self._lock:
            ended, self._ended = self._ended, []
        if ended:
            self._console.print(Text("\n").join(ended), soft_wrap=True)

    def _draw(self) -> None:
        with self._lock:
            picture = self._picture()
        if self._screen is not None:
            self._screen.update(picture, refresh=True)

    def _picture(self) -> Group:
        now, progress = self._clock.now(), self._progress
        self._spinner.update(text=Text(headline(progress, now), style="bold", overflow="ellipsis", no_wrap=True))
        rows = list(operation_rows(progress, now))
        return Group(self._spinner, *(Text(text, style, overflow="ellipsis", no_wrap=True) for text, style in rows))


def headline(progress: Progress, now: float) -> str:
    """``apply shop/dev  12/30 done  1 failed  0:14  at least 5 more in a row``."""
    parts = [progress.title]
    if progress.total:
        parts.append(f"{progress.done}/{progress.total} done")
        parts += [f"{progress.failed} failed"] if progress.failed else []
    else:
        parts.append(progress.phase)
    parts.append(clock_face(max(0.0, now - progress.started)))
    if progress.chain > 1:
        parts.append(f"at least {progress.chain} more in a row")
    return "  ".join(part for part in parts if part)


def operation_rows(progress: Progress, now: float) -> Iterator[tuple[str, str]]:
    """What is in flight, longest first, as (text, style)."""
    for running in islice(progress.running.values(), ROWS_MAX):
        yield clean(_row(running, now)), "yellow" if running.retried else ""
    more = len(progress.running) - ROWS_MAX
    if more > 0:
        yield f"    and {more} more", "dim"


def _row(running: Running, now: float) -> str:
    sign = "↻" if running.retried else "▸"
    took = duration(max(0.0, now - running.since))
    return f"  {sign} {running.verb} {running.address}  {took}" + (f"  {running.note}" if running.note else "")
