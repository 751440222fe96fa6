"""What it costs to write everything down first: processor time, fsyncs and delay for each operation of the journal.

An operation is three writes, one after the other, each durable before the next: that it begins, which id the world gave, and
how it ended. A number of them are in flight at a time, and the next begins as soon as one has ended; the world itself takes no
time. Prints a table and the goals; `--json` prints one object for each row instead.

Fsyncs are counted where they are asked for: SQLite's through its own table of functions (see `syncs.py`), the server's, which
runs with `fsync = on`, by its statistics (`pg_stat_io`, all fsyncs of the log by all its processes).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg
from goals import Goal
from syncs import counted, watch_connection
from table import goal_lines

from purvey._base.clock import SystemClock
from purvey._secrets.key import KeyRing
from purvey._state.journal import Journal, Write, Writer
from purvey._state.open import open_at
from purvey._state.record import Begun, Identified, Succeeded
from purvey._state.resource import ResourceState
from purvey._state.sql.write import SqlAdapter
from tests.support.database_server import DatabaseServer

FLIGHTS = (1, 10, 100)
CPU_MS_MAX = {"sqlite": 0.3, "postgresql": 1.0}
FSYNCS_MAX = 0.1
HELD_MS_MAX = 1.0
STACK = "bench/dev"


def main() -> int:
    """Measure what the arguments ask for; 1 where a goal is missed and `--check` is given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=3_000, help="operations in a run (default 3000)")
    parser.add_argument("--runs", type=int, default=5, help="runs behind each median (default 5)")
    parser.add_argument("--stores", default="sqlite,postgresql", help="sqlite,postgresql")
    parser.add_argument("--json", action="store_true", help="print one object for each row")
    parser.add_argument("--check", action="store_true", help="exit with 1 where a goal is missed")
    arguments = parser.parse_args()
    rows = []
    for row in _rows(arguments.stores.split(","), arguments.n, arguments.runs):
        rows.append(row)
        if arguments.json:
            print(json.dumps(row), flush=True)
    found = goals(rows)
    lines = ([] if arguments.json else [*_table(rows), ""]) + goal_lines(found)
    print(*lines, sep="\n", file=sys.stderr if arguments.json else sys.stdout)
    return int(arguments.check and any(goal.verdict == "missed" for goal in found))


def goals(rows: Sequence[dict[str, Any]]) -> list[Goal]:
    """Every goal, with the figures behind its verdict."""
    found = []
    for store, most in CPU_MS_MAX.items():
        mine = [row for row in rows if row["store"] == store]
        many = [row for row in mine if row["in_flight"] > 1]
        name = f"{store}: at most {most:g} ms of processor time an operation with 10 and more in flight"
        found.append(_goal(name, [row["cpu_ms"] for row in many], most))
        name = f"{store}: at most {FSYNCS_MAX:g} fsync an operation with 100 in flight"
        found.append(_goal(name, [row["fsyncs"] for row in many if row["in_flight"] == max(FLIGHTS)], FSYNCS_MAX))
        name = f"{store}: no record is ever held back for more than {HELD_MS_MAX:g} ms while the store is idle"
        found.append(_goal(name, [row["held_ms_max"] for row in mine], HELD_MS_MAX))
    return found


def _goal(name: str, figures: list[float], most: float) -> Goal:
    if not figures:
        return Goal(name, "not measured")
    return Goal(name, "met" if max(figures) <= most else "missed", ", ".join(f"{figure:.3f}" for figure in figures))


def _rows(stores: Sequence[str], n: int, runs: int) -> Iterator[dict[str, Any]]:
    for store in stores:
        with _places(store) as place:
            for in_flight in FLIGHTS:
                found = [_run(store, place, in_flight, n) for _ in range(runs)]
                middle = {name: round(statistics.median(run[name] for run in found), 4) for name in found[0]}
                yield {"store": store, "in_flight": in_flight, "n": n, "runs": runs, "load1": os.getloadavg()[0], **middle}


@contextmanager
def _places(store: str) -> Iterator[Callable[[], Path | str]]:
    """Makes empty places for stores; on the server every commit is on disk, as it is in a folder."""
    if store == "postgresql":
        with closing(DatabaseServer(fsync="on")) as server:
            yield server.new_database
        return
    with tempfile.TemporaryDirectory(prefix="purvey-bench-", dir=Path(__file__).parent) as folder:
        numbers = count(1)
        yield lambda: Path(folder) / str(next(numbers))


