"""The head of a stack's journal: it proves which records are the stack's, and that none is missing at the end.

A record's digest says of which run it is and where it stands in the journal, but not of which stack the run is, and a missing
record says nothing at all. So each stack keeps the head of a chain over its records, one link a record, signed.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

from purvey._state.mac import RowMac, record_identity, stack_identity
from purvey._state.sql.database import Connection


def first_head(stack: str) -> bytes:
    """The head of a stack's empty journal: SHA-256 of its identity, 32 bytes."""
    return hashlib.sha256(stack_identity(stack)).digest()


def next_head(head: bytes, run: str, sequence: int) -> bytes:
    """The head after one more record: SHA-256 of the former head and the record's identity.

    The body is not in it, because a change of the store's key writes bodies anew; the record's own digest is over that.
    """
    return hashlib.sha256(head + record_identity(run, sequence)).digest()


class Head(NamedTuple):
    """What a stack's row says of its journal; nothing of either before the first record."""

    head: bytes | None
    mac: bytes | None

    def is_signed(self, stack: str, mac: RowMac) -> bool:
        """Whether the store's key has signed it."""
        return self.head is not None and self.mac is not None and mac.matches(stack_identity(stack), self.head, self.mac)


def head_of(connection: Connection, stack: str) -> Head:
    """What is kept for a stack that is known."""
    row = connection.execute("SELECT head, mac FROM stack WHERE name = ?", (stack,)).fetchone()
    return Head(*(None if cell is None else bytes(cell) for cell in row))


def put_head(connection: Connection, stack: str, head: bytes, mac: RowMac) -> None:
    """Keep the head of a stack's journal, signed."""
    update = "UPDATE stack SET head = ?, mac = ? WHERE name = ?"
    connection.execute(update, (head, mac.of(stack_identity(stack), head), stack))


def put_all_heads(connection: Connection, mac: RowMac) -> None:
    """Keep the heads of all journals, for a store of a version that had none; inside a write transaction."""
    rows = connection.execute(
        "SELECT stack.name, run.id, sequence FROM record JOIN run ON run.number = record.run "
        "JOIN stack ON stack.number = run.stack ORDER BY sequence"
    )
    heads: dict[str, bytes] = {}
    for stack, run, sequence in rows:
        heads[stack] = next_head(heads.get(stack) or first_head(stack), run, sequence)
    for stack, head in heads.items():
        put_head(connection, stack, head, mac)
