"""What configuring machines costs, beside pyinfra and Ansible, and beside the least that it can cost.

Every tool brings the same machines (an OpenSSH server for each, on the loopback network) by the same 18 operations from one
start to one end, and then finds nothing more to do; what is on the machines is looked at after each run. They work on the
same processors as the tool. Prints a table and the goals; `--json` prints one object for each row instead.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import own
from farm import SSHD, Farm
from figure import HOSTS, draw
from goals import Goal
from host_goals import BATCHES, STEPS, goals
from host_tools import Purvey, Tool, has_peers, hosts_bench, tool_of
from peer_runs import common
from rows import Case, Figures, Life, Row, measured
from table import goal_lines, host_lines

HOSTS_MAX = {"floor": 200, "purvey": 200, "pyinfra": 200, "ansible-mitogen": 50, "ansible-tuned": 10, "ansible": 10}
"""Up to how many hosts each is measured; beyond, a run of Ansible takes many minutes."""

SIZES = (1, 10, 50, 200)
FAR_HOSTS = 10
FAR_MS = 50.0
LIMIT_S = 1_800.0


def main() -> int:
    """Measure what the arguments ask for.

    Returns:
        1 where a goal is missed and `--check` is given; otherwise 0.
    """
    arguments = _parser().parse_args()
    if os.geteuid() or not Path(SSHD).exists():
        sys.exit(f"This needs root, and {SSHD}:\n  apt install openssh-server")
    rows: list[Row] = []
    for case in _cases(arguments):
        print(f"{case.tool}, {case.shape}, {case.n} hosts", file=sys.stderr)
        for row in measured(case, arguments.runs):
            rows.append(row)
            if arguments.json:
                print(json.dumps(row.document()), flush=True)
    found = goals(rows)
    _tell(rows, found, as_json=arguments.json)
    if arguments.plot:
        arguments.plot.parent.mkdir(parents=True, exist_ok=True)
        arguments.plot.write_text(draw(rows, HOSTS), encoding="utf-8")
    return int(arguments.check and any(goal.verdict == "missed" for goal in found))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=_sizes, default=SIZES, help="numbers of hosts, as 1,10 (at most 200)")
    parser.add_argument("--tools", type=_tools, default=tuple(HOSTS_MAX), help=",".join(HOSTS_MAX))
    parser.add_argument("--runs", type=int, default=3, help="runs behind each median (default 3)")
    parser.add_argument("--json", action="store_true", help="print one object for each row")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a goal is missed")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the rows as SVG")
    parser.add_argument("--purvey", type=Path, default=own.COMMAND, metavar="FILE", help="the purvey command to measure")
    return parser


def _sizes(text: str) -> tuple[int, ...]:
    sizes = tuple(sorted({int(part) for part in text.split(",")}))
    if not 1 <= sizes[0] <= sizes[-1] <= max(SIZES):
        raise argparse.ArgumentTypeError(f"choose from 1 to {max(SIZES)}")
    return sizes


def _tools(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    if set(names) - set(HOSTS_MAX):
        raise argparse.ArgumentTypeError(f"choose from {', '.join(HOSTS_MAX)}")
    return names


def _cases(arguments: argparse.Namespace) -> Iterator[Case]:
    """Everything to run, the quick first; the hosts of a case are up until the next one is asked for."""
    labels = [label for label in HOSTS_MAX if label in arguments.tools]
    if not has_peers():
        labels = [label for label in labels if label in ("floor", "purvey")]
        print("only the floor and purvey are measured: `make bench-hosts` installs the others", file=sys.stderr)
    for n in arguments.hosts:
        with tempfile.TemporaryDirectory(prefix="purvey-bench-") as name, Farm(Path(name) / "farm", n) as farm:
            tools = [tool_of(label, arguments.purvey) for label in labels if n <= HOSTS_MAX[label]]
            for tool in tools:
                yield _case(tool, "near", farm)
            if n == min(arguments.hosts) and "purvey" in labels:
                for operations in BATCHES:
                    yield _case(Purvey(arguments.purvey, operations), f"{operations} operations", farm)
            if n == FAR_HOSTS:
                with farm.far(FAR_MS) as far:
                    for tool in tools:
                        yield _case(tool, "far", far)


def _case(tool: Tool, shape: str, farm: Farm) -> Case:
    return Case(tool.label, shape, len(farm.hosts), partial(_live, tool, farm))


def _live(tool: Tool, farm: Farm) -> Life:
    """Configure fresh machines, and then again.

    Raises:
        SystemExit: if a command fails.
        AssertionError: if a machine is not as it must be, or the second run has touched one.
    """
    with tempfile.TemporaryDirectory(prefix="purvey-bench-") as name:
        work = Path(name)
        targets = {host: work / "hosts" / host for host in farm.hosts}
        for folder in targets.values():
            hosts_bench.prepare(folder)
        before: dict[Path, tuple[int, int]] = {}
        for step in STEPS:
            asked = farm.requests()
            sample = common.must(hosts_bench.run_once(tool, work, targets, farm, apt=False, timeout=LIMIT_S))
            tool.check(sample.out, len(targets), step == STEPS[0])
            for folder in targets.values():
                hosts_bench.verify(folder)
            stamps = hosts_bench.stamps(list(targets.values()))
            assert step == STEPS[0] or stamps == before, "the second run has changed files"
            before = stamps
            yield step, _figures(sample, farm.requests() - asked, tool)
            time.sleep(1)  # For what is still on its way to the disk.


def _figures(sample: Any, requests: int, tool: Tool) -> Figures:
    """What is compared is what the tool and the machines take together."""
    more = {"controller": sample.cpu, "targets": sample.extra["target_cpu"], "requests": requests, "version": tool.version}
    return Figures(sample.extra["cpu_all"], sample.wall, sample.rss_mb, {**more, "tree_mb": sample.pss_mb})


def _tell(rows: list[Row], found: list[Goal], *, as_json: bool) -> None:
    """The table and the goals; where rows were printed as JSON only the goals, apart from them."""
    if as_json:
        print(*goal_lines(found), sep="\n", file=sys.stderr)
    else:
        print(*host_lines(rows, STEPS), "", *goal_lines(found), sep="\n")


if __name__ == "__main__":
    sys.exit(main())
