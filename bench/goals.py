"""What the engine must reach, as pure functions of the rows of one run.

A goal whose rows are missing is not measured; it is neither met nor missed, and is listed as such.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rows import STEPS, Row

LAYERED_MAX = 1.2
FLAT_MAX = 1.3
ONE_CHANGE_MAX = 1.05
BYTES_MAX = 1.1
FLAT_FROM = 1_000
LARGEST = 100_000
LARGEST_CPU_S = 12.0
LARGEST_RSS_MB = 1_000.0

Verdict = Literal["met", "missed", "not measured"]


@dataclass(frozen=True, slots=True)
class Goal:
    """One goal and how the rows stand to it.

    Attributes:
        name: What is wanted.
        verdict: Whether it is reached.
        found: The figures behind the verdict.
    """

    name: str
    verdict: Verdict
    found: str = ""


class Rows:
    """The rows of one run, looked up by what they are about."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = {(row.tool, row.shape, row.step, row.n): row for row in rows}

    def find(self, tool: str, shape: str, step: str, n: int) -> Row | None:
        """A row; None where it was not measured."""
        return self._rows.get((tool, shape, step, n))

    def ours(self, shape: str, step: str) -> list[Row]:
        """Our rows of a step, small estates first."""
        found = (row for row in self._rows.values() if (row.tool, row.shape, row.step) == ("purvey", shape, step))
        return sorted(found, key=lambda row: row.n)


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Every goal, in the order of their promise."""
    found = Rows(rows)
    return [
        _share(found, "no-op plan of 10,000", "plan no-op", 10_000, "terraform", 15),
        _share(found, "no-op plan of 10,000", "plan no-op", 10_000, "alchemy", 2),
        _share(found, "durable apply of 1,000", "apply", 1_000, "terraform", 20),
        _share(found, "durable apply of 1,000", "apply", 1_000, "alchemy", 3),
        *(_layered(found, step) for step in STEPS),
        *(_flat(found, step) for step in STEPS),
        _one_change(found),
        _largest(found, "CPU s", LARGEST_CPU_S, lambda row: row.cpu),
        _largest(found, "MB", LARGEST_RSS_MB, lambda row: row.rss_mb * 1.048576),
        _constant("store bytes for each operation of an apply", _store_growth(found)),
        _constant("journal bytes of one change", _journal_growth(found)),
        _share(found, "start-up", "version", 0, "terraform", 2, shape="start-up"),
    ]


def _share(rows: Rows, what: str, step: str, n: int, peer: str, divisor: float, *, shape: str = "independent") -> Goal:
    """Ours costs at most one part in `divisor` of a peer's."""
    name = f"{what}: at most 1/{divisor} of {peer.capitalize()}'s CPU"
    ours, theirs = rows.find("purvey", shape, step, n), rows.find(peer, shape, step, n)
    if ours is None or theirs is None:
        return Goal(name, "not measured")
    found = f"{ours.cpu:.2f} s and {theirs.cpu:.2f} s, which is 1/{theirs.cpu / ours.cpu:.1f}"
    return Goal(name, _verdict(ours.cpu * divisor, theirs.cpu), found)


def _layered(rows: Rows, step: str) -> Goal:
    """Dependencies cost little."""
    name = f"layered, {step}: at most {LAYERED_MAX} times independent"
    pairs = [(row, rows.find("purvey", "independent", step, row.n)) for row in rows.ours("layered", step)]
    return _worst(name, {row.n: row.cpu / other.cpu for row, other in pairs if other is not None}, LAYERED_MAX)


def _flat(rows: Rows, step: str) -> Goal:
    """A node costs the same in a small estate and in a large one; what an empty stack costs is taken off."""
    name = f"cost of a node, {step}: flat from {FLAT_FROM:,} to {LARGEST:,} within {FLAT_MAX} times"
    empty = rows.find("purvey", "empty", step, 0)
    if empty is None:
        return Goal(name, "not measured")
    sizes = [row for row in rows.ours("independent", step) if row.n >= FLAT_FROM]
    costs = {row.n: (row.cpu - empty.cpu) / row.n * 1e6 for row in sizes}
    found = ", ".join(f"{cost:.0f} us at {n:,}" for n, cost in costs.items())
    if not {FLAT_FROM, LARGEST} <= set(costs):
        return Goal(name, "not measured", found)
    least = min(costs.values())
    return Goal(name, "missed" if least <= 0 else _verdict(max(costs.values()), FLAT_MAX * least), found)


def _one_change(rows: Rows) -> Goal:
    """One change costs what looking costs."""
    name = f"one change at {LARGEST:,}: at most {ONE_CHANGE_MAX} times a no-op plan"
    ours, plan = (rows.find("purvey", "independent", step, LARGEST) for step in ("one change", "plan no-op"))
    if ours is None or plan is None:
        return Goal(name, "not measured")
    found = f"{ours.cpu:.2f} s and {plan.cpu:.2f} s, which is {ours.cpu / plan.cpu:.2f} times"
    return Goal(name, _verdict(ours.cpu, ONE_CHANGE_MAX * plan.cpu), found)


def _largest(rows: Rows, unit: str, limit: float, figure: Callable[[Row], float]) -> Goal:
    name = f"no-op plan of {LARGEST:,}: under {limit:,.0f} {unit}"
    row = rows.find("purvey", "independent", "plan no-op", LARGEST)
    if row is None:
        return Goal(name, "not measured")
    return Goal(name, _verdict(figure(row), limit), f"{figure(row):,.1f} {unit}")


def _store_growth(rows: Rows) -> Iterator[tuple[int, float]]:
    """By size of the estate, what the store grew by for each object made; an empty store is taken off."""
    empty = rows.find("purvey", "empty", "apply", 0)
    for row in rows.ours("independent", "apply"):
        if empty is not None:
            yield row.n, (row.more["store_bytes"] - empty.more["store_bytes"]) / row.n


def _journal_growth(rows: Rows) -> Iterator[tuple[int, float]]:
    """By size of the estate, what one change added to the journal."""
    for row in rows.ours("independent", "one change"):
        before = rows.find("purvey", "independent", "apply", row.n)
        if before is not None:
            yield row.n, row.more["journal_bytes"] - before.more["journal_bytes"]


def _constant(what: str, growth: Iterator[tuple[int, float]]) -> Goal:
    """A figure does not depend on the size of the estate."""
    name = f"{what}: constant within {BYTES_MAX} times"
    sizes = {n: size for n, size in growth if n >= FLAT_FROM}
    if len(sizes) < 2:
        return Goal(name, "not measured")
    found = ", ".join(f"{size:,.0f} at {n:,}" for n, size in sizes.items())
    return Goal(name, _verdict(max(sizes.values()), BYTES_MAX * min(sizes.values())), found)


def _worst(name: str, ratios: dict[int, float], limit: float) -> Goal:
    if not ratios:
        return Goal(name, "not measured")
    found = ", ".join(f"{ratio:.2f} at {n:,}" for n, ratio in ratios.items())
    return Goal(name, _verdict(max(ratios.values()), limit), found)


def _verdict(figure: float, limit: float) -> Verdict:
    return "met" if figure <= limit else "missed"
