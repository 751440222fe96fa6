"""What was acknowledged is there, whatever happened to the process or the disk."""

from __future__ import annotations

import os
import random
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from purvey._state.record import Begun, Succeeded
from purvey._state.sqlite.connect import reading
from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]


def worker(*arguments: str) -> subprocess.Popen[str]:
    """Another process at work on the store."""
    command = [sys.executable, "-m", "tests.unit.state.worker", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.trials(sample=6, full=100)
def test_a_killed_writer_loses_nothing_acknowledged(place: kit.Place, rng: random.Random) -> None:
    """After SIGKILL at any moment every acknowledged operation is there whole, and the store is sound."""
    kit.opened_store(place).close()
    child = worker("flood", str(place), str(rng.choice([1, 5, 50])))
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(rng.randrange(1, 200))]
    threading.Timer(rng.random() / 50, child.kill).start()
    acknowledged += child.stdout.read().split("\n")[:-1]
    child.wait()
    child.stdout.close()

    with kit.store_at(place) as store:
        records = store.records("FLOOD")
        begins = {record.operation for record in records if isinstance(record, Begun)}
        ends = {record.operation for record in records if isinstance(record, Succeeded)}
        assert set(acknowledged) <= ends <= begins
        assert set(store.load(kit.STACK).in_doubt) == begins - ends
        assert store.verify() == []


@contextmanager
def small_disk(folder: Path) -> Iterator[list[str]]:
    """A disk with little room at `folder`, as arguments of the worker: its ballast, and a limit where nobody may mount."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        yield ["-", "1000000"]
        return
    try:
        ballast = folder / "ballast"
        ballast.write_bytes(bytes(3_000_000))
        yield [str(ballast), "0"]
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_stops_the_run_and_spares_the_store(tmp_path: Path) -> None:
    """The error names the file and what to do, and lasts for the run; with room again the store goes on, whole."""
    folder = tmp_path / "small"
    with small_disk(folder) as room:
        path = folder / "state.db"
        kit.opened_store(path).close()
        told, _ = worker("fill", str(path), *room).communicate(timeout=120)
        *acknowledged, failure, again, cleared = told.splitlines()

        assert failure.startswith(f"failed state.write_failed {path}")
        assert "MB free" in failure
        assert (again, cleared) == ("again state.write_failed", "cleared")
        with kit.store_at(path) as store:
            done = {record.operation for record in store.records("FILL") if isinstance(record, Succeeded)}
            assert done == set(acknowledged)
            assert done
            assert store.run("FILL").result == "kept"
            assert store.verify() == []


@pytest.mark.parametrize("exists", [False, True])
def test_a_disk_that_is_full_from_the_start_is_named(tmp_path: Path, *, exists: bool) -> None:
    """Neither a new store nor one that is there can be opened; room is what lacks, and not a right; with room it goes."""
    folder = tmp_path / "small"
    with small_disk(folder) as (ballast, _):
        path = folder / "state.db"
        if exists:
            kit.opened_store(path).close()
        with pytest.raises(StateError) as caught:
            open_without_room(path, ballast)

        assert caught.value.code == "state.no_room"
        assert "MB free" in caught.value.detail
        assert f"df -h {folder}" in caught.value.hint
        if ballast != "-":
            Path(ballast).unlink()
        kit.opened_store(path).close()


def open_without_room(path: Path, ballast: str) -> None:
    """Fill the disk, and open the store; where nobody may mount one, a database that may not grow is as full."""
    if ballast == "-":
        with reading(path), closing(sqlite3.connect(":memory:")) as full:
            full.execute("PRAGMA max_page_count = 1")
            full.execute("CREATE TABLE more (number INTEGER)")
    with Path(ballast).open("ab", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass
    kit.opened_store(path).close()


@pytest.mark.trials(sample=2, full=30)
def test_makers_of_one_store_agree(place: kit.Place, rng: random.Random) -> None:
    """Processes that make the store at the same moment end up with one store."""
    makers = [worker("make", str(place)) for _ in range(rng.randrange(2, 6))]
    estates = {maker.communicate(timeout=60)[0] for maker in makers}

    assert [maker.returncode for maker in makers] == [0] * len(makers)
    assert len(estates) == 1
