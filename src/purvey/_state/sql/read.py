"""Reads rows, verifying each against its digest, and makes values of them.

Every function here is called inside a read transaction, so that what it reads belongs together.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from purvey._state.mac import RowMac, record_identity, resource_identity, retired_body, retired_identity, tampered
from purvey._state.record import Begun, Failed, Identified, OutputsSet, Record, decode, decode_state
from purvey._state.resource import ResourceState
from purvey._state.sql.database import Connection
from purvey._state.state import InDoubt, State
from purvey._state.store import UNFINISHED, Moment, RunRow
from purvey.errors import StateError

_RUN_COLUMNS: Final = ("number", "id", "stack", "verb", "result", "started", "ended", "user", "machine", "changes")
_RUN: Final = (
    'SELECT run.number, run.id, stack.name, verb, result, started, ended, "user", machine, changes '
    "FROM run JOIN stack ON stack.number = run.stack "
)


def load(connection: Connection, stack: str, mac: RowMac) -> State:
    """The state of a stack.

    Raises:
        StateError: ``state.tampered_row``.
    """
    row = connection.execute("SELECT number, outputs FROM stack WHERE name = ?", (stack,)).fetchone()
    if row is None:
        return State()
    number, _ = row
    with _without_collections():
        state = State(_resources(connection, number, stack, mac))
    for doubt in _in_doubt(connection, number, mac):
        state.in_doubt[doubt.begun.operation] = doubt
        _reserve(state, doubt.begun.address, doubt.begun.generation)
    for address, generation in _retired(connection, number, stack, mac):
        _reserve(state, address, generation)
    given = outputs(connection, stack, mac)
    if given is not None:
        state.apply(given)
    return state


def outputs(connection: Connection, stack: str, mac: RowMac) -> OutputsSet | None:
    """The outputs of a stack, without its objects; None if it has none.

    Raises:
        StateError: ``state.tampered_row``.
    """
    row = connection.execute("SELECT outputs FROM stack WHERE name = ?", (stack,)).fetchone()
    if row is None or row[0] is None:
        return None
    record = _record_at(connection, row[0], mac)
    if not isinstance(record, OutputsSet):
        raise tampered(f"The outputs of {stack}")
    return record


def records(connection: Connection, run: str, mac: RowMac) -> list[Record]:
    """The records of a run, in order.

    Raises:
        StateError: ``state.tampered_row`` or ``state.unreadable_record``.
    """
    rows = connection.execute(
        "SELECT sequence, body, mac FROM record WHERE run = (SELECT number FROM run WHERE id = ?) ORDER BY sequence", (run,)
    )
    return [_verified(run, sequence, body, digest, mac) for sequence, body, digest in rows]


class Entry(NamedTuple):
    """A row of the journal: the run's id, its place in the journal, and the record, or why it cannot be believed."""

    run: str
    sequence: int
    record: Record | StateError


def journal_of(connection: Connection, stack: str, mac: RowMac) -> Iterator[Entry]:
    """The journal of a stack in order."""
    rows = connection.execute(
        "SELECT run.id, sequence, body, mac FROM record JOIN run ON run.number = record.run "
        "WHERE run.stack = (SELECT number FROM stack WHERE name = ?) ORDER BY sequence",
        (stack,),
    )
    for run, sequence, body, digest in rows:
        try:
            yield Entry(run, sequence, _verified(run, sequence, body, digest, mac))
        except StateError as error:
            yield Entry(run, sequence, error)


def runs(connection: Connection, stack: str | None, limit: int) -> list[RunRow]:
    """The newest runs first."""
    where = "WHERE stack.name = ? " if stack is not None else ""
    arguments = (stack, limit) if stack is not None else (limit,)
    return [_run_row(row) for row in connection.execute(f"{_RUN}{where}ORDER BY run.number DESC LIMIT ?", arguments)]


def runs_named(connection: Connection, beginning: str) -> list[RunRow]:
    """The run with this id, else the first few whose ids begin so."""
    exact = connection.execute(f"{_RUN}WHERE run.id = ?", (beginning,)).fetchall()
    query = f"{_RUN}WHERE run.id >= ? AND run.id < ? ORDER BY run.id LIMIT 5"
    return [_run_row(row) for row in exact or connection.execute(query, (beginning, beginning + "\x7f"))]