def _run(store: str, new: Callable[[], Path | str], in_flight: int, n: int) -> dict[str, float]:
    """The figures of `n` operations in a new store."""
    idle = _cpu_ms(_Nothing(), in_flight, n)
    place, watch = new(), Watch()
    with tempfile.TemporaryDirectory() as folder:
        keys = KeyRing({"XDG_DATA_HOME": folder}, clock=SystemClock())
        with closing(open_at(place, keys=keys, clock=SystemClock())) as opened, watch.watching():
            lease = opened.acquire(STACK, "RUN")
            journal = opened.open_journal(STACK, "RUN", lease.fence)
            _cpu_ms(journal, in_flight, in_flight)  # Warm: prepared statements, the thread, the connection.
            watch.clear()
            before = _fsyncs(place) if store == "postgresql" else 0
            with counted() as syncs:
                started = time.perf_counter()
                cpu = _cpu_ms(journal, in_flight, n)
                seconds = time.perf_counter() - started
        fsyncs = (_fsyncs(place) - before) if store == "postgresql" else syncs.count
    return {
        "cpu_ms": cpu - idle, "fsyncs": fsyncs / n, "per_s": n / seconds, "write_ms": watch.write_ms(),
        "held_ms": watch.held_ms(0.5), "held_ms_99": watch.held_ms(0.99), "held_ms_max": watch.held_ms(1.0),
    }  # fmt: skip


def _fsyncs(place: Any) -> int:
    """The server's own count of what it has had written through: of its log, by whoever did it."""
    with closing(psycopg.connect(place, autocommit=True)) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        row = connection.execute("SELECT sum(fsyncs)::bigint FROM pg_stat_io WHERE object = 'wal'").fetchone()
    assert row is not None  # A sum has one row.
    return int(row[0] or 0)


class _Nothing:
    """A journal that writes nothing, to know what the measurement itself costs."""

    async def write(self, *records: Any) -> None:
        """Let the others run."""
        await asyncio.sleep(0)


def _cpu_ms(journal: Journal | _Nothing, in_flight: int, n: int) -> float:
    """Milliseconds of this process's processor time for each of `n` operations, all threads together."""
    numbers = count(1)
    tag = time.perf_counter_ns()

    async def worker() -> None:
        """One operation after another."""
        while (number := next(numbers)) <= n:
            await _operate(journal, f"{tag}-{number}", f"files.File::{number}")

    async def work() -> None:
        """All workers."""
        await asyncio.gather(*(worker() for _ in range(in_flight)))

    started = time.process_time()
    asyncio.run(work())
    return (time.process_time() - started) * 1e3 / n


async def _operate(journal: Journal | _Nothing, operation: str, address: str) -> None:
    """The three writes of one operation."""
    node = ResourceState(
        address=address, generation=1, kind="files.File", id="", inputs={"path": address, "content": "x" * 100},
        outputs={"path": address}, run="RUN", source="main.py:12",
    )  # fmt: skip
    await journal.write(
        Begun(at=1.0, operation=operation, address=address, generation=1, verb="create", token=operation, node=node)
    )
    await journal.write(Identified(at=1.0, operation=operation, id=address))
    await journal.write(Succeeded(at=1.0, operation=operation, address=address, generation=1, state=node))


class Watch:
    """Sees when each write was given, when its commit began and ended, and when it was told."""

    def __init__(self) -> None:
        self._counted: sqlite3.Connection | None = None
        self.clear()

    def clear(self) -> None:
        """Forget what was seen."""
        self._given: dict[int, float] = {}
        self._held: list[float] = []
        self._writes: list[float] = []
        self._free = 0.0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look on for the length of a block; costs a few microseconds for each write, which are not taken off."""
        put, commit = Writer.put, SqlAdapter.commit

        def watched_put(writer: Any, write: Write) -> None:
            """Note when it was given."""
            self._given[id(write)] = time.perf_counter()
            put(writer, write)

        def watched_commit(adapter: SqlAdapter, writes: Sequence[Write]) -> None:
            """Note when its turn came, and how long it had waited since the store was free."""
            begun = time.perf_counter()
            given = [self._given.pop(id(write), begun) for write in writes]
            self._held += [begun - max(at, self._free) for at in given]
            commit(adapter, writes)
            if isinstance(adapter.connection, sqlite3.Connection) and adapter.connection is not self._counted:
                self._counted = adapter.connection
                watch_connection(self._counted)
            self._free = time.perf_counter()
            self._writes += [self._free - at for at in given]

        with patch.object(Writer, "put", watched_put), patch.object(SqlAdapter, "commit", watched_commit):
            yield

    def held_ms(self, share: float) -> float:
        """Within how many milliseconds so many of the writes were taken up by a store that was free."""
        held = sorted(self._held)
        return held[min(len(held) - 1, int(share * len(held)))] * 1e3

    def write_ms(self) -> float:
        """The median milliseconds from the call to durable."""
        return statistics.median(self._writes) * 1e3


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "store       in flight  cpu ms  fsyncs    per s  write ms  held ms  (99 %)    (max)"
    for row in rows:
        yield (
            f"{row['store']:<11} {row['in_flight']:>9}  {row['cpu_ms']:6.3f}  {row['fsyncs']:6.3f}  {row['per_s']:7.0f}  "
            f"{row['write_ms']:8.2f}  {row['held_ms']:7.3f}  {row['held_ms_99']:6.3f}  {row['held_ms_max']:7.3f}"
        )


if __name__ == "__main__":
    sys.exit(main())
