"""What planning and applying cost by themselves, beside Terraform and Alchemy, with resources that do nothing.

Every command is a fresh process. Prints a table and the goals; `--json` prints one object for each row instead.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import own
import peer_runs
from figure import draw
from goals import Goal, goals
from rows import Case, Life, Row, measured
from table import goal_lines, table_lines

TOOLS = ("purvey", "terraform", "alchemy")
SHAPES = ("independent", "layered")

SIZES = (1_000, 10_000, 100_000)

SIZE_MAX = {
    ("purvey", "independent"): 100_000,
    ("purvey", "layered"): 100_000,
    ("terraform", "independent"): 10_000,
    ("terraform", "layered"): 1_000,
    ("alchemy", "independent"): 10_000,
}
"""Up to where each is measured; a pair that is not here is not measured at all. Beyond, a command of a peer takes minutes."""


def main() -> int:
    """Measure what the arguments ask for.

    Returns:
        1 where a goal is missed and `--check` is given; otherwise 0.
    """
    arguments = _parser().parse_args()
    rows: list[Row] = []
    for case in _cases(arguments):
        print(f"{case.tool}, {case.shape}, {case.n:,}", file=sys.stderr)
        for row in measured(case, arguments.runs):
            rows.append(row)
            if arguments.json:
                print(json.dumps(row.document()), flush=True)
    found = goals(rows)
    _tell(rows, found, as_json=arguments.json)
    if arguments.plot:
        arguments.plot.parent.mkdir(parents=True, exist_ok=True)
        arguments.plot.write_text(draw(rows), encoding="utf-8")
    return int(arguments.check and any(goal.verdict == "missed" for goal in found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=_sizes, default=SIZES, help="sizes of the estate, as 1000,10000")
    parser.add_argument("--shapes", type=partial(_names, known=SHAPES), default=SHAPES, help=",".join(SHAPES))
    parser.add_argument("--tools", type=partial(_names, known=TOOLS), default=TOOLS, help=",".join(TOOLS))
    parser.add_argument("--runs", type=int, default=3, help="runs behind each median (default 3)")
    parser.add_argument("--json", action="store_true", help="print one object for each row")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a goal is missed")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the rows as SVG")
    parser.add_argument("--purvey", type=Path, default=own.COMMAND, metavar="FILE", help="the purvey command to measure")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted({int(part.replace("_", "")) for part in text.split(",")}))
    if sizes[0] < 1:
        raise argparse.ArgumentTypeError("a size is at least 1; the empty stack is always measured")
    return sizes


def _names(text: str, *, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if set(names) - set(known):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(known)}")
    return names


def _cases(arguments: argparse.Namespace) -> Iterator[Case]:
    """Everything to run, the quick first, so that a mistake shows early."""
    here = {"purvey": True, "terraform": peer_runs.has_terraform(), "alchemy": peer_runs.has_alchemy()}
    for tool in arguments.tools:
        if not here[tool]:
            print(f"{tool} is left out: it is not installed; `make bench` installs it", file=sys.stderr)
    tools = [tool for tool in arguments.tools if here[tool]]
    yield from peer_runs.start_cases(arguments.purvey, frozenset(tools))
    if "purvey" in tools:
        yield Case("purvey", "empty", 0, partial(own.live, "independent", 0, arguments.purvey))
    for n in arguments.n:
        for shape in arguments.shapes:
            for tool in tools:
                if n <= SIZE_MAX.get((tool, shape), 0):
                    yield Case(tool, shape, n, _life(tool, shape, n, arguments.purvey))


def _life(tool: str, shape: str, n: int, command: Path) -> Callable[[], Life]:
    if tool == "purvey":
        return partial(own.live, shape, n, command)
    if tool == "terraform":
        return partial(peer_runs.terraform_life, shape, n)
    return partial(peer_runs.alchemy_life, n)


def _tell(rows: list[Row], found: list[Goal], *, as_json: bool) -> None:
    """The table and the goals; where rows were printed as JSON only the goals, apart from them."""
    if as_json:
        print(*goal_lines(found), sep="\n", file=sys.stderr)
    else:
        print(*table_lines(rows), "", *goal_lines(found), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
