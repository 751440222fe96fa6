"""What configuring machines must reach, as pure functions of the rows of one run; see `goals.py` for what a verdict means."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from goals import Goal, Rows, Verdict
from rows import Row

STEPS = ("first run", "second run")
BATCHES = (100, 500)
"""Numbers of operations for each machine, beside the usual one, with which a batch must go through at once."""

MANY = 50
"""Hosts at which tools are compared."""

FEW = 10
"""Hosts at which Ansible without Mitogen is measured."""

FLOOR_MAX = 1.5
REQUESTS_MAX = 4
MB_PER_HOST_MAX = 2.0
MEMORY_AT = (10, 200)

FIGURES: dict[str, Callable[[Row], float]] = {"CPU": lambda row: row.cpu, "wall": lambda row: row.wall}


def goals(rows: Sequence[Row]) -> list[Goal]:
    """Every goal, in the order of their promise."""
    found = Rows(rows)
    return [
        *(_floor(found, figure) for figure in FIGURES),
        *(_share(found, "second run", "pyinfra", 6, figure) for figure in FIGURES),
        *(_share(found, "first run", "pyinfra", 4, figure) for figure in FIGURES),
        *(_share(found, "first run", "ansible-mitogen", 15, figure) for figure in FIGURES),
        *(_share(found, "first run", "ansible-tuned", 15, figure, scaled=True) for figure in FIGURES),
        *(_share(found, "first run", "ansible", 15, figure, scaled=True) for figure in FIGURES),
        _requests(rows),
        _memory(found),
    ]


def _floor(rows: Rows, figure: str) -> Goal:
    """Little is added to what connecting and one program cost."""
    name = f"second run on {MANY} hosts: at most {FLOOR_MAX:g} times the floor's {figure}"
    ours, least = (rows.find(tool, "near", "second run", MANY) for tool in ("purvey", "floor"))
    if ours is None or least is None:
        return Goal(name, "not measured")
    mine, other = FIGURES[figure](ours), FIGURES[figure](least)
    return Goal(name, _verdict(mine, FLOOR_MAX * other), f"{mine:.2f} s and {other:.2f} s, which is {mine / other:.2f} times")


def _share(rows: Rows, step: str, peer: str, divisor: float, figure: str, *, scaled: bool = False) -> Goal:
    """Ours costs at most one part in `divisor` of a peer's; `scaled`: of its cost for a host, found with a few, times ours."""
    how = f"{figure} (scaled from {FEW})" if scaled else figure
    name = f"{step} on {MANY} hosts: at most 1/{divisor:g} of {peer}'s {how}"
    ours, theirs = rows.find("purvey", "near", step, MANY), rows.find(peer, "near", step, FEW if scaled else MANY)
    if ours is None or theirs is None:
        return Goal(name, "not measured")
    mine, other = FIGURES[figure](ours), FIGURES[figure](theirs) * (MANY / FEW if scaled else 1)
    return Goal(name, _verdict(mine * divisor, other), f"{mine:.2f} s and {other:.2f} s, which is 1/{other / mine:.1f}")


def _requests(rows: Sequence[Row]) -> Goal:
    name = f"at most {REQUESTS_MAX} requests for each host, whatever the number of operations"
    ours = [row for row in rows if row.tool == "purvey"]
    if not ours:
        return Goal(name, "not measured")
    most: dict[str, int] = {}
    for row in ours:
        what = f"{row.step}, {row.shape}"
        most[what] = max(most.get(what, 0), row.more["requests"])
    return Goal(name, _verdict(max(most.values()), REQUESTS_MAX), "; ".join(f"{what}: {count}" for what, count in most.items()))


def _memory(rows: Rows) -> Goal:
    """What one more host takes, whatever the first ones take."""
    few, many = MEMORY_AT
    name = f"memory: less than {MB_PER_HOST_MAX:g} MB for each host more, from {few} to {many}"
    found = {}
    for step in STEPS:
        less, more = (rows.find("purvey", "near", step, n) for n in MEMORY_AT)
        if less is not None and more is not None:
            found[step] = (more.rss_mb - less.rss_mb) * 1.048576 / (many - few)
    if not found:
        return Goal(name, "not measured")
    told = ", ".join(f"{size:.2f} MB in the {step}" for step, size in found.items())
    return Goal(name, _verdict(max(found.values()), MB_PER_HOST_MAX), told)


def _verdict(figure: float, limit: float) -> Verdict:
    return "met" if figure <= limit else "missed"
