"""Copies every row of one store into the empty tables of another database, keeping all numbers and digests."""

from __future__ import annotations

from typing import Final

from purvey._state.sql.database import Connection

TABLES: Final = (
    ("store", "number, estate, key_id, format, made, digest_key"),
    ("stack", "number, name, head, mac"),
    ("run", 'number, id, stack, verb, result, started, ended, "user", machine, changes'),
    ("record", "sequence, run, body, mac"),
    ("resource", "number, stack, address, generation, body, mac"),
    ("retired", "stack, address, generation, mac"),
    ("in_doubt", "operation, stack, address, generation, begun, identified, failed"),
    (
        "lease",
        'stack, fence, run, machine, boot, pid, pid_started, "user", host, heartbeat_at, expires_at, addresses, hung_until',
    ),
    ("waiting", "number, stack, ticket, run, machine, boot, pid, pid_started, heartbeat_at"),
    ("tag_out", "number, stack, address, active, body, mac"),
    ("file", "digest, content"),
    ("manifest", "run, body, mac"),
)
"""Each table with its columns, in an order in which every row refers only to rows before it; a test compares them."""


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy everything; call it in a read transaction of the one and a write transaction of the other."""
    for table, columns in TABLES:
        marks = ", ".join("?" * (columns.count(",") + 1))
        insert = f"INSERT INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608 - our own words.
        for row in source.execute(f"SELECT {columns} FROM {table}"):  # noqa: S608 - as above.
            target.execute(insert, row)
    free_leases(target)
    for number, outputs in source.execute("SELECT number, outputs FROM stack WHERE outputs IS NOT NULL"):
        target.execute("UPDATE stack SET outputs = ? WHERE number = ?", (outputs, number))


def free_leases(copy: Connection) -> None:
    """Give back every lease in a copy: whoever holds one, or waits for one, does so in the other store."""
    copy.execute("UPDATE lease SET run = '', expires_at = 0")
    copy.execute("DELETE FROM waiting")
