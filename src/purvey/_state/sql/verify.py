"""Proves that a store is sound: what keeps it, every digest, and that the snapshot is the fold of the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from purvey._state.check import violations
from purvey._state.mac import RowMac
from purvey._state.record import Closed, Opened, Record, Succeeded
from purvey._state.sql import archive, read, tag_out
from purvey._state.sql.database import Connection
from purvey._state.state import State
from purvey.errors import InternalError, StateError


def verify(connection: Connection, mac: RowMac) -> list[str]:
    """One sentence for everything that is wrong; call it inside a read transaction.

    A store that is damaged is not looked into any further.
    """
    damage = connection.damage()
    if damage:
        return damage
    found = _gaps(connection)
    for stack in [name for (name,) in connection.execute("SELECT name FROM stack ORDER BY name")]:
        found += _of_stack(connection, stack, mac)
    for (run,) in connection.execute("SELECT id FROM run ORDER BY number").fetchall():
        found += _of_run(connection, run, mac)
    for (run,) in connection.execute("SELECT run FROM manifest").fetchall():
        found += _of_archive(connection, run, mac)
    return found


def _gaps(connection: Connection) -> list[str]:
    count, first, last = connection.execute("SELECT count(*), min(sequence), max(sequence) FROM record").fetchone()
    if count and (first, last) != (1, count):
        return [f"{last - count} journal records are missing"]
    return []


def _of_stack(connection: Connection, stack: str, mac: RowMac) -> list[str]:
    """What is wrong with a stack's records and snapshot."""
    told = list(read.journal_of(connection, stack, mac))
    found = [error.detail for error in told if isinstance(error, StateError)]
    try:
        snapshot = read.load(connection, stack, mac)
        tag_out.tags(connection, stack, mac)
    except StateError as error:
        return [*found, error.detail]
    if found:
        return found
    found += [f"{stack}: {sentence}" for sentence in violations(snapshot)]
    try:
        folded = _fold(record for record in told if not isinstance(record, StateError))
    except (KeyError, InternalError) as error:
        return [*found, f"{stack}: the journal cannot be folded: {error}"]
    return [*found, *(f"{stack}: {sentence}" for sentence in _differences(folded, snapshot))]


def _fold(records: Iterable[Record]) -> State:
    state = State()
    for record in records:
        state.apply(record)
    return state


def _differences(folded: State, snapshot: State) -> Iterator[str]:
    """Where the snapshot is not what the journal says."""
    for address, generation in sorted(folded.resources.keys() | snapshot.resources.keys()):
        key = (address, generation)
        ours, theirs = folded.resources.get(key), snapshot.resources.get(key)
        if ours != theirs and _without_ciphertext(ours) != _without_ciphertext(theirs):
            yield f"the snapshot of {address} #{generation} is not what the journal says"
    for operation in sorted(folded.in_doubt.keys() | snapshot.in_doubt.keys()):
        here, there = folded.in_doubt.get(operation), snapshot.in_doubt.get(operation)
        if here is None or there is None or (here.begun, here.id, here.failed) != (there.begun, there.id, there.failed):
            yield f"operation {operation} in doubt is not what the journal says"
    if folded.generations != snapshot.generations:
        changed = dict(folded.generations.items() ^ snapshot.generations.items())
        yield f"the highest generations of {', '.join(sorted(changed))} are not what the journal says"
    if (folded.outputs, folded.reads) != (snapshot.outputs, snapshot.reads):
        yield "the outputs are not what the journal says"


def _without_ciphertext(value: Any) -> Any:
    """A record without what is sealed in it: while the key changes, one copy of it is sealed anew before the other.

    Every row is signed as a whole, and a ciphertext belongs to the digest beside it, so nothing is lost by not comparing it.
    """
    if isinstance(value, msgspec.Struct):
        return _without_ciphertext(msgspec.to_builtins(value))
    if isinstance(value, dict):
        return {key: _without_ciphertext(item) for key, item in value.items() if key != "sealed"}
    return [_without_ciphertext(item) for item in value] if isinstance(value, list) else value


def _of_run(connection: Connection, run: str, mac: RowMac) -> list[str]:
    """Whether a run's row says what its records say."""
    try:
        records = read.records(connection, run, mac)
    except StateError:
        return []  # Its stack has told already.
    (row,) = read.runs_named(connection, run)
    first = next((record for record in records if isinstance(record, Opened)), None)
    last = next((record for record in reversed(records) if isinstance(record, Closed | Opened)), None)
    result, ended = (last.result, last.at) if isinstance(last, Closed) else ("", None)
    changes = sum(isinstance(record, Succeeded) and not record.unchanged for record in records)
    begin = (first.verb, first.user, first.machine, first.at) if first is not None else ("", "", "", 0.0)
    if (row.verb, row.user, row.machine, row.started) != begin or row.ended != ended:
        return [f"run {run} is listed with another begin or end than its records say"]
    if (row.result, row.changes) != (result, changes):
        return [f"run {run} is listed as {row.result or 'open'} with {row.changes} changes, which its records do not say"]
    return []


def _of_archive(connection: Connection, run: str, mac: RowMac) -> list[str]:
    """Whether a run's archived files are what was kept."""
    try:
        archive.kept(connection, run, mac)
    except StateError as error:
        return [error.detail]
    return []
