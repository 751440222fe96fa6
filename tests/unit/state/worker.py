"""The other processes of the store's tests, run as ``python -m tests.unit.state.worker WHAT PATH …``."""

from __future__ import annotations

import asyncio
import itertools
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from purvey._base.clock import SystemClock
from purvey._state.postgres import open_postgres
from purvey._state.sql.store import SqlStore
from purvey._state.sqlite import open_sqlite
from purvey.errors import StateError
from tests.unit.state import kit


def _store(path: str) -> SqlStore:
    if "://" in path:
        return open_postgres(path, keys=kit.FixedKeys(), clock=SystemClock())
    return open_sqlite(Path(path), keys=kit.FixedKeys(), clock=SystemClock())


def _tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def make(path: str) -> None:
    """Open the store, making it if nobody else did, and tell its estate."""
    _tell(_store(path).estate)


def hold(path: str) -> None:
    """Take the lease and wait to be killed."""
    _store(path).acquire(kit.STACK, "RUN1")
    _tell("held")
    signal.pause()


def race(path: str, rounds: str) -> None:
    """Take the lease again and again; tell each turn's fence, begin and end."""
    store = _store(path)
    for _ in range(int(rounds)):
        while True:
            try:
                lease = store.acquire(kit.STACK, "RACE")
            except StateError:
                continue
            break
        began = time.monotonic()
        store.open_journal(kit.STACK, "RACE", lease.fence).write_now(kit.opened())
        ended = time.monotonic()
        store.release(lease)
        _tell(f"{lease.fence} {began} {ended}")
    store.close()


def flood(path: str, flight: str) -> None:
    """Write operations without end, many at once, and tell each one that was acknowledged."""
    store = _store(path)
    lease = store.acquire(kit.STACK, "FLOOD")
    journal = store.open_journal(kit.STACK, "FLOOD", lease.fence)
    numbers = itertools.count()

    async def operate() -> None:
        """Make one object after the other."""
        for number in numbers:
            begin, end = kit.created(f"n{number}")
            await journal.write(begin)
            await journal.write(end)
            _tell(begin.operation)

    async def work() -> None:
        """Make many at once."""
        await journal.write(kit.opened())
        await asyncio.gather(*(operate() for _ in range(int(flight))))

    asyncio.run(work())


def fill(path: str, ballast: str, limit: str) -> None:
    """Write until the disk is full, then make room: tell what was acknowledged, what failed, and what works again.

    Args:
        path: The store.
        ballast: A file to remove in order to make room; a dash if there is none.
        limit: Bytes that a file may have until there is room; 0 for no such limit.
    """
    store = _store(path)
    lease = store.acquire(kit.STACK, "FILL")
    journal = store.open_journal(kit.STACK, "FILL", lease.fence)
    if int(limit):
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(limit), resource.RLIM_INFINITY))
    try:
        for number in range(100_000):
            begin, end = kit.created(f"n{number}")
            journal.write_now(begin, end)
            _tell(begin.operation)
    except StateError as error:
        _tell(f"failed {error.code} {' '.join(error.detail.split())}")
    if ballast != "-":
        Path(ballast).unlink()
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    try:
        journal.write_now(kit.closed())
    except StateError as error:
        _tell(f"again {error.code}")
    store.open_journal(kit.STACK, "FILL", lease.fence).write_now(kit.closed("kept"))
    _tell("cleared")
    store.close()


if __name__ == "__main__":
    verbs: dict[str, Callable[..., None]] = {"make": make, "hold": hold, "race": race, "flood": flood, "fill": fill}
    verbs[sys.argv[1]](*sys.argv[2:])
