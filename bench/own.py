"""One life of an estate under purvey: a script in a folder of its own, and the command that people type."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path
from typing import Any

from peer_runs import common
from rows import STEPS, Figures, Life

COMMAND = Path(sys.executable).with_name("purvey")
"""The command of the environment that this runs in, so that all tools run under the same Python."""

INDEPENDENT = """\
from null_kind import Null
from purvey import stack

@stack
def bench() -> None:
    for number in range({n}):
        Null(f"r{{number}}", value=f"v{{number}}" + "x" * (number == {changed}))
"""

LAYERED = """\
from null_kind import Null
from purvey import stack

@stack
def bench() -> None:
    nodes = []
    for number in range({n}):
        value = f"v{{number}}" + "x" * (number == {changed})
        if number >= 10:
            layer, column = divmod(number - 10, 10)
            value = f"{{value}},{{nodes[layer * 10 + column].id}},{{nodes[layer * 10 + (column + 1) % 10].id}}"
        nodes.append(Null(f"r{{number}}", value=value))
"""

ARGUMENTS = {
    "plan first": ("plan", "--exit-code"),
    "apply": ("apply", "--yes"),
    "plan no-op": ("plan", "--exit-code"),
    "one change": ("apply", "--yes"),
    "destroy": ("destroy", "--yes"),
}


def source(shape: str, n: int, *, changed: int | None = None) -> str:
    """A script that declares `n` nodes.

    Args:
        shape: ``layered``: layers of ten, each node reads two of the layer before; otherwise nobody depends on anybody.
        n: How many.
        changed: The number of the node whose value is another than before.
    """
    text = LAYERED if shape == "layered" else INDEPENDENT
    return text.format(n=n, changed=-1 if changed is None else changed)


def live(shape: str, n: int, command: Path) -> Life:
    """Run one life.

    Args:
        shape: See `source`.
        n: How many nodes.
        command: The purvey to measure.

    Raises:
        SystemExit: if a command does not end as it must, or does not leave the objects that it must.
    """
    with tempfile.TemporaryDirectory(prefix="purvey-bench-") as name:
        folder = Path(name)
        script = folder / "estate.py"
        shutil.copy(Path(__file__).with_name("null_kind.py"), folder)
        (folder / "purvey.toml").touch()
        script.write_text(source(shape, n))
        for step in STEPS:
            if step == "one change":
                script.write_text(source(shape, n, changed=n - 1 if shape == "layered" else 0))
            sample = _run(command, step, script, n)
            yield step, Figures(sample.cpu, sample.wall, sample.rss_mb, _kept(folder, step, n))


def _run(command: Path, step: str, script: Path, n: int) -> Any:
    """One command in a fresh process, with nothing of the user's own settings."""
    own = {name: value for name, value in os.environ.items() if name.startswith("PURVEY_")}
    environment = common.clean_env(XDG_DATA_HOME=str(script.parent / "data"))
    verb, *options = ARGUMENTS[step]
    argv = [str(command), verb, str(script), "-e", "dev", *options]
    clean = {name: value for name, value in environment.items() if name not in own}
    sample = common.measure(argv, cwd=str(script.parent), env=clean, timeout=1800.0)
    expected = 2 if step == "plan first" and n else 0
    if sample.rc != expected:
        sys.exit(f"{' '.join(argv)} ended with {sample.rc}, not {expected}\n{sample.out[-3000:]}")
    return sample


def _kept(folder: Path, step: str, n: int) -> dict[str, Any]:
    """What the store holds after a step, read without changing it: the objects are counted, so that no step can cheat."""
    path = folder / ".purvey" / "state.db"
    if not path.exists():
        return {}
    store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    try:
        [objects] = store.execute("SELECT count(*) FROM resource").fetchone()
        [journal] = store.execute("SELECT coalesce(sum(length(body) + length(mac)), 0) FROM record").fetchone()
        [pages] = store.execute("PRAGMA page_count").fetchone()
        [size] = store.execute("PRAGMA page_size").fetchone()
    finally:
        store.close()
    if objects != (0 if step == "destroy" else n):
        sys.exit(f"after the step `{step}` of {n} objects the store holds {objects}")
    return {"store_bytes": pages * size, "journal_bytes": journal}
