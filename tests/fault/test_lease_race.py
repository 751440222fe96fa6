"""Two processes race for one lease, a thousand times: exactly one has it at any moment."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from tests.unit.state import kit

if TYPE_CHECKING:
    from tests.support.database_server import DatabaseServer

ROOT = Path(__file__).resolve().parents[2]


def test_two_processes_never_hold_one_lease(server: DatabaseServer | None, tmp_path: Path) -> None:
    """In 1,000 rounds the holders' times never overlap, and every fence is given once."""
    place = server.new_database() if server else tmp_path / "state.db"
    kit.opened_store(place).close()
    command = [sys.executable, "-m", "tests.unit.state.worker", "race", str(place), "500"]
    racers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    told = [racer.communicate(timeout=240)[0] for racer in racers]

    assert [racer.returncode for racer in racers] == [0, 0]
    turns = sorted(tuple(map(float, line.split())) for text in told for line in text.splitlines())
    assert [fence for fence, _, _ in turns] == list(range(1, 1001))
    assert all(ended <= began for (_, _, ended), (_, began, _) in pairwise(turns))
