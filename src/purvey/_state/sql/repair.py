"""Makes anew, from the journal, what a stack's journal says: its snapshot, what is in doubt, its outputs, its runs at a glance.

It goes by a journal only where that is proved to be whole: every record by its digest, and all of them together by the head of
their chain. Then whatever differs from it is wrong. What differs is found while others go on writing, and only that is changed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from purvey._state.mac import RowMac, resource_identity, retired_body, retired_identity
from purvey._state.record import decode_state, encode_state
from purvey._state.sql.database import Connection
from purvey._state.sql.head import head_of
from purvey._state.sql.told import Told, told_by_journal
from purvey._state.sql.verify import unlike, without_ciphertext
from purvey._state.store import Rebuilt

Change = tuple[str, tuple[Any, ...]]
"""A statement and its parameters."""

_DOUBT: Final = (
    "INSERT INTO in_doubt (operation, stack, address, generation, begun, identified, failed) VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_RUN: Final = 'UPDATE run SET verb = ?, result = ?, started = ?, ended = ?, "user" = ?, machine = ?, changes = ? WHERE id = ?'


class Mending(NamedTuple):
    """What makes a stack's tables say what its journal says.

    Attributes:
        stack: The stack's name.
        head: The head of the journal that it goes by; None for an empty one.
        wrong: What is wrong, one sentence each.
        changes: What changes that, in order.
    """

    stack: str
    head: bytes | None
    wrong: tuple[str, ...]
    changes: tuple[Change, ...]


def examine(connection: Connection, stack: str, mac: RowMac) -> Mending | Rebuilt:
    """What is wrong and how it is mended, or why there is nothing to do; call it inside a read transaction."""
    told = told_by_journal(connection, stack, mac)
    if told.wrong:
        return Rebuilt(kept=tuple(told.wrong))
    wrong = unlike(connection, told, mac)
    if not wrong:
        return Rebuilt()
    (number,) = connection.execute("SELECT number FROM stack WHERE name = ?", (stack,)).fetchone()
    changes = (
        *_objects(connection, number, told, mac),
        *_doubts(number, told),
        *_generations(connection, number, told, mac),
        ("UPDATE stack SET outputs = ? WHERE number = ?", (told.outputs, number)),
        *_runs(told),
    )
    return Mending(stack, head_of(connection, stack).head, tuple(wrong), changes)


def mend(connection: Connection, mending: Mending) -> Rebuilt:
    """Make the changes, unless the journal has gone on meanwhile; call it inside a write transaction."""
    if head_of(connection, mending.stack).head != mending.head:
        return Rebuilt(kept=(f"{mending.stack}: a run went on meanwhile; say the command again",))
    for statement, parameters in mending.changes:
        connection.execute(statement, parameters)
    return Rebuilt(rebuilt=mending.wrong)


def _objects(connection: Connection, number: int, told: Told, mac: RowMac) -> Iterator[Change]:
    """Rows of the snapshot that are wrong go, and those that are missing come."""
    identity = resource_identity(told.stack)
    right = set()
    query = "SELECT number, address, generation, body, mac FROM resource WHERE stack = ?"
    for row, address, generation, body, digest in connection.execute(query, (number,)).fetchall():
        state = decode_state(body) if mac.matches(identity, body, digest) else None
        known = told.state.resources.get((address, generation))
        if state is not None and (state == known or without_ciphertext(state) == without_ciphertext(known)):
            right.add((address, generation))
        else:
            yield "DELETE FROM resource WHERE number = ?", (row,)
    for (address, generation), state in told.state.resources.items():
        if (address, generation) not in right:
            body = encode_state(state)
            insert = "INSERT INTO resource (stack, address, generation, body, mac) VALUES (?, ?, ?, ?, ?)"
            yield insert, (number, address, generation, body, mac.of(identity, body))


def _doubts(number: int, told: Told) -> Iterator[Change]:
    """These rows have no digest and are few, so all of them are made anew; one may have strayed to another stack."""
    yield "DELETE FROM in_doubt WHERE stack = ?", (number,)
    for operation, doubt in told.state.in_doubt.items():
        yield "DELETE FROM in_doubt WHERE operation = ?", (operation,)
        yield _DOUBT, (operation, number, doubt.begun.address, doubt.begun.generation, *told.places[operation])


def _generations(connection: Connection, number: int, told: Told, mac: RowMac) -> Iterator[Change]:
    """The highest generation of each address is said by what is there, by what is in doubt, or by a row of its own."""
    highest = told.state.generations
    said = {address: state.generation for address, state in told.state.current().items()}
    for doubt in told.state.in_doubt.values():
        said[doubt.begun.address] = max(doubt.begun.generation, said.get(doubt.begun.address, 0))
    query = "SELECT address, generation, mac FROM retired WHERE stack = ?"
    for address, generation, digest in connection.execute(query, (number,)).fetchall():
        signed = mac.matches(retired_identity(told.stack), retired_body(address, generation), digest)
        if signed and generation <= highest.get(address, 0):
            said[address] = max(generation, said.get(address, 0))
        else:
            yield "DELETE FROM retired WHERE stack = ? AND address = ?", (number, address)
    for address, generation in highest.items():
        if generation > said.get(address, 0):
            yield "DELETE FROM retired WHERE stack = ? AND address = ?", (number, address)
            digest = mac.of(retired_identity(told.stack), retired_body(address, generation))
            yield (
                "INSERT INTO retired (stack, address, generation, mac) VALUES (?, ?, ?, ?)",
                (number, address, generation, digest),
            )


def _runs(told: Told) -> Iterator[Change]:
    """Each run as its records say."""
    for run, it in told.runs.items():
        yield _RUN, (it.verb, it.result, it.started, it.ended, it.user, it.machine, it.changes, run)
