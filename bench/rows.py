"""What a measurement is: the figures of one command, and the row that stands for its runs.

CPU seconds are compared, never wall time: on a machine that others use too, wall time is mostly waiting for a core.
"""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

STEPS = ("plan first", "apply", "plan no-op", "one change", "destroy")
"""One life of an estate, in order."""

LONG_S = 120.0
"""A case in which one command takes longer than this is run once."""

QUICK_S = 5.0
"""A life shorter than this is run `QUICK_TIMES` as often: what is looked at is the small difference of two small figures."""

QUICK_TIMES = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """What one command took.

    Attributes:
        cpu: CPU seconds, user and system, of the process and of all its children.
        wall: Seconds from start to end.
        rss_mb: Resident memory of its largest process, in MiB.
        more: Figures that only some tools have.
    """

    cpu: float
    wall: float
    rss_mb: float
    more: dict[str, Any] = field(default_factory=dict)


Life = Iterator[tuple[str, Figures]]
"""The steps of one life as they happen, each in a fresh process."""


@dataclass(frozen=True, slots=True)
class Case:
    """One tool on one estate.

    Attributes:
        tool: Whose commands are run.
        shape: How the objects depend on each other.
        n: How many objects there are.
        live: Runs one life.
    """

    tool: str
    shape: str
    n: int
    live: Callable[[], Life]


@dataclass(frozen=True, slots=True)
class Row:
    """The median of a step's runs.

    Attributes:
        tool: Whose command.
        shape: ``independent``, ``layered``, ``empty``, or ``start-up``.
        step: One of `STEPS`, or ``version``.
        n: How many objects there are.
        cpu: CPU seconds, user and system.
        wall: Seconds.
        rss_mb: Resident memory in MiB.
        runs: How many runs the median is of.
        more: Figures that only some rows have; counts are of the last run.
    """

    tool: str
    shape: str
    step: str
    n: int
    cpu: float
    wall: float
    rss_mb: float
    runs: int
    more: dict[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The row as one flat object."""
        return {
            "tool": self.tool, "shape": self.shape, "step": self.step, "n": self.n, "cpu": self.cpu, "wall": self.wall,
            "rss_mb": self.rss_mb, "runs": self.runs, **self.more,
        }  # fmt: skip


def measured(case: Case, runs: int) -> list[Row]:
    """A case's rows, one for each step.

    Args:
        case: What to run.
        runs: How many lives; one where a command takes longer than `LONG_S`, more where all are quick.
    """
    got: dict[str, list[Figures]] = {}
    lived = 0
    while lived < runs:
        walls = []
        for step, figures in case.live():
            got.setdefault(step, []).append(figures)
            walls.append(figures.wall)
        lived += 1
        if max(walls, default=0.0) > LONG_S:
            break
        if lived == 1 and runs > 1 and sum(walls) < QUICK_S:
            runs *= QUICK_TIMES
    return [_row(case, step, figures) for step, figures in got.items()]


def _row(case: Case, step: str, figures: Sequence[Figures]) -> Row:
    cpu = [item.cpu for item in figures]
    spread = {"cpu_min": min(cpu), "cpu_max": max(cpu), "load1": os.getloadavg()[0]}
    return Row(
        case.tool, case.shape, step, case.n, _median(cpu), _median([item.wall for item in figures]),
        _median([item.rss_mb for item in figures]), len(figures), _middle([item.more for item in figures]) | _rounded(spread),
    )  # fmt: skip


def _median(values: Sequence[float]) -> float:
    """To the millisecond, which is more than a run repeats."""
    return round(statistics.median(values), 3)


def _middle(more: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The median of what is a fraction; of the last run what is a count or a name."""
    last = more[-1]
    return {name: _median([item[name] for item in more]) if isinstance(last[name], float) else last[name] for name in last}


def _rounded(more: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 3) if isinstance(value, float) else value for name, value in more.items()}
