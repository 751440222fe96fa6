"""The rows and the goals as lines of text."""

from __future__ import annotations

from collections.abc import Sequence

from goals import Goal
from rows import STEPS, Row

_WIDTHS = (12, 9, 10)


def table_lines(rows: Sequence[Row]) -> list[str]:
    """One line for each estate and tool: the CPU seconds of each step, and the most memory that one took."""
    by_case: dict[tuple[str, int, str], dict[str, Row]] = {}
    for row in rows:
        by_case.setdefault((row.shape, row.n, row.tool), {})[row.step] = row
    lines = ["CPU seconds, user and system", "", _line(("shape", "n", "tool"), [*STEPS, "most MiB", "runs"])]
    starts = []
    for (shape, n, tool), found in by_case.items():
        if "version" in found:
            starts.append(f"{tool} version: {found['version'].cpu:.3f} s")
            continue
        cells = [_cell(found.get(step)) for step in STEPS]
        most = max(row.rss_mb for row in found.values())
        runs = min(row.runs for row in found.values())
        lines.append(_line((shape, f"{n:,}", tool), [*cells, f"{most:,.0f}", str(runs)]))
    return [*lines, "", *starts] if starts else lines


def goal_lines(goals: Sequence[Goal]) -> list[str]:
    """One line for each goal, and the sum."""
    lines = [f"{goal.verdict:<12}  {goal.name}" + (f": {goal.found}" if goal.found else "") for goal in goals]
    missed = sum(goal.verdict == "missed" for goal in goals)
    met = sum(goal.verdict == "met" for goal in goals)
    return [*lines, "", f"{met} goals met, {missed} missed, {len(goals) - met - missed} not measured."]


def _cell(row: Row | None) -> str:
    if row is None:
        return "-"
    return f"{row.cpu:.2f}*" if row.more.get("seeded") else f"{row.cpu:.2f}"


def _line(head: tuple[str, str, str], cells: Sequence[str]) -> str:
    shape, n, tool = head
    return f"{shape:<12}{n:>9}  {tool:<10}" + "".join(f"{cell:>12}" for cell in cells)
