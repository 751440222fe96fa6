"""A kept service when something is killed: the starter, its keeper, or both, at any moment."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from asyncio.subprocess import PIPE

import msgspec
import pytest

from purvey._base.clock import SystemClock
from purvey.errors import HostError
from purvey.resources.process.keeper_client import ServiceSpec, forget, start, status
from tests.e2e.keeper.keeping import (
    FOREVER,
    Bench,
    eventually,
    lives,
)


async def test_a_service_dies_with_its_keeper(bench: Bench) -> None:
    """When the keeper is killed, so is the service: told as lost, its leftovers known, and replaced by the next start."""
    state = await bench.start("sh", "-c", "sleep 61 & setsid sleep 62 & echo up; wait")
    await eventually(lambda: len(bench.services()) == 3 and "up" in bench.log())

    os.kill(state.keeper_pid, signal.SIGKILL)
    await eventually(lambda: not lives(state.pid))
    lost = await bench.status()
    again = await bench.start(*FOREVER)

    assert lost.status == "lost"
    assert len(lost.leftovers) == 2
    assert not any(map(lives, lost.leftovers))
    assert (again.status, again.pid != state.pid) == ("running", True)


async def test_stopping_a_lost_service_ends_its_leftovers(bench: Bench) -> None:
    """`stop` leaves nothing of a service whose keeper was killed, even what ignores being asked; then it can go."""
    state = await bench.start("sh", "-c", "sh -c \"trap '' TERM; echo up; while :; do sleep 60; done\" & wait")
    await eventually(lambda: "up" in bench.log())
    os.kill(state.keeper_pid, signal.SIGKILL)

    after = await bench.stop(0.2)
    await forget(str(bench.state_dir), "web")

    assert after is not None
    assert (after.status, after.leftovers, bench.services()) == ("lost", (), [])
    assert list(bench.state_dir.iterdir()) == []


async def test_a_record_of_other_processes_does_not_touch_them(bench: Bench) -> None:
    """A pid that was given to another process is not taken for the service, nor is a record from before a restart."""
    innocent = await asyncio.create_subprocess_exec("sleep", "60")
    try:
        state = await bench.start("true")
        await bench.ended()
        path = bench.state_dir / "web.json"
        forged = json.loads(path.read_bytes()) | {"status": "running", "pid": innocent.pid, "keeper_pid": innocent.pid}
        for changes in ({}, {"boot": "another"}):
            path.write_text(json.dumps(forged | changes))
            after = await bench.stop(0.1)
            assert after is not None
            assert (after.status, after.leftovers) == ("lost", ())
        assert lives(innocent.pid)
        assert state.pid != innocent.pid
    finally:
        innocent.kill()
        await innocent.wait()


async def test_a_damaged_record_is_an_error(bench: Bench) -> None:
    """A record that cannot be read is neither absence nor a guess."""
    (bench.state_dir / "web.json").write_text("{")

    with pytest.raises(HostError, match="record") as caught:
        await bench.status()

    assert "web.json" in caught.value.detail
    (bench.state_dir / "web.json").unlink()


STARTER = """
import asyncio, sys, msgspec
from purvey._base.clock import SystemClock
from purvey.resources.process.keeper_client import ServiceSpec, start
spec = msgspec.json.decode(sys.stdin.buffer.read(), type=ServiceSpec)
print("go", flush=True)
asyncio.run(start(spec, clock=SystemClock()))
"""


@pytest.mark.trials(sample=20, full=200)
@pytest.mark.parametrize("victim", ["starter", "everyone"])
async def test_a_killed_start_leaves_one_service_or_none(bench: Bench, rng: random.Random, victim: str) -> None:
    """After kill -9 of the starter, or of it and the keeper, at any moment, the status is true and the next start right."""
    spec = bench.spec("sleep", "60")
    await killed_start(spec, after_s=rng.uniform(0, 0.1))
    killed = bench.keepers() if victim == "everyone" else []
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    await eventually(lambda: not any(map(lives, killed)))  # A kill is on its way for a moment, and so is what it takes with it.

    await eventually(lambda: bench.recorded() == "running" or bench.nobody_starts())
    await eventually(lambda: bool(bench.keepers()) or not bench.services())
    state = await status(spec.state_dir, "web")

    await bench.runs_exactly(*([state.pid] if state is not None and state.alive else []))
    assert state is None or state.status in ("running", "lost")
    again = await start(spec, clock=SystemClock())
    await bench.runs_exactly(again.pid)
    assert (again.status, bench.keepers()) == ("running", [again.keeper_pid])
    assert state is None or not state.alive or state == again


async def killed_start(spec: ServiceSpec, after_s: float) -> None:
    """Let another process start the service, and kill it so many seconds after it began."""
    starter = await asyncio.create_subprocess_exec(sys.executable, "-c", STARTER, stdin=PIPE, stdout=PIPE)
    assert starter.stdin is not None
    assert starter.stdout is not None
    starter.stdin.write(msgspec.json.encode(spec))
    starter.stdin.close()
    assert await starter.stdout.readline() == b"go\n"
    await asyncio.sleep(after_s)
    with contextlib.suppress(ProcessLookupError):  # It may have done its work already, which is a moment like any other.
        os.kill(starter.pid, signal.SIGKILL)
    await starter.wait()
