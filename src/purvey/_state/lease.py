"""Leases: who may write to a stack, and how everyone else learns that the holder is gone.

A lease is held for `LEASE_S` and renewed every `HEARTBEAT_S`. Each new holder gets a higher fencing number, and every journal
write is checked against it in its own transaction, so that a holder who only slept cannot write any more.

A holder on this machine whose process is gone is followed at once; any other when its lease has run out. "This machine" means
the same machine id, boot and process namespace: containers share the first two and do not see each other's processes.

A holder begins no call after its lease has ended, but one that only slept or hung may still be in the middle of those that it
began. So the new holder learns from its lease how long the former one may have begun calls (`Former`), and recovery waits
out the deadline of each before it settles it.
"""

from __future__ import annotations

import getpass
import os
import platform
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from purvey._base.clock import Clock
from purvey._base.limits import CLOCK_SKEW_S, HEARTBEAT_S
from purvey.errors import StateError

_STAT_STATE: Final = 0
_STAT_STARTED: Final = 19
"""Fields of /proc/PID/stat after the closing bracket of the command: the third and the twenty-second of proc(5)."""


WHOLE: Final = ("*",)
"""What a lease covers today: its whole stack. It is stored as a set of addresses, so that finer ones can come."""

WAITER_S: Final = 15.0
"""Seconds without a sign of life after which somebody in the queue on another machine is passed over."""


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process, known well enough to tell from another machine's or from a later one with its number.

    Attributes:
        machine: The machine's id.
        boot: Which boot of it, and which process namespace; empty where the system does not tell.
        pid: Its number there.
        pid_started: When it started, in clock ticks since boot; 0 where the system does not tell.
        user: Its user, for people.
        host: The machine's name, for people.
    """

    machine: str
    boot: str
    pid: int
    pid_started: int
    user: str
    host: str


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a stack's lease.

    Attributes:
        run: The run; empty when the lease was given back.
        fence: The fencing number.
        process: The process that runs it.
        heartbeat_at: When it was last heard of, in seconds since the epoch.
        expires_at: When the lease ends without another heartbeat.
        hung_until: As of `Former`, of those before it.
        addresses: What the lease covers; ``*`` is the whole stack.
    """

    run: str
    fence: int
    process: Process
    heartbeat_at: float
    expires_at: float
    hung_until: float = 0.0
    addresses: tuple[str, ...] = WHOLE


class Former(msgspec.Struct, frozen=True, kw_only=True):
    """The holder before, as far as its calls may still land.

    Attributes:
        calls_until: Seconds since the epoch until which it may have begun calls; 0.0 if there was none.
        hung_until: The same for the last holder, it or one before, whose process is not known to have ended: it may only be
            asleep, in the middle of a call. 0.0 if every one gave the lease back or is known to have ended.
    """

    calls_until: float = 0.0
    hung_until: float = 0.0


class Lease(msgspec.Struct, frozen=True, kw_only=True):
    """The right to write to a stack.

    Attributes:
        stack: ``name/environment``.
        run: The run that holds it.
        fence: Its fencing number: higher than those of all earlier holders.
        expires: When it ends, in seconds on the clock that counts sleep (`Clock.monotonic`).
        former: Who had it before.
    """

    stack: str
    run: str
    fence: int
    expires: float
    former: Former = Former()


def this_process() -> Process:
    """The process that this is called in."""
    started = _started(os.getpid())
    return Process(
        machine=_text("/etc/machine-id") or platform.node(), boot=_boot(), pid=os.getpid(), pid_started=started or 0,
        user=_user(), host=platform.node(),
    )  # fmt: skip


def is_over(holder: Holder, here: Process, now: float) -> bool:
    """Whether another run may take over from `holder`.

    Args:
        holder: Who has, or had, the lease.
        here: The process that asks.
        now: Seconds since the epoch.
    """
    return not holder.run or now > holder.expires_at + CLOCK_SKEW_S or _has_ended_here(holder.process, here)


def former(holder: Holder | None, here: Process, now: float) -> Former:
    """What a new holder has to know of `holder`, whose lease is over."""
    if holder is None:
        return Former()
    if not holder.run or _has_ended_here(holder.process, here):
        until = max(min(now, holder.expires_at), holder.hung_until)
        return Former(calls_until=until, hung_until=holder.hung_until)
    until = holder.expires_at + CLOCK_SKEW_S
    return Former(calls_until=until, hung_until=until)


