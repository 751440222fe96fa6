"""How far a run is, from its events: counts, chains, lines for pipes, and a picture for terminals."""

from __future__ import annotations

import io
import random
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from purvey._base.event import (
    Event,
    Message,
    OperationEnded,
    OperationProgress,
    OperationRetried,
    OperationStarted,
    PhaseStarted,
    Planned,
    RunEnded,
    RunStarted,
)
from purvey._report.lines import Lines
from purvey._report.live import Live, headline, operation_rows
from purvey._report.progress import Progress
from tests.support.clock import VirtualClock

NOW = 1_764_000_000.0
Kind = TypeVar("Kind", bound=Event)


def event(kind: type[Kind], **fields: Any) -> Kind:
    """An event of a run."""
    return kind(at=NOW, run="R", **fields)


STARTED = event(RunStarted, stack="shop/dev", verb="apply")
LADDER = event(Planned, operations={"a": (), "b": ("a",), "c": ("b",), "d": ()}, stage=1)


def fold(progress: Progress, *events: Event) -> None:
    """Let events happen."""
    for one in events:
        progress.take(one)


def begun(operation: str) -> OperationStarted:
    """The beginning of an operation."""
    return event(OperationStarted, operation=operation, address=f"files.File::{operation}", verb="create")


def ended(operation: str, result: str = "done", **fields: object) -> OperationEnded:
    """The end of an operation."""
    told = {"address": f"files.File::{operation}", "verb": "create", "seconds": 0.1} | fields
    return event(OperationEnded, operation=operation, result=result, **told)


def retried(operation: str) -> OperationRetried:
    """An attempt that failed."""
    return event(OperationRetried, operation=operation, address=f"files.File::{operation}", attempt=2, code="unavailable",
        detail="connection refused\nmore", again_s=1.5,
    )  # fmt: skip


def waiting(operation: str, text: str) -> OperationProgress:
    """A wait for the world."""
    return event(OperationProgress, operation=operation, address=f"files.File::{operation}", text=text, again_s=1.0)


def test_the_longest_chain_shrinks_as_operations_end() -> None:
    """What remains is told as the longest chain of operations that wait for each other."""
    progress = Progress()
    found = []
    for one in (STARTED, LADDER, ended("d"), ended("a"), ended("b"), ended("c")):
        progress.take(one)
        found.append(progress.chain)

    assert found == [0, 3, 3, 2, 1, 0]
    assert (progress.done, progress.total) == (4, 4)


@given(st.integers(min_value=1, max_value=12), st.randoms(use_true_random=False))
def test_the_longest_chain_is_right_for_any_order(count: int, rng: random.Random) -> None:
    """However the operations are listed, the chain is the longest path through those that are left."""
    needs = {str(n): tuple(str(m) for m in range(n) if rng.random() < 0.4) for n in range(count)}
    names = list(needs)
    rng.shuffle(names)
    progress = Progress()
    progress.take(event(Planned, operations={name: needs[name] for name in names}, stage=1))
    left = set(needs)
    for name in sorted(needs, key=int):
        heights: dict[str, int] = {}
        for other in sorted(left, key=int):
            heights[other] = 1 + max((heights[need] for need in needs[other] if need in left), default=0)
        assert progress.chain == max(heights.values())
        progress.take(ended(name))
        left.discard(name)
    assert progress.chain == 0


def test_a_later_stage_adds_to_the_total() -> None:
    """The operations of each stage count towards one total."""
    progress = Progress()
    for one in (LADDER, ended("a"), LADDER):
        progress.take(one)

    assert (progress.done, progress.total) == (1, 8)


def test_lines_tell_what_ended_and_what_waits_once() -> None:
    """A pipe gets a line with the time for each operation that ends, and one for each new account of a wait."""
    stream = io.StringIO()
    lines = Lines(stream)
    for one in (
        STARTED, event(PhaseStarted, phase="apply", detail="stage 1"), LADDER, begun("a"), waiting("a", "starting"),
        waiting("a", "starting"), retried("a"), ended("a", attempts=2), ended("b", "unchanged"),
        ended("c", "failed", code="denied", detail="no\nmore"), event(Message, level="warning", text="look\x1b out"),
        event(RunEnded, result="undone", seconds=61.0),
    ):  # fmt: skip
        lines.on(one)

    assert [line.removeprefix("2025-11-24T16:00:00Z ") for line in stream.getvalue().splitlines()] == [
        "apply shop/dev, run R",
        "apply",
        "waiting files.File::a: starting",
        "waiting files.File::a: attempt 2 unavailable: connection refused; again in 1.5 s",
        "created files.File::a 0.1 s, 2 attempts",
        "create failed files.File::c 0.1 s: denied: no",
        "warning: look? out",
        "undone in 1 min 01 s",
    ]


def test_a_pipe_that_nobody_reads_does_not_stop_a_run() -> None:
    """When whoever followed the lines has gone, the run goes on."""
    stream = io.StringIO()
    stream.close()

    Lines(stream).on(STARTED)


def test_the_headline_says_how_far_and_how_much_at_least() -> None:
    """The first line of the picture has what was asked, how far it is, the time, and the chain that is left."""
    progress = Progress()
    fold(progress, STARTED, event(PhaseStarted, phase="plan", detail=""))
    before = headline(progress, NOW + 2)
    fold(progress, LADDER, ended("d", "failed"))

    assert before == "apply shop/dev  plan  0:02"
    assert headline(progress, NOW + 75) == "apply shop/dev  1/4 done  1 failed  1:15  at least 3 more in a row"


def test_what_is_in_flight_is_bounded() -> None:
    """However much runs at once, the picture stays a few lines."""
    progress = Progress()
    for number in range(20):
        progress.take(begun(str(number)))
    progress.take(retried("0"))
    rows = list(operation_rows(progress, NOW + 3))

    assert rows[0] == (
        "  ↻ create files.File::0  3.0 s  attempt 2 unavailable: connection refused; again in 1.5 s", "yellow"
    )  # fmt: skip
    assert rows[-1] == ("    and 8 more", "dim")
    assert len(rows) == 13


@pytest.fixture
def terminal() -> Console:
    """A terminal that only remembers."""
    return Console(file=io.StringIO(), force_terminal=True, width=90, color_system=None)


def test_the_picture_leaves_the_lines_of_what_ended(terminal: Console) -> None:
    """When the run is over the picture is gone and what it did stays, each on a line."""
    live = Live(terminal, VirtualClock())
    for one in (STARTED, event(PhaseStarted, phase="apply", detail=""), LADDER, begun("a"), ended("a"), ended("b", "failed")):
        live.on(one)
    live.say("Stopping.")
    live.on(event(RunEnded, result="undone", seconds=1.0))
    live.pause()
    written = terminal.file.getvalue()  # type: ignore[attr-defined]

    assert "created files.File::a 0.1 s" in written
    assert "create failed files.File::b" in written
    assert "Stopping." in written
    assert "\x1b[2K" in written[written.rindex("apply shop/dev") :]  # The last picture is erased.
