"""What each test of the keeper gets."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from purvey.resources.process.keeper_client import stop
from tests.e2e.keeper.keeping import Bench


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    """A bench; no process of it is left behind, and the test fails if one had to be killed."""
    bench = Bench(tmp_path)
    yield bench
    for record in bench.state_dir.glob("*.json"):
        await stop(str(bench.state_dir), record.stem, 0.1)
    left = [*bench.keepers(), *bench.services()]
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert not left, "the test left processes behind"