def later(connection: Connection, run: str) -> frozenset[str]:
    """The runs of the same stack that began after a run."""
    query = "SELECT later.id FROM run JOIN run later ON later.stack = run.stack AND later.number > run.number WHERE run.id = ?"
    return frozenset(found for (found,) in connection.execute(query, (run,)))


def unfinished(connection: Connection, stack: str) -> list[RunRow]:
    """The runs of a stack that can be resumed, newest first."""
    results = ", ".join("?" * len(UNFINISHED))
    query = f"{_RUN}WHERE stack.name = ? AND result IN ({results}) ORDER BY run.number DESC"
    return [_run_row(row) for row in connection.execute(query, (stack, *UNFINISHED))]


def stacks(connection: Connection) -> list[str]:
    """The stacks that ever had a run."""
    query = "SELECT name FROM stack WHERE number IN (SELECT stack FROM run) ORDER BY name"
    return [name for (name,) in connection.execute(query)]


def moment(connection: Connection) -> Moment:
    """How far the journal and the tags go."""
    last = connection.execute("SELECT sequence, mac FROM record ORDER BY sequence DESC LIMIT 1").fetchone()
    sequence, digest = last or (0, b"")
    tags, hanging = connection.execute("SELECT count(*), coalesce(sum(active), 0) FROM tag_out").fetchone()
    return Moment(sequence, bytes(digest), tags, hanging)


@contextmanager
def _without_collections() -> Iterator[None]:
    """Keep the cycle collector out while many long-lived values are made: it would walk them all again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _resources(connection: Connection, number: int, stack: str, mac: RowMac) -> Iterator[ResourceState]:
    identity = resource_identity(stack)
    rows = connection.execute(
        "SELECT address, generation, body, mac FROM resource WHERE stack = ? ORDER BY address, generation", (number,)
    )
    for address, generation, body, digest in rows:
        state = decode_state(body) if mac.matches(identity, body, digest) else None
        if state is None or (state.address, state.generation) != (address, generation):
            raise tampered(f"The snapshot of {stack}::{address} #{generation}")
        yield state


def _retired(connection: Connection, number: int, stack: str, mac: RowMac) -> Iterator[tuple[str, int]]:
    identity = retired_identity(stack)
    for address, generation, digest in connection.execute(
        "SELECT address, generation, mac FROM retired WHERE stack = ?", (number,)
    ):
        if not mac.matches(identity, retired_body(address, generation), digest):
            raise tampered(f"The highest generation of {stack}::{address}")
        yield address, generation


def _in_doubt(connection: Connection, number: int, mac: RowMac) -> Iterator[InDoubt]:
    """The operations in doubt, in the order in which they began."""
    rows = connection.execute(
        "SELECT operation, address, generation, begun, identified, failed FROM in_doubt WHERE stack = ? ORDER BY begun",
        (number,),
    ).fetchall()
    for operation, address, generation, *places in rows:
        begun, identified, failed = (None if place is None else _record_at(connection, place, mac) for place in places)
        told = (begun, identified, failed)
        if (
            not isinstance(begun, Begun)
            or (begun.address, begun.generation) != (address, generation)
            or not isinstance(identified, Identified | None)
            or not isinstance(failed, Failed | None)
            or any(record is not None and record.operation != operation for record in (begun, identified, failed))
        ):
            raise tampered(f"The operation in doubt {operation} ({', '.join(type(record).__name__ for record in told)})")
        yield InDoubt(begun, identified.id if identified is not None else "", failed)


def _reserve(state: State, address: str, generation: int) -> None:
    if generation > state.generations.get(address, 0):
        state.generations[address] = generation


def _record_at(connection: Connection, sequence: int, mac: RowMac) -> Record:
    row = connection.execute(
        "SELECT run.id, body, mac FROM record JOIN run ON run.number = record.run WHERE sequence = ?", (sequence,)
    ).fetchone()
    if row is None:
        raise tampered(f"Journal record {sequence}")
    run, body, digest = row
    return _verified(run, sequence, body, digest, mac)


def _verified(run: str, sequence: int, body: bytes, digest: bytes, mac: RowMac) -> Record:
    if not mac.matches(record_identity(run, sequence), body, digest):
        raise tampered(f"Journal record {sequence} of run {run}")
    return decode(body)


def _run_row(row: tuple[Any, ...]) -> RunRow:
    return RunRow(**dict(zip(_RUN_COLUMNS, row, strict=True)))
