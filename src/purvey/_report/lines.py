"""A run as plain lines with the time, for pipes and logs: one line for each operation that ends, and one when it waits."""

from __future__ import annotations

from typing import TextIO

from purvey._base.clock import timestamp
from purvey._base.event import (
    Event,
    Message,
    OperationEnded,
    OperationProgress,
    OperationRetried,
    PhaseStarted,
    RunEnded,
    RunStarted,
)
from purvey._report.progress import note_of
from purvey._report.style import clean
from purvey._report.words import duration, gist, past


class Lines:
    """An observer that writes a line for each event worth one.

    Args:
        stream: Where the lines go; each is flushed, so that whoever follows it sees it at once.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._notes: dict[str, str] = {}

    def on(self, event: Event, /) -> None:
        """Write the event's line, if it has one; a wait that says the same again has none."""
        if isinstance(event, OperationProgress | OperationRetried):
            note = note_of(event)
            if self._notes.get(event.operation) == note:
                return
            self._notes[event.operation] = note
        text = line_of(event)
        if text:
            self._write(f"{timestamp(event.at)[:19]}Z {clean(text)}")

    def _write(self, line: str) -> None:
        try:
            self._stream.write(f"{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # Whoever followed has gone; the run has not.
            return


def line_of(event: Event) -> str:
    """The line of an event without its time; empty for one that people need not see."""
    if isinstance(event, OperationEnded):
        return ended_line(event)
    if isinstance(event, OperationProgress | OperationRetried):
        return f"waiting {event.address}: {note_of(event)}"
    if isinstance(event, PhaseStarted):
        return phase_line(event)
    if isinstance(event, RunStarted):
        return f"{event.verb} {event.stack}, run {event.run}"
    if isinstance(event, Message):
        return event.text if event.level == "info" else f"warning: {event.text}"
    if isinstance(event, RunEnded):
        return f"{event.result} in {duration(event.seconds)}"
    return ""


def phase_line(event: PhaseStarted) -> str:
    """``observe 20 objects``; the first stage is not called so, because most runs have no other."""
    return event.phase if event.detail in ("", "stage 1") else f"{event.phase} {event.detail}"


def ended_line(event: OperationEnded) -> str:
    """``created files.File::motd 0.1 s``; empty for one that changed nothing or never started."""
    if event.result in ("unchanged", "skipped"):
        return ""
    word = past(event.verb) if event.result == "done" else f"{event.verb} {event.result}"
    attempts = f", {event.attempts} attempts" if event.attempts > 1 else ""
    code = "" if event.code in ("failed", "check_failed") else event.code  # The word before says so.
    why = "".join(f": {part}" for part in (code, gist(event.detail)) if part and event.result != "done")
    return f"{word} {event.address} {duration(event.seconds)}{attempts}{why}"
