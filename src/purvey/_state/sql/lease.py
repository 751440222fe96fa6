"""The tables of leases and of those who wait for one: one row for each stack, changed in one transaction at a time.

Every function here is called inside a write transaction.

The queue is fair: whoever asks to wait gets a number, and a free lease goes to the lowest number whose process still waits.
Nobody passes those who wait, whether they ask to wait or not.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from purvey._base.clock import Clock
from purvey._base.limits import LEASE_S
from purvey._state.lease import Holder, Lease, Process, busy, former, has_left, is_over, lost, this_process
from purvey._state.sql.database import Connection
from purvey.errors import StateError

_NAMES: Final = ("fence", "run", "machine", "boot", "pid", "pid_started", '"user"', "host", "heartbeat_at", "expires_at")
_COLUMNS: Final = ", ".join((*_NAMES, "hung_until", "addresses"))
_REPLACED: Final = ", ".join(f"{name} = excluded.{name}" for name in (*_NAMES, "hung_until", "addresses"))
_ADDRESSES: Final = msgspec.json.Decoder(tuple[str, ...])


def acquire(connection: Connection, stack: str, run: str, clock: Clock, *, queue: bool = False) -> Lease | StateError:
    """Take the lease of a stack under the next fencing number.

    A refusal, ``state.busy``, is returned and not raised: the place in the queue must be kept.

    Args:
        connection: The writer's, in a transaction.
        stack: ``name/environment``.
        run: The run.
        clock: Time and chance.
        queue: Whether to get, or keep, a place in the queue where it is not free.
    """
    here, now, expires = this_process(), clock.now(), clock.monotonic() + LEASE_S
    got = _acquired(connection, stack, run, here, now, queue=queue)
    return got if isinstance(got, StateError) else msgspec.structs.replace(got, expires=expires)


def _acquired(connection: Connection, stack: str, run: str, here: Process, now: float, *, queue: bool) -> Lease | StateError:
    connection.execute("INSERT INTO stack (name) VALUES (?) ON CONFLICT (name) DO NOTHING", (stack,))
    (number,) = connection.execute("SELECT number FROM stack WHERE name = ?", (stack,)).fetchone()
    holder = _holder(connection, number)
    ticket = _ticket(run, here)
    before = _before(connection, number, ticket, here, now)
    if before or (holder is not None and not is_over(holder, here, now)):
        if queue:
            _wait(connection, number, ticket, run, here, now)
        last = holder or Holder(run=before[0], fence=0, process=here, heartbeat_at=now, expires_at=now)
        return busy(stack, last if last.run else msgspec.structs.replace(last, run=before[0]), now, len(before))
    connection.execute("DELETE FROM waiting WHERE stack = ? AND ticket = ?", (number, ticket))
    fence = holder.fence + 1 if holder is not None else 1
    last_one = former(holder, here, now)
    _put(
        connection, number,
        Holder(
            run=run, fence=fence, process=here, heartbeat_at=now, expires_at=now + LEASE_S, hung_until=last_one.hung_until
        ),
    )  # fmt: skip
    return Lease(stack=stack, run=run, fence=fence, expires=0.0, former=last_one)


def renew(connection: Connection, lease: Lease, clock: Clock) -> Lease:
    """Move the end of a lease.

    Raises:
        StateError: ``state.lease_lost``.
    """
    now, expires = clock.now(), clock.monotonic() + LEASE_S  # Read before, so that a slow disk shortens the lease.
    found = connection.execute(
        "UPDATE lease SET heartbeat_at = ?, expires_at = ? WHERE fence = ? AND run = ? "
        "AND stack = (SELECT number FROM stack WHERE name = ?) RETURNING fence",
        (now, now + LEASE_S, lease.fence, lease.run, lease.stack),
    ).fetchall()
    if not found:
        raise lost(lease.stack, lease.run)
    return msgspec.structs.replace(lease, expires=expires)


def release(connection: Connection, lease: Lease, clock: Clock) -> None:
    """Give a lease back; its number stays, so that the next one is higher, and its end, which is now."""
    connection.execute(
        "UPDATE lease SET run = '', expires_at = ? WHERE fence = ? AND run = ? "
        "AND stack = (SELECT number FROM stack WHERE name = ?)",
        (clock.now(), lease.fence, lease.run, lease.stack),
    )


def held_by(connection: Connection) -> set[str]:
    """The runs that have a lease."""
    return {run for (run,) in connection.execute("SELECT run FROM lease WHERE run <> ''")}


def leave(connection: Connection, stack: str, run: str) -> None:
    """Give up a place in the queue."""
    connection.execute(
        "DELETE FROM waiting WHERE ticket = ? AND stack = (SELECT number FROM stack WHERE name = ?)",
        (_ticket(run, this_process()), stack),
    )


def _ticket(run: str, here: Process) -> str:
    """What tells one who waits from every other: one run may be resumed twice at a time."""
    return f"{run} {here.machine} {here.boot} {here.pid} {here.pid_started}"


def _before(connection: Connection, stack: int, ticket: str, here: Process, now: float) -> list[str]:
    """The runs that wait in the queue before the owner of `ticket`; those that do not wait any more are taken out."""
    rows = connection.execute(
        "SELECT number, ticket, run, machine, boot, pid, pid_started, heartbeat_at FROM waiting WHERE stack = ? "
        "ORDER BY number",
        (stack,),
    ).fetchall()
    before = []
    for number, theirs, run, machine, boot, pid, pid_started, heartbeat_at in rows:
        if theirs == ticket:
            break
        process = Process(machine=machine, boot=boot, pid=pid, pid_started=pid_started, user="", host="")
        if has_left(process, heartbeat_at, here, now):
            connection.execute("DELETE FROM waiting WHERE number = ?", (number,))
        else:
            before.append(run)
    return before


def _wait(connection: Connection, stack: int, ticket: str, run: str, here: Process, now: float) -> None:
    """Join the queue, or tell it that one still waits."""
    connection.execute(
        "INSERT INTO waiting (stack, ticket, run, machine, boot, pid, pid_started, heartbeat_at) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (stack, ticket) DO UPDATE SET heartbeat_at = excluded.heartbeat_at",
        (stack, ticket, run, here.machine, here.boot, here.pid, here.pid_started, now),
    )


def _holder(connection: Connection, stack: int) -> Holder | None:
    row: Any = connection.execute(f"SELECT {_COLUMNS} FROM lease WHERE stack = ?", (stack,)).fetchone()  # noqa: S608 - our own words.
    if row is None:
        return None
    fence, run, machine, boot, pid, pid_started, user, host, heartbeat_at, expires_at, hung_until, addresses = row
    process = Process(machine=machine, boot=boot, pid=pid, pid_started=pid_started, user=user, host=host)
    return Holder(
        run=run, fence=fence, process=process, heartbeat_at=heartbeat_at, expires_at=expires_at, hung_until=hung_until,
        addresses=_ADDRESSES.decode(addresses),
    )  # fmt: skip


def _put(connection: Connection, stack: int, holder: Holder) -> None:
    process = holder.process
    connection.execute(
        f"INSERT INTO lease (stack, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "  # noqa: S608 - as above.
        f"ON CONFLICT (stack) DO UPDATE SET {_REPLACED}",
        (
            stack, holder.fence, holder.run, process.machine, process.boot, process.pid, process.pid_started, process.user,
            process.host, holder.heartbeat_at, holder.expires_at, holder.hung_until,
            msgspec.json.encode(holder.addresses).decode(),
        ),
    )  # fmt: skip
