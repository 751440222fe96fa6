"""Leases: one holder at a time, late writers refused, the dead followed at once and the distant after their time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from purvey._base.limits import CALL_DEADLINE_S, CLOCK_SKEW_S, LEASE_S
from purvey._state import lease as leases
from purvey._state.sql import lease as table
from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from collections.abc import Callable

    from purvey._state.sql.store import SqlStore

ROOT = Path(__file__).resolve().parents[3]


def until(condition: Callable[[], object], within_s: float = 10.0) -> None:
    """Return when `condition` holds; fail when it does not within the bound."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)


def elsewhere(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    """Ask from another process than the test's: with some of its fields changed."""
    process = msgspec.structs.replace(leases.this_process(), **fields)
    monkeypatch.setattr(table, "this_process", lambda: process)


def test_a_held_stack_is_busy(store: SqlStore, clock: kit.ToldClock) -> None:
    """The error says who, where, since when it was silent, and how to wait; other stacks are free."""
    store.acquire(kit.STACK, "RUN1")
    clock.time += 7

    with pytest.raises(StateError) as caught:
        store.acquire(kit.STACK, "RUN2")

    process = leases.this_process()
    error = caught.value
    assert error.code == "state.busy"
    assert f"Run RUN1 of {process.user}@{process.host} (process {os.getpid()})" in error.detail
    assert "7 s ago" in error.detail
    assert "repeat the command" in error.hint
    assert store.acquire("other/dev", "RUN2").fence == 1


def test_the_fence_rises_and_never_falls(store: SqlStore) -> None:
    """Each holder has a higher number than all before, also after the lease was given back."""
    fences = []
    for number in range(3):
        with kit.held(store, f"RUN{number}") as lease:
            fences.append(lease.fence)

    assert fences == [1, 2, 3]


@pytest.mark.parametrize("fence", [0, 1, 3])
def test_only_the_holder_writes(store: SqlStore, fence: int) -> None:
    """A journal whose number is not the latest lease's is refused, and nothing of it is written."""
    kit.write(store, kit.opened(), run="RUN1")

    with kit.held(store, "RUN2") as lease:
        assert lease.fence == 2
        with pytest.raises(StateError) as caught:
            store.open_journal(kit.STACK, "RUN1", fence).write_now(*kit.created("late"))

    assert caught.value.code == "state.fenced"
    assert "run RUN2 has it now" in caught.value.detail
    assert store.load(kit.STACK).resources == {}


def test_a_lease_given_back_writes_no_more(store: SqlStore) -> None:
    """After the release the number is still the latest, and yet refused."""
    with kit.held(store) as lease:
        journal = store.open_journal(kit.STACK, "RUN1", lease.fence)
        journal.write_now(kit.opened())

    with pytest.raises(StateError) as caught:
        journal.write_now(kit.closed())

    assert caught.value.code == "state.fenced"


def test_one_fenced_writer_does_not_stop_the_others(store: SqlStore) -> None:
    """In one batch the late writer is refused, and everybody else's records are durable."""
    store.acquire(kit.STACK, "RUN1")
    store.acquire("other/dev", "RUN2")
    late = store.open_journal(kit.STACK, "RUN1", 9)
    good = store.open_journal("other/dev", "RUN2", 1)
    errors: list[object] = []

    def write(number: int) -> None:
        try:
            (late if number % 2 else good).write_now(kit.begun(f"op{number}", kit.resource(f"n{number}")))
        except StateError as error:
            errors.append(error.code)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert errors == ["state.fenced"] * 10
    assert len(store.load("other/dev").in_doubt) == 10
    assert store.load(kit.STACK).in_doubt == {}


@pytest.mark.parametrize("field", ["machine", "boot"])
def test_a_distant_holder_is_followed_after_its_time(
    store: SqlStore, clock: kit.ToldClock, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """From another machine, boot or process namespace a lease is free when it has ended by every clock."""
    first = store.acquire(kit.STACK, "RUN1")
    ends = clock.time + LEASE_S + CLOCK_SKEW_S
    elsewhere(monkeypatch, **{field: "another", "pid": 1})

    clock.time += LEASE_S + CLOCK_SKEW_S
    with pytest.raises(StateError):
        store.acquire(kit.STACK, "RUN2")
    clock.time += 0.1
    second = store.acquire(kit.STACK, "RUN2")

    assert (first.former, second.fence) == (leases.Former(), 2)
    assert second.former == leases.Former(calls_until=ends, hung_until=ends)


def test_a_sleeper_is_remembered_behind_the_next_holder(
    store: SqlStore, clock: kit.ToldClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever follows a holder that ended well still learns of the one before, who may only be asleep."""
    store.acquire(kit.STACK, "RUN1")
    ends = clock.time + LEASE_S + CLOCK_SKEW_S
    elsewhere(monkeypatch, machine="another")
    clock.time = ends + 1
    store.release(store.acquire(kit.STACK, "RUN2"))
    clock.time += 100

    third = store.acquire(kit.STACK, "RUN3").former

    assert third == leases.Former(calls_until=clock.time - 100, hung_until=ends)


def test_a_lease_that_was_given_back_leaves_no_sleeper(store: SqlStore, clock: kit.ToldClock) -> None:
    """Its last call had begun when it was given back."""
    store.release(store.acquire(kit.STACK, "RUN1"))
    clock.time += 50

    assert store.acquire(kit.STACK, "RUN2").former == leases.Former(calls_until=clock.time - 50, hung_until=0.0)


def test_the_queue_is_first_come_first_served(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A free lease goes to whoever waited longest; nobody passes, whether they ask to wait or not, and the message counts."""
    first = store.acquire(kit.STACK, "RUN1")
    for run in ("RUN2", "RUN3", "RUN2"):
        with pytest.raises(StateError):
            store.acquire(kit.STACK, run, queue=True)
    store.release(first)

    with pytest.raises(StateError, match="Another run") as caught:
        store.acquire(kit.STACK, "RUN4")
    assert "Run RUN2" in caught.value.detail
    assert "2 wait for it already" in caught.value.detail
    with pytest.raises(StateError) as caught:
        store.acquire(kit.STACK, "RUN3", queue=True)
    assert "1 waits for it already" in caught.value.detail
    second = store.acquire(kit.STACK, "RUN2", queue=True)
    store.release(second)
    store.leave(kit.STACK, "RUN3")

    assert (second.fence, store.acquire(kit.STACK, "RUN4").fence) == (2, 3)


@pytest.mark.parametrize("how", ["dead", "silent"])
def test_whoever_waits_no_more_is_passed_over(
    store: SqlStore, clock: kit.ToldClock, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A process in the queue that is gone, or on another machine and silent for long, holds nobody up."""
    first = store.acquire(kit.STACK, "RUN1")
    elsewhere(monkeypatch, **({"pid_started": 1} if how == "dead" else {"machine": "another"}))
    with pytest.raises(StateError):
        store.acquire(kit.STACK, "RUN2", queue=True)
    monkeypatch.undo()
    store.release(first)
    if how == "silent":
        with pytest.raises(StateError):
            store.acquire(kit.STACK, "RUN3")
        clock.time += leases.WAITER_S + 0.1

    assert store.acquire(kit.STACK, "RUN3").fence == 2


def test_whoever_gives_up_leaves_the_queue(store: SqlStore) -> None:
    """A wait that is broken off is as if it had never begun."""
    first = store.acquire(kit.STACK, "RUN1")
    with pytest.raises(StateError, match="Another run"), store.hold(kit.STACK, "RUN2", wait=True, give_up=lambda: True):
        raise AssertionError
    store.release(first)

    assert store.acquire(kit.STACK, "RUN3").fence == 2


def test_a_lease_covers_the_whole_stack(store: SqlStore, place: kit.Place) -> None:
    """It is stored as a set of addresses, so that finer ones can come."""
    store.acquire(kit.STACK, "RUN1")

    with kit.raw(place) as connection:
        assert connection.execute("SELECT addresses FROM lease").fetchall() == [('["*"]',)]


def test_a_process_with_the_same_number_is_another(store: SqlStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A holder whose number now belongs to a process that started later is gone."""
    elsewhere(monkeypatch, pid_started=1)
    store.acquire(kit.STACK, "RUN1")
    monkeypatch.undo()

    assert store.acquire(kit.STACK, "RUN2").fence == 2


@pytest.mark.parametrize("collected", [True, False], ids=["collected", "zombie"])
def test_a_dead_holder_is_followed_at_once(store: SqlStore, place: kit.Place, collected: bool) -> None:
    """A killed holder on this machine is followed without waiting, even before its parent noticed."""
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.unit.state.worker", "hold", str(place)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "held\n"
    with pytest.raises(StateError):
        store.acquire(kit.STACK, "RUN2")

    child.kill()
    if collected:
        child.wait()
    until(lambda: _is_dead(child.pid))

    assert store.acquire(kit.STACK, "RUN2").fence == 2
    child.wait()
    child.stdout.close()


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_heartbeat_keeps_the_lease(store: SqlStore, clock: kit.ToldClock) -> None:
    """While it beats, the lease's end moves on with the time."""
    first = store.acquire(kit.STACK, "RUN1")
    held = leases.HeldLease(first, store.renew, clock=clock, interval_s=0.005)
    clock.time += LEASE_S - 1

    until(lambda: held.lease.expires > first.expires)
    clock.time += LEASE_S - 1
    held.check()
    held.stop()

    assert held.fence == 1


def test_a_lost_lease_is_noticed(store: SqlStore, clock: kit.ToldClock, monkeypatch: pytest.MonkeyPatch) -> None:
    """When somebody else took the lease, the holder's next check stops it."""
    held = leases.HeldLease(store.acquire(kit.STACK, "RUN1"), store.renew, clock=clock, interval_s=60)
    elsewhere(monkeypatch, machine="another")
    held.check()
    clock.time += LEASE_S + CALL_DEADLINE_S + 1
    store.acquire(kit.STACK, "RUN2")

    with pytest.raises(StateError) as caught:
        held.check()
    held.stop()

    assert caught.value.code == "state.lease_lost"
    assert "purvey resume RUN1" in caught.value.hint


def test_a_machine_that_slept_goes_on_if_nobody_came(store: SqlStore, clock: kit.ToldClock) -> None:
    """A lease that ran out and was not taken is renewed by the next check."""
    held = leases.HeldLease(store.acquire(kit.STACK, "RUN1"), store.renew, clock=clock, interval_s=60)
    clock.time += 3600

    held.check()
    held.stop()

    assert held.lease.expires == clock.time + LEASE_S


def test_holding_gives_back_in_the_end(store: SqlStore) -> None:
    """A block that ends, well or badly, leaves the stack free at once."""
    with pytest.raises(ZeroDivisionError), store.hold(kit.STACK, "RUN1"):
        raise ZeroDivisionError

    with store.hold(kit.STACK, "RUN2") as held:
        assert held.fence == 2


def test_waiting_ends_with_the_other_run(store: SqlStore) -> None:
    """Whoever waits gets the lease when the other run gives it back."""
    first = store.acquire(kit.STACK, "RUN1")
    timer = threading.Timer(0.2, store.release, (first,))
    timer.start()

    with store.hold(kit.STACK, "RUN2", wait=True) as held:
        assert held.fence == 2
    timer.join()


def test_a_later_holder_s_lease_is_not_given_back(store: SqlStore) -> None:
    """Releasing a lease that was lost leaves the new holder's alone."""
    store.acquire(kit.STACK, "RUN1")

    store.release(kit.lease_of(7))

    with pytest.raises(StateError):
        store.acquire(kit.STACK, "RUN2")
