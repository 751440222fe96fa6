"""Start, look at, stop and forget a kept service: purvey's side of `keeper`.

Nothing here remembers anything. The truth is in two places, and both are read each time: the keeper's record says which
processes there were (by pid and start time, as pids are given again), and ``/proc`` says which of them still are.

    starting -> running -> stopping -> exited      a keeper lives, up to the end
                running -> restarting -> running   only when `restart` asks for it
    failed                                         the command never ran; `start` has told why
    lost                                           the keeper was killed, so nobody saw how the service ended
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path
from typing import Final

import msgspec

from purvey._base.clock import Clock
from purvey.errors import HostError
from purvey.resources.process import keeper
from purvey.resources.process.keeper_model import ServiceSpec, ServiceState, Status
from purvey.resources.process.keeper_processes import boot_id, end, ended, held, leftovers, lives, send
from purvey.resources.process.keeper_start import document, not_started, run_keeper

__all__ = ["ServiceSpec", "ServiceState", "Status", "forget", "start", "status", "stop"]

SETTLE_S: Final = 0.05
"""Seconds that a look waits for a keeper to write down that its service ended; it needs about a millisecond."""

PATIENCE_S: Final = 10.0
"""How long, beyond the time of grace, a keeper that holds the lock may take to start or to leave."""

POLL_S: Final = 0.02
"""Seconds between two looks at a keeper that is just starting; the whole start takes about 0.05 s."""

LOOKS_MAX: Final = 40
"""A record that contradicts ``/proc`` is about to change; if it still does after 2 s of looks, its keeper hangs."""

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")


async def start(spec: ServiceSpec, *, clock: Clock) -> ServiceState:
    """The state of the service once its command runs; one that already runs is left as it is.

    Safe to repeat after a crash at any moment: there is at most one keeper for an id, and processes that a killed
    keeper left behind are ended first.

    Args:
        spec: What to keep, and how.
        clock: For the bound on the wait for an earlier keeper that starts or stops just now.

    Raises:
        HostError: if the command, its folder or its user does not exist or may not be used, or if an earlier keeper of
            this id does not leave in time.
    """
    _check(spec.id)
    text = document(spec)
    deadline = clock.monotonic() + spec.grace_s + PATIENCE_S
    while clock.monotonic() <= deadline:
        state = await status(spec.state_dir, spec.id)
        if state is not None and state.status in ("running", "restarting"):
            return state
        if state is None or not state.alive:
            started = await _try_to_start(spec, text, state)
            if started is not None:
                return started
        await clock.sleep(POLL_S)
    lock = _path(spec.state_dir, spec.id, "lock")
    raise HostError(
        "in_use",
        "An earlier keeper of a service does not leave",
        detail=f"It still holds the lock of {spec.id}, so a second one must not start.",
        hint=f"See which process it is:\n  fuser -v {lock}",
    )


async def _try_to_start(spec: ServiceSpec, text: bytes, before: ServiceState | None) -> ServiceState | None:
    """The state of the service if it was started; None if another keeper holds the lock."""
    if before is not None and before.leftovers:
        await end(before, spec.grace_s)
    answer = await run_keeper(spec, text)
    if answer.stage == "running":
        return await status(spec.state_dir, spec.id)
    if answer.stage == "locked":
        return None
    raise not_started(answer, spec)


async def status(state_dir: str, service_id: str) -> ServiceState | None:
    """What is true of the service now; None if nothing is known of it.

    Raises:
        HostError: if the record cannot be read.
    """
    state = _read(state_dir, service_id)
    for _ in range(LOOKS_MAX):
        if state is None or not state.alive:
            return state
        with held(state.keeper_pid, state.keeper_ticks) as kept:
            if kept is not None and state.boot == boot_id():
                if state.status != "running" or lives(state.pid, state.started_ticks):
                    return state
                await ended(kept, SETTLE_S)  # The service ended a moment ago, and its keeper is about to say so.
        before, state = state, _read(state_dir, service_id)
        if kept is None and state == before:  # Else the keeper had its last word between our two looks.
            break
    return None if state is None else msgspec.structs.replace(state, status="lost", leftovers=leftovers(state))


async def stop(state_dir: str, service_id: str, grace_s: float) -> ServiceState | None:
    """End the service and all that it started, and say what became of it; None if nothing is known of it.

    Args:
        state_dir: See `ServiceSpec`.
        service_id: See `ServiceSpec`.
        grace_s: Seconds until it is killed; the shorter of this and the one that it was started with counts.

    Raises:
        HostError: if it may not be signalled, or if something survives being killed.
    """
    state = await status(state_dir, service_id)
    if state is None:
        return None
    if state.boot == boot_id():
        await _end_keeper(state, grace_s)
    state = await status(state_dir, service_id)
    if state is not None and state.leftovers:
        await end(state, grace_s)
        state = await status(state_dir, service_id)
    if state is not None and (state.alive or state.leftovers):
        pids = ",".join(map(str, state.leftovers or (state.keeper_pid, state.pid)))
        raise HostError(
            "failed",
            "A service cannot be stopped",
            detail=f"{service_id} was killed and still runs: it belongs to another user, or waits for a device.",
            hint=f"See what it waits for:\n  ps -o pid,user,stat,wchan,args -p {pids}",
        )
    return state


async def _end_keeper(state: ServiceState, grace_s: float) -> None:
    """Ask the keeper to stop the service, then to kill it, then kill the keeper, which kills the service."""
    with held(state.keeper_pid, state.keeper_ticks) as kept:
        if kept is None:
            return
        steps = ((signal.SIGTERM, grace_s), (signal.SIGQUIT, PATIENCE_S), (signal.SIGKILL, PATIENCE_S))
        for number, patience_s in steps:
            send(kept, number)
            if await ended(kept, patience_s):
                return


async def _end_of_keeper(state: ServiceState) -> None:
    """Wait until a keeper that has written its last word is gone, and its lock with it."""
    with held(state.keeper_pid, state.keeper_ticks) as kept:
        if kept is not None and state.boot == boot_id():
            await ended(kept, PATIENCE_S)


async def forget(state_dir: str, service_id: str) -> None:
    """Remove the record and the lock of a service that has ended; nothing if there are none. Its log stays.

    Raises:
        HostError: if it still has a keeper.
    """
    _check(service_id)
    lock = _path(state_dir, service_id, "lock")
    state = await status(state_dir, service_id)
    if state is not None and not state.alive:
        await _end_of_keeper(state)
    try:
        file = keeper.lock(str(lock))
    except FileNotFoundError:
        return
    if file is None:
        hint = "Stop it first."
        raise HostError("in_use", "A running service cannot be forgotten", detail=f"{service_id} is kept.", hint=hint)
    try:
        for suffix in ("json", "json.new"):
            _path(state_dir, service_id, suffix).unlink(missing_ok=True)
        lock.unlink()
    finally:
        os.close(file)


def _check(service_id: str) -> None:
    if not _ID.fullmatch(service_id):
        raise HostError(
            "invalid",
            "A service's id cannot be the name of a file",
            detail=f"{service_id!r} has other characters than letters, digits, '.', '_' and '-', or too many.",
        )


def _path(state_dir: str, service_id: str, suffix: str) -> Path:
    return Path(state_dir, f"{service_id}.{suffix}")


def _read(state_dir: str, service_id: str) -> ServiceState | None:
    path = _path(state_dir, service_id, "json")
    try:
        return msgspec.json.decode(path.read_bytes(), type=ServiceState)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise HostError(
            "failed",
            "The record of a service cannot be read",
            detail=f"{path}: {error}",
            hint="Run purvey as the user who started the service. If it is damaged, end the service and remove it.",
        ) from error
