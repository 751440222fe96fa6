"""The table of leases: one row for each stack, changed in one transaction at a time."""

from __future__ import annotations

import sqlite3
from typing import Any

from purvey._base.clock import Clock
from purvey._base.limits import LEASE_S
from purvey._state.lease import Holder, Lease, Process, busy, is_over, lost, this_process
from purvey._state.sqlite.connect import transaction

_COLUMNS = "fence, run, machine, boot, pid, pid_started, user, host, heartbeat_at, expires_at"


def acquire(connection: sqlite3.Connection, stack: str, run: str, clock: Clock) -> Lease:
    """Take the lease of a stack under the next fencing number.

    Raises:
        StateError: ``state.busy``.
    """
    here, now = this_process(), clock.now()
    with transaction(connection):
        connection.execute("INSERT INTO stack (name) VALUES (?) ON CONFLICT (name) DO NOTHING", (stack,))
        (number,) = connection.execute("SELECT number FROM stack WHERE name = ?", (stack,)).fetchone()
        holder = _holder(connection, number)
        if holder is not None and not is_over(holder, here, now):
            raise busy(stack, holder, now)
        fence = holder.fence + 1 if holder is not None else 1
        _put(connection, number, Holder(run=run, fence=fence, process=here, heartbeat_at=now, expires_at=now + LEASE_S))
    return Lease(stack=stack, run=run, fence=fence, expires=clock.monotonic() + LEASE_S)


def renew(connection: sqlite3.Connection, lease: Lease, clock: Clock) -> Lease:
    """Move the end of a lease.

    Raises:
        StateError: ``state.lease_lost``.
    """
    now, expires = clock.now(), clock.monotonic() + LEASE_S  # Read before, so that a slow disk shortens the lease.
    with transaction(connection):
        found = connection.execute(
            "UPDATE lease SET heartbeat_at = ?, expires_at = ? WHERE fence = ? AND run = ? "
            "AND stack = (SELECT number FROM stack WHERE name = ?)",
            (now, now + LEASE_S, lease.fence, lease.run, lease.stack),
        )
        if found.rowcount != 1:
            raise lost(lease.stack, lease.run)
    return Lease(stack=lease.stack, run=lease.run, fence=lease.fence, expires=expires)


def release(connection: sqlite3.Connection, lease: Lease) -> None:
    """Give a lease back; its number stays, so that the next one is higher."""
    with transaction(connection):
        connection.execute(
            "UPDATE lease SET run = '' WHERE fence = ? AND run = ? AND stack = (SELECT number FROM stack WHERE name = ?)",
            (lease.fence, lease.run, lease.stack),
        )


def _holder(connection: sqlite3.Connection, stack: int) -> Holder | None:
    row: Any = connection.execute(f"SELECT {_COLUMNS} FROM lease WHERE stack = ?", (stack,)).fetchone()  # noqa: S608 - our own words.
    if row is None:
        return None
    fence, run, machine, boot, pid, pid_started, user, host, heartbeat_at, expires_at = row
    process = Process(machine=machine, boot=boot, pid=pid, pid_started=pid_started, user=user, host=host)
    return Holder(run=run, fence=fence, process=process, heartbeat_at=heartbeat_at, expires_at=expires_at)


def _put(connection: sqlite3.Connection, stack: int, holder: Holder) -> None:
    process = holder.process
    connection.execute(
        f"INSERT OR REPLACE INTO lease (stack, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - as above.
        (
            stack, holder.fence, holder.run, process.machine, process.boot, process.pid, process.pid_started, process.user,
            process.host, holder.heartbeat_at, holder.expires_at,
        ),
    )  # fmt: skip
