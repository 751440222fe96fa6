"""Processes named for sure: by pid and start time, and held by a descriptor while they are signalled and awaited."""

from __future__ import annotations

import os
import signal
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from purvey.errors import HostError
from purvey.resources.process.keeper_service import process_stat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from purvey.resources.process.keeper_model import ServiceState

ROUNDS_MAX: Final = 5
"""A process may fork while it is ended; more rounds than this mean that it cannot be ended."""

KILL_S: Final = 2.0
"""Seconds a killed process gets to be gone."""


def boot_id() -> str:
    """What tells this start of the machine from the one before: pids and start times are worth nothing across it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def lives(pid: int, ticks: int) -> bool:
    """Whether the process with this pid and start time runs."""
    try:
        state, _, started = process_stat(pid)
    except (OSError, IndexError):
        return False
    return started == ticks and state not in "ZX"


@contextmanager
def held(pid: int, ticks: int) -> Iterator[int | None]:
    """A descriptor that means this very process, whatever becomes of its pid; None if it does not run."""
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:
        yield None
        return
    try:
        yield descriptor if lives(pid, ticks) else None
    finally:
        os.close(descriptor)


def send(process: int, number: signal.Signals) -> None:
    """Send a signal through a descriptor of `held`; nothing if the process has ended.

    Raises:
        HostError: if the process is another user's.
    """
    try:
        signal.pidfd_send_signal(process, number)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise HostError(
            "denied",
            "A process may not be signalled",
            detail="It belongs to another user than the one who runs purvey.",
            hint="Run purvey as the user who started the service, or as root.",
        ) from error


async def ended(process: int, within_s: float) -> bool:
    """Whether the process of a descriptor of `held` ends within so many seconds."""
    import asyncio  # noqa: PLC0415 - the import of a script must not pay for asyncio.

    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(process, gone.set)
    try:
        await asyncio.wait_for(gone.wait(), within_s)
    except TimeoutError:
        return False
    finally:
        loop.remove_reader(process)
    return True


def leftovers(state: ServiceState) -> tuple[int, ...]:
    """Running processes that come from the service; only meaningful when its keeper is gone.

    They bear the keeper's token in their environment, or, where they have overwritten that, belong to the service's
    session. The kernel gives a session's number to no other process while the session has a member.
    """
    if state.boot != boot_id():
        return ()
    session = 0 if _is_another(state.pid, state.started_ticks) else state.pid
    mark = f"PURVEY_INSTANCE={state.token}".encode()
    pids = sorted(int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return tuple(pid for pid in pids if _comes_from(pid, mark, session, state.started_ticks))


def _is_another(pid: int, ticks: int) -> bool:
    """Whether the pid was given to a newer process."""
    try:
        return process_stat(pid)[2] != ticks
    except (OSError, IndexError):
        return False


def _comes_from(pid: int, mark: bytes, session: int, since_ticks: int) -> bool:
    try:
        state, _, started = process_stat(pid)
        if state in "ZX":
            return False
        if session and os.getsid(pid) == session and started >= since_ticks:
            return True
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except (OSError, IndexError):  # It has ended, or is another user's, whose environment is not ours to read.
        return False


async def end(state: ServiceState, grace_s: float) -> None:
    """Ask what a killed keeper left behind to end, and kill what does not within `grace_s` seconds."""
    number, patience_s = signal.SIGTERM, grace_s
    for _ in range(ROUNDS_MAX):
        pids = leftovers(state)
        if not pids:
            return
        with ExitStack() as stack:
            processes = [stack.enter_context(held(pid, ticks)) for pid, ticks in _started(pids)]
            running = [process for process in processes if process is not None]
            for process in running:
                send(process, number)
            await _all_ended(running, patience_s)
        number, patience_s = signal.SIGKILL, KILL_S


def _started(pids: tuple[int, ...]) -> Iterator[tuple[int, int]]:
    for pid in pids:
        with suppress(OSError, IndexError):
            yield pid, process_stat(pid)[2]


async def _all_ended(processes: list[int], within_s: float) -> None:
    import asyncio  # noqa: PLC0415 - as above.

    await asyncio.gather(*(ended(process, within_s) for process in processes))
