"""Proves that a store is sound: what keeps it, every digest, and that the snapshot is the fold of the journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from purvey._state.check import violations
from purvey._state.mac import RowMac
from purvey._state.sql import archive, read, tag_out
from purvey._state.sql.database import Connection
from purvey._state.sql.told import Told, ToldRun, told_by_journal
from purvey._state.state import State
from purvey.errors import StateError


def verify(connection: Connection, mac: RowMac) -> list[str]:
    """One sentence for everything that is wrong; call it inside a read transaction.

    A store that is damaged is not looked into any further.
    """
    damage = connection.damage()
    if damage:
        return damage
    found = _gaps(connection)
    for stack in [name for (name,) in connection.execute("SELECT name FROM stack ORDER BY name")]:
        told = told_by_journal(connection, stack, mac)
        found += told.wrong or unlike(connection, told, mac)
        found += _of_tags(connection, stack, mac)
    for (run,) in connection.execute("SELECT run FROM manifest").fetchall():
        found += _of_archive(connection, run, mac)
    return found


def _gaps(connection: Connection) -> list[str]:
    """Whether records are missing before the last one."""
    count, first, last = connection.execute("SELECT count(*), min(sequence), max(sequence) FROM record").fetchone()
    if count and (first, last) != (1, count):
        return [f"{last - count} journal records are missing"]
    return []


def unlike(connection: Connection, told: Told, mac: RowMac) -> list[str]:
    """Where a stack's snapshot and its list of runs are not what its journal says."""
    try:
        snapshot = read.load(connection, told.stack, mac)
    except StateError as error:
        found = [error.detail]
    else:
        found = [f"{told.stack}: {sentence}" for sentence in (*violations(snapshot), *_differences(told.state, snapshot))]
    return [*found, *(sentence for run, glance in told.runs.items() for sentence in _of_run(connection, run, glance))]


def _differences(told: State, snapshot: State) -> Iterator[str]:
    """Where the snapshot is not what the journal says."""
    for address, generation in sorted(told.resources.keys() | snapshot.resources.keys()):
        key = (address, generation)
        ours, theirs = told.resources.get(key), snapshot.resources.get(key)
        if ours != theirs and without_ciphertext(ours) != without_ciphertext(theirs):
            yield f"the snapshot of {address} #{generation} is not what the journal says"
    for operation in sorted(told.in_doubt.keys() | snapshot.in_doubt.keys()):
        here, there = told.in_doubt.get(operation), snapshot.in_doubt.get(operation)
        if here is None or there is None or (here.begun, here.id, here.failed) != (there.begun, there.id, there.failed):
            yield f"operation {operation} in doubt is not what the journal says"
    if told.generations != snapshot.generations:
        changed = dict(told.generations.items() ^ snapshot.generations.items())
        yield f"the highest generations of {', '.join(sorted(changed))} are not what the journal says"
    if (told.outputs, told.reads) != (snapshot.outputs, snapshot.reads):
        yield "the outputs are not what the journal says"


def without_ciphertext(value: Any) -> Any:
    """A record without what is sealed in it: while the key changes, one copy of it is sealed anew before the other.

    Every row is signed as a whole, and a ciphertext belongs to the digest beside it, so nothing is lost by not comparing it.
    """
    if isinstance(value, msgspec.Struct):
        return without_ciphertext(msgspec.to_builtins(value))
    if isinstance(value, dict):
        return {key: without_ciphertext(item) for key, item in value.items() if key != "sealed"}
    return [without_ciphertext(item) for item in value] if isinstance(value, list) else value


def _of_run(connection: Connection, run: str, told: ToldRun) -> list[str]:
    """Whether a run's row says what its records say."""
    (row,) = read.runs_named(connection, run)
    if (row.verb, row.user, row.machine, row.started, row.ended) != (
        told.verb, told.user, told.machine, told.started, told.ended,
    ):  # fmt: skip
        return [f"run {run} is listed with another begin or end than its records say"]
    if (row.result, row.changes) != (told.result, told.changes):
        return [f"run {run} is listed as {row.result or 'open'} with {row.changes} changes, which its records do not say"]
    return []


def _of_tags(connection: Connection, stack: str, mac: RowMac) -> list[str]:
    """Whether a stack's tags are as they were hung up."""
    try:
        tag_out.tags(connection, stack, mac)
    except StateError as error:
        return [error.detail]
    return []


def _of_archive(connection: Connection, run: str, mac: RowMac) -> list[str]:
    """Whether a run's archived files are what was kept."""
    try:
        archive.kept(connection, run, mac)
    except StateError as error:
        return [error.detail]
    return []