def has_left(waiting: Process, heartbeat_at: float, here: Process, now: float) -> bool:
    """Whether somebody in the queue for a lease does not wait any more."""
    return now > heartbeat_at + WAITER_S or _has_ended_here(waiting, here)


def _has_ended_here(there: Process, here: Process) -> bool:
    return bool(there.boot) and (there.machine, there.boot) == (here.machine, here.boot) and _is_gone(there)


def busy(stack: str, holder: Holder, now: float, waiting: int = 0) -> StateError:
    """The error for a stack whose lease another run holds.

    Args:
        stack: ``name/environment``.
        holder: Who has it, or will: the first in the queue.
        now: Seconds since the epoch.
        waiting: How many wait in the queue before the one that asks.
    """
    process = holder.process
    ago = max(0.0, now - holder.heartbeat_at)
    queue = f" {waiting} wait{'s' if waiting == 1 else ''} for it already." if waiting else ""
    return StateError(
        "state.busy",
        "Another run holds the stack",
        detail=f"Run {holder.run} of {process.user}@{process.host} (process {process.pid}) works on {stack}; "
        f"it was last heard of {ago:.0f} s ago.{queue} Two runs at once would undo each other's work.",
        hint="Wait for it to end, then repeat the command.",
    )


def lost(stack: str, run: str) -> StateError:
    """The error for a run whose lease ended before it did."""
    return StateError(
        "state.lease_lost",
        "The run lost its lease",
        detail=f"Run {run} was not heard of in time, so another run may work on {stack} now.",
        hint=f"See who has it, then go on:\n\n    purvey runs\n    purvey resume {run}",
    )


class HeldLease:
    """A lease that a thread keeps alive until it is stopped.

    Args:
        lease: The lease as it was acquired.
        renew: Renews it; raises ``state.lease_lost`` when somebody else has it.
        clock: The clock that the lease's end is on.
        interval_s: Seconds between two heartbeats.
    """

    def __init__(self, lease: Lease, renew: Callable[[Lease], Lease], *, clock: Clock, interval_s: float = HEARTBEAT_S) -> None:
        self._lease = lease
        self._renew = renew
        self._clock = clock
        self._interval_s = interval_s
        self._lost = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="purvey-heartbeat", daemon=True)
        self._thread.start()

    @property
    def fence(self) -> int:
        """The fencing number, for the journal."""
        return self._lease.fence

    @property
    def former(self) -> Former:
        """Who had it before."""
        return self._lease.former

    @property
    def lease(self) -> Lease:
        """The lease as it was last renewed."""
        return self._lease

    def check(self) -> None:
        """Return if the lease is still ours; call it before each effect.

        A lease that ran out while the machine slept is renewed here, if nobody took it meanwhile.

        Raises:
            StateError: ``state.lease_lost``, or what renewing it raises.
        """
        if not self._lost and self._clock.monotonic() >= self._lease.expires:
            self._try_renew()
        if self._lost:
            raise lost(self._lease.stack, self._lease.run)

    def stop(self) -> None:
        """End the heartbeat; the lease then ends by itself unless it is released."""
        self._stopped.set()
        self._thread.join()

    def _beat(self) -> None:
        while not self._lost and not self._stopped.wait(self._interval_s):
            try:
                self._try_renew()
            except StateError:  # The next beat tries again; `check` sees when it is too late.
                continue

    def _try_renew(self) -> None:
        try:
            self._lease = self._renew(self._lease)
        except StateError as error:
            self._lost = error.code == "state.lease_lost"
            if not self._lost:
                raise


def _is_gone(process: Process) -> bool:
    """Whether a process of this machine has ended; one that only waits to be collected has."""
    try:
        os.kill(process.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # It is there, and somebody else's.
    fields = _stat(process.pid)
    if not fields:
        return False
    if fields[_STAT_STATE] in "ZX":
        return True
    return process.pid_started not in (0, int(fields[_STAT_STARTED]))


def _started(pid: int) -> int | None:
    fields = _stat(pid)
    return int(fields[_STAT_STARTED]) if fields else None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command, which may itself contain brackets and blanks; empty if unreadable."""
    return _text(f"/proc/{pid}/stat").rpartition(")")[2].split()


def _boot() -> str:
    try:
        namespace = Path("/proc/self/ns/pid").readlink().name
    except OSError:
        return ""
    boot = _text("/proc/sys/kernel/random/boot_id")
    return f"{boot} {namespace}" if boot else ""


def _text(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
