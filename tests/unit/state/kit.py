"""What the tests of the store share: a clock that is told the time, keys in memory, and records by the dozen."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from purvey._base.limits import LEASE_S
from purvey._state.lease import Lease
from purvey._state.postgres import open_postgres
from purvey._state.postgres.connect import PostgresConnection
from purvey._state.record import Begun, Closed, Failed, Identified, Noted, Opened, OutputsSet, Succeeded
from purvey._state.resource import ResourceState
from purvey._state.sql.store import SqlStore
from purvey._state.sqlite import open_sqlite
from purvey._state.state import State

KEY = bytes(range(32))
STACK = "shop/dev"


Place = Path | str
"""A file, or the address of a database."""


class ToldClock:
    """A clock that goes on only when told, and whose random bytes are counted."""

    def __init__(self) -> None:
        self.time = 1_000_000.0
        self._drawn = itertools.count(1)

    def now(self) -> float:
        """The time that was told."""
        return self.time

    def monotonic(self) -> float:
        """The same."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Time passes at once."""
        self.time += seconds

    def random(self) -> float:
        """Always one half."""
        return 0.5

    def entropy(self, length: int) -> bytes:
        """The next number."""
        return next(self._drawn).to_bytes(length, "big")


class FixedKeys:
    """Every store has the one key."""

    def __init__(self, key: bytes = KEY) -> None:
        self._key = key

    def make(self, estate: str) -> bytes:
        """The key."""
        return self._key

    def find(self, estate: str) -> tuple[bytes, ...]:
        """The key."""
        return (self._key,)

    def place(self, estate: str) -> str:
        """Somewhere."""
        return "the test's memory"


def opened_store(path: Place, clock: ToldClock | None = None, key: bytes = KEY) -> SqlStore:
    """The store at `path`, made if needed."""
    if isinstance(path, str):
        return open_postgres(path, keys=FixedKeys(key), clock=clock or ToldClock())
    return open_sqlite(path, keys=FixedKeys(key), clock=clock or ToldClock())


@contextmanager
def store_at(path: Place, clock: ToldClock | None = None) -> Iterator[SqlStore]:
    """The store at `path`, closed at the end."""
    with closing(opened_store(path, clock)) as store:
        yield store


@contextmanager
def raw(path: Place) -> Iterator[Any]:
    """The store as anybody with an editor sees it; changes are kept."""
    if isinstance(path, str):
        with closing(PostgresConnection(path)) as server:
            server.execute("SET session_replication_role = replica")  # As below: references are not checked.
            yield server
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = OFF")
        yield connection


def resource(name: str = "web", *, generation: int = 1, **more: Any) -> ResourceState:
    """A recorded object."""
    fields: dict[str, Any] = {"kind": "files.File", "id": f"/srv/{name}", "inputs": {"content": name}} | more
    return ResourceState(address=f"files.File::{name}", generation=generation, **fields)


def begun(operation: str, state: ResourceState, verb: str = "create", **more: Any) -> Begun:
    """The begin of an operation on an object."""
    return Begun(
        at=1.0, operation=operation, address=state.address, generation=state.generation, verb=verb, token=operation,
        node=state, **more,
    )  # fmt: skip


def succeeded(operation: str, state: ResourceState, *, gone: bool = False, **more: Any) -> Succeeded:
    """Its good end."""
    return Succeeded(
        at=2.0, operation=operation, address=state.address, generation=state.generation,
        state=None if gone else state, **more,
    )  # fmt: skip


def failed(operation: str, state: ResourceState, *, may_exist: bool = False, unbegun: bool = False) -> Failed:
    """Its bad end."""
    return Failed(
        at=2.0, operation=operation, address=state.address, generation=state.generation, code="timeout",
        summary="It took too long", may_exist=may_exist, unbegun=unbegun,
    )  # fmt: skip


def identified(operation: str, id: str) -> Identified:
    """The world's answer in between."""
    return Identified(at=1.5, operation=operation, id=id)


def noted(what: str, state: ResourceState, /, **more: Any) -> Noted:
    """A change of the record alone."""
    return Noted(at=3.0, what=what, address=state.address, generation=state.generation, **more)


def opened(verb: str = "apply", at: float = 1.0) -> Opened:
    """A run's first record."""
    return Opened(at=at, verb=verb, user="ada", machine="engine")


def closed(result: str = "succeeded", at: float = 9.0) -> Closed:
    """A run's last record."""
    return Closed(at=at, result=result)


def outputs(**values: Any) -> OutputsSet:
    """A stack's outputs."""
    return OutputsSet(at=4.0, values=values, reads=("net/dev",))


def created(name: str, *, generation: int = 1) -> tuple[Begun, Succeeded]:
    """The records of an object that was made."""
    state, operation = resource(name, generation=generation), f"op-{name}-{generation}"
    return begun(operation, state), succeeded(operation, state)


def write(store: SqlStore, *records: Any, run: str = "RUN1", stack: str = STACK) -> None:
    """Write the records of a run under a lease taken for it."""
    with held(store, run, stack) as lease:
        store.open_journal(stack, run, lease.fence).write_now(*records)


@contextmanager
def held(store: SqlStore, run: str = "RUN1", stack: str = STACK) -> Iterator[Lease]:
    """A lease without a heartbeat."""
    lease = store.acquire(stack, run)
    try:
        yield lease
    finally:
        store.release(lease)


def lease_of(fence: int, run: str = "RUN1") -> Lease:
    """A lease that somebody claims to have."""
    return Lease(stack=STACK, run=run, fence=fence, expires=1_000_000.0 + LEASE_S)


def same(one: State, other: State) -> bool:
    """Whether two states say the same."""
    doubts = [
        {operation: (doubt.begun, doubt.id, doubt.failed) for operation, doubt in state.in_doubt.items()}
        for state in (one, other)
    ]
    return doubts[0] == doubts[1] and all(
        getattr(one, name) == getattr(other, name) for name in ("resources", "generations", "outputs", "reads")
    )
