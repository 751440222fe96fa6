"""A holder that only slept: another run takes over after its time, and what the sleeper still does changes nothing.

Two real processes on the machine's own clock, with leases and calls of less than a second. The first stops itself with SIGSTOP
at one point after another; the second waits in the queue, takes over when the lease has run out, and finishes the work; then
the first wakes up.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fault.crash import Act, Note, Stage, Story, ended, require_same, undisturbed
from tests.support.child import HASTY
from tests.support.points import ASLEEP

if TYPE_CHECKING:
    from tests.support.database_server import DatabaseServer

LAYERS = """
@stack
def main(size: int = 1, color: str = "red", more: bool = False):
    shelf = Shelf("shelf", color=color)
    a = Thing("a", size=size, color=color)
    b = Server("b", text=a.label)
    Book("book", shelf=shelf, text=b.key)
    Probe("ok", of=b)
    if more:
        Thing("bad", text=b.label)
"""
FIRST = (Act("apply"),)
STORIES = {
    "apply": Story(LAYERS, Act("apply")),
    "replace": Story(LAYERS, Act("apply", {"color": "blue"}), FIRST),
    "undo": Story(LAYERS, Act("apply", {"size": 2, "more": True}), FIRST, (("create", "bad"),), "undone"),
    "destroy": Story(LAYERS, Act("destroy"), FIRST),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_sleeper_that_was_followed_does_no_harm(
    name: str, points: Sequence[int], server: DatabaseServer | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    record_property: Note,
) -> None:  # fmt: skip
    """The world equals that of an undisturbed run, no effect happened twice, and what the sleeper would write is refused."""
    story = STORIES[name]
    start = Stage(tmp_path / "stage", story, server)
    expected = undisturbed(start)
    monkeypatch.setenv(HASTY, "0.7")
    for point in points:
        stage = start.copy()
        sleeper = stage.begin(story.act, **{ASLEEP: str(point)})
        _, status = os.waitpid(sleeper.pid, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            sleeper.returncode = os.waitstatus_to_exitcode(status)
            sleeper.communicate()
            break
        result = stage.go_on()
        os.kill(sleeper.pid, signal.SIGCONT)
        told = ended(sleeper)
        if result == "state.locked":  # It sleeps in the middle of a heartbeat's transaction, so that nobody can take over.
            assert told in ("parked", story.result)
            result = stage.go_on()

        where = f"{name}, asleep at point {point}, which then said {told}"
        assert told in ("state.fenced", "state.lease_lost", "state.nothing_to_resume", "parked", story.result), where
        require_same(stage.ending(result), expected, where, record_property)
