"""Writes what an earlier key of the store has signed or sealed anew under its present one, a batch at a time.

Each row is checked before it is written anew, so that nothing wrong becomes right by it; and what is written under the present
key already stays as it is, so that whoever is killed half-way begins again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from purvey._state.mac import (
    RowMac,
    manifest_identity,
    record_identity,
    resource_identity,
    retired_body,
    retired_identity,
    stack_identity,
    tag_out_identity,
    tampered,
)
from purvey._state.sql.database import Connection
from purvey._state.sql.head import head_of, put_head

BATCH: Final = 500
"""Rows that are read in one transaction: few enough that a run that writes meanwhile waits for milliseconds."""


class Table(NamedTuple):
    """Rows with a digest.

    Attributes:
        name: The table's name.
        select: The rows of one stack after a place, in order: the place, what tells whose digest it is, body and digest.
        update: Sets body and digest of the row at a place.
        identity: What the digest is over, besides the body.
    """

    name: str
    select: str
    update: str
    identity: Callable[[str, Sequence[Any]], bytes]


_STACK: Final = "(SELECT number FROM stack WHERE name = ?)"

TABLES: Final = (
    Table(
        "record",
        "SELECT sequence, run.id, body, mac FROM record JOIN run ON run.number = record.run "  # noqa: S608 - as above.
        f"WHERE run.stack = {_STACK} AND sequence > coalesce(?, 0) ORDER BY sequence LIMIT {BATCH}",
        "UPDATE record SET body = ?, mac = ? WHERE sequence = ?",
        lambda _, row: record_identity(row[1], row[0]),
    ),
    Table(
        "resource",
        f"SELECT number, address, body, mac FROM resource WHERE stack = {_STACK} AND number > coalesce(?, 0) "  # noqa: S608 - as above.
        f"ORDER BY number LIMIT {BATCH}",
        "UPDATE resource SET body = ?, mac = ? WHERE number = ?",
        lambda stack, _: resource_identity(stack),
    ),
    Table(
        "tag_out",
        f"SELECT number, active, body, mac FROM tag_out WHERE stack = {_STACK} AND number > coalesce(?, 0) "  # noqa: S608 - as above.
        f"ORDER BY number LIMIT {BATCH}",
        "UPDATE tag_out SET body = ?, mac = ? WHERE number = ?",
        lambda stack, row: tag_out_identity(stack, row[1]),
    ),
    Table(
        "manifest",
        # Also of runs that were killed before their first record, and so belong to no stack.
        f"SELECT run, run, body, mac FROM manifest WHERE run NOT IN (SELECT id FROM run WHERE stack <> {_STACK}) "  # noqa: S608 - as above.
        f"AND run > coalesce(?, '') ORDER BY run LIMIT {BATCH}",
        "UPDATE manifest SET body = ?, mac = ? WHERE run = ?",
        lambda _, row: manifest_identity(row[1]),
    ),
)
"""Every table with bodies; `retired` has none."""


def batch(
    connection: Connection, *, table: Table, stack: str, after: object, mac: RowMac, renew: Callable[[bytes], bytes]
) -> tuple[int, object]:  # fmt: skip
    """Write one batch of rows of a stack anew.

    Args:
        connection: The writer's, in a transaction.
        table: Which rows.
        stack: ``name/environment``.
        after: The place after which to begin; None for the first batch.
        mac: Knows the store's keys.
        renew: A body with what is sealed in it sealed under the present key.

    Returns:
        How many rows were written, and the place after which to go on; None after the last batch.

    Raises:
        StateError: ``state.tampered_row``.
    """
    rows = connection.execute(table.select, (stack, after)).fetchall()
    written = 0
    for row in rows:
        place, _, body, digest = row
        identity = table.identity(stack, row)
        if not mac.matches(identity, body, digest):
            raise tampered(f"Row {place} of the table {table.name}, of {stack},")
        renewed = renew(bytes(body))
        signed = mac.of(identity, renewed)
        if (renewed, signed) != (bytes(body), bytes(digest)):
            connection.execute(table.update, (renewed, signed, place))
            written += 1
    if table.name == "resource" and after is None:
        written += _retired(connection, stack, mac) + _head(connection, stack, mac)
    return written, rows[-1][0] if len(rows) == BATCH else None


def _retired(connection: Connection, stack: str, mac: RowMac) -> int:
    """Sign the highest generations of what is gone anew: small rows, all at once."""
    identity = retired_identity(stack)
    written = 0
    select = f"SELECT address, generation, mac FROM retired WHERE stack = {_STACK}"  # noqa: S608 - our own words.
    for address, generation, digest in connection.execute(select, (stack,)).fetchall():
        body = retired_body(address, generation)
        if not mac.matches(identity, body, digest):
            raise tampered(f"The highest generation of {stack}::{address}")
        signed = mac.of(identity, body)
        if signed != bytes(digest):
            update = f"UPDATE retired SET mac = ? WHERE address = ? AND stack = {_STACK}"  # noqa: S608 - as above.
            connection.execute(update, (signed, address, stack))
            written += 1
    return written


def _head(connection: Connection, stack: str, mac: RowMac) -> int:
    """Sign the head of the stack's journal anew."""
    kept = head_of(connection, stack)
    if kept.head is None:
        return 0
    if not kept.is_signed(stack, mac):
        raise tampered(f"The head of the journal of {stack}")
    if mac.of(stack_identity(stack), kept.head) == kept.mac:
        return 0
    put_head(connection, stack, kept.head, mac)
    return 1
