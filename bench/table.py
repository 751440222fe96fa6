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


def host_lines(rows: Sequence[Row], steps: Sequence[str]) -> list[str]:
    """One line for each case: what each run took of the tool's and of the machines' processors, how long, and how it asked."""
    by_case: dict[tuple[str, int, str], dict[str, Row]] = {}
    for row in rows:
        by_case.setdefault((row.shape, row.n, row.tool), {})[row.step] = row
    lines = ["CPU seconds (of the tool + of the hosts), seconds, requests for each host", ""]
    lines.append(
        f"{'':<16}{'hosts':>5}  {'tool':<17}" + "".join(f"{step:^38}" for step in steps) + f"{'most MiB':>10}{'runs':>6}"
    )
    for (shape, n, tool), found in by_case.items():
        cells = "".join(_host_cell(found[step]) for step in steps)
        most, runs = max(row.rss_mb for row in found.values()), min(row.runs for row in found.values())
        lines.append(f"{shape:<16}{n:>5}  {tool:<17}{cells}{most:>10,.0f}{runs:>6}")
    return lines


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


def _host_cell(row: Row) -> str:
    parts = f"({row.more['controller']:.1f} + {row.more['targets']:.1f})"
    return f"{row.cpu:>9.2f} {parts:<15}{row.wall:>8.2f} s{row.more['requests']:>4}"


def _line(head: tuple[str, str, str], cells: Sequence[str]) -> str:
    shape, n, tool = head
    return f"{shape:<12}{n:>9}  {tool:<10}" + "".join(f"{cell:>12}" for cell in cells)
