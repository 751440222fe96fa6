"""Group commit: many writers, few transactions, nobody told too early, nobody left waiting."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from purvey._state.journal import Journal, Write, Writer, write_together
from purvey._state.record import Begun, Opened, Succeeded
from purvey._state.sql.write import SqlAdapter
from purvey.errors import InternalError, StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from purvey._state.sql.store import SqlStore


class SlowDisk:
    """An adapter that keeps what it is given, one batch each time `go` allows it; it fails while `failure` is set."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.began = threading.Semaphore(0)
        self.go = threading.Semaphore(0)
        self.failure: Exception | None = None

    def commit(self, writes: Sequence[Write]) -> None:
        """Wait for permission, then keep or fail."""
        self.began.release()
        assert self.go.acquire(timeout=10)
        if isinstance(self.failure, StateError):
            for write in writes:
                write.error = self.failure
        elif self.failure is not None:
            raise self.failure
        else:
            self.batches.append([_name(write) for write in writes])

    def commit_whole(self, writes: Sequence[Write]) -> None:
        """As `commit`, or fail."""
        self.commit(writes)
        for write in writes:
            if write.error is not None:
                raise write.error

    def close(self) -> None:
        """Nothing to give back."""


def _name(write: Write) -> str:
    (record,) = write.records
    assert isinstance(record, Opened)
    return record.verb


@pytest.fixture
def disk() -> SlowDisk:
    """A disk that waits for the test."""
    return SlowDisk()


@pytest.fixture
def writer(disk: SlowDisk) -> Iterator[Writer[SlowDisk]]:
    """The thread that writes to it."""
    made: Writer[SlowDisk] = Writer(lambda: disk)
    yield made
    for _ in range(100):
        disk.go.release()
    made.close()


@pytest.fixture
def journal(writer: Writer[SlowDisk]) -> Journal:
    """A run's journal on the slow disk."""
    return Journal(writer, kit.STACK, "RUN1", 1)


async def begun_commit(disk: SlowDisk) -> None:
    """Return when the disk has begun another commit."""
    assert await asyncio.to_thread(disk.began.acquire, timeout=10)


async def others_have_begun() -> None:
    """Return when every task that was made before has taken its first step."""
    await asyncio.sleep(0)


async def test_what_waits_while_the_disk_is_busy_is_one_batch(disk: SlowDisk, journal: Journal) -> None:
    """The first record goes at once; all that come while it is written go together next, in order; none is told early."""
    first = asyncio.create_task(journal.write(kit.opened("first")))
    await begun_commit(disk)
    others = [asyncio.create_task(journal.write(kit.opened(f"{number}"))) for number in range(50)]
    await others_have_begun()

    assert not first.done()
    disk.go.release()
    await first
    await begun_commit(disk)
    assert not any(task.done() for task in others)
    disk.go.release()
    await asyncio.gather(*others)

    assert disk.batches == [["first"], [f"{number}" for number in range(50)]]


async def test_a_cancelled_caller_takes_nothing_back(disk: SlowDisk, journal: Journal) -> None:
    """Records that were given are written, whoever stops waiting."""
    task = asyncio.create_task(journal.write(kit.opened("cancelled")))
    await begun_commit(disk)
    task.cancel()
    disk.go.release()

    with pytest.raises(asyncio.CancelledError):
        await task
    disk.go.release()
    await journal.write(kit.opened("next"))

    assert disk.batches == [["cancelled"], ["next"]]


async def test_a_failed_write_reaches_everyone_and_lasts(disk: SlowDisk, writer: Writer[SlowDisk], journal: Journal) -> None:
    """All of a failed batch learn it; the journal takes no more, even when the disk works again; another journal does."""
    disk.failure = StateError("state.write_failed", "The store cannot be written")
    disk.go.release()
    first = asyncio.create_task(journal.write(kit.opened("first")))
    second = asyncio.create_task(journal.write(kit.opened("second")))
    disk.go.release()

    for task in (first, second):
        with pytest.raises(StateError) as caught:
            await task
        assert caught.value.code == "state.write_failed"

    disk.failure = None
    with pytest.raises(StateError):
        await journal.write(kit.opened("third"))
    for _ in range(3):
        disk.go.release()
    await Journal(writer, kit.STACK, "RUN2", 2).write(kit.opened("fresh"))
    assert disk.batches == [["fresh"]]


async def test_a_failure_that_nobody_awaits_any_more_is_silent(journal: Journal) -> None:
    """Of many writes that fail together one ends the run; Python has nothing to say about the others."""
    told: list[object] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context))
    write = Write(journal, (kit.opened("alone"),))
    future = write.awaited(loop)
    write.error = StateError("state.write_failed", "The store cannot be written")
    write.settle()
    assert future.done()
    del write, future
    gc.collect()

    assert told == []


async def test_an_impossible_error_leaves_nobody_waiting(disk: SlowDisk, journal: Journal) -> None:
    """A bug in the adapter is reported as one to those who wait, and the writer lives on."""
    disk.failure = ZeroDivisionError("oops")
    disk.go.release()
    with pytest.raises(InternalError, match="ZeroDivisionError"):
        await journal.write(kit.opened("first"))

    disk.failure = None
    disk.go.release()
    await journal.write(kit.opened("second"))
    assert disk.batches == [["second"]]


def test_of_a_batch_nothing_follows_a_gap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What contradicts the story is refused alone; after what the disk did not take, nothing of that journal is written."""
    transact = SqlAdapter._transact

    def full(adapter: SqlAdapter, writes: Sequence[Write]) -> None:
        if list(writes) == [lost]:
            raise sqlite3.OperationalError("database or disk is full")
        transact(adapter, writes)

    monkeypatch.setattr(SqlAdapter, "_transact", full)
    with kit.store_at(tmp_path / "state.db") as store, kit.held(store) as lease:
        journal = store.open_journal(kit.STACK, "RUN1", lease.fence)
        told = (kit.failed("x", kit.resource()), kit.opened(), kit.outputs(url="u"), kit.closed())
        batch = [Write(journal, (record,)) for record in told]
        lost = batch[2]
        store._writer.run(lambda adapter: adapter.commit(batch))

        assert [type(write.error) for write in batch] == [InternalError, type(None), StateError, StateError]
        assert store.records("RUN1") == [kit.opened()]


def test_a_loop_that_is_gone_disturbs_nobody(disk: SlowDisk, journal: Journal) -> None:
    """A batch with a waiter whose event loop was closed is written, and its other waiters are woken."""
    loop = asyncio.new_event_loop()
    task = loop.create_task(journal.write(kit.opened("gone")))
    loop.call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()

    disk.go.release()
    disk.go.release()
    journal.write_now(kit.opened("here"))
    assert [name for batch in disk.batches for name in batch] == ["gone", "here"]


def test_connecting_is_tried_again(disk: SlowDisk) -> None:
    """A connection that could not be made fails those who wait for it, and is made for those who come later."""
    refusals = [StateError("state.cannot_open", "The store cannot be opened")]

    def connect() -> SlowDisk:
        if refusals:
            raise refusals.pop()
        return disk

    writer: Writer[SlowDisk] = Writer(connect)
    with pytest.raises(StateError):
        Journal(writer, kit.STACK, "RUN1", 1).write_now(kit.opened("first"))
    disk.go.release()
    Journal(writer, kit.STACK, "RUN2", 1).write_now(kit.opened("second"))
    writer.close()

    assert disk.batches == [["second"]]


def test_a_closed_store_is_not_written_to(store: SqlStore) -> None:
    """Closing finishes what was given, and what comes later is our own mistake."""
    kit.write(store, kit.opened())
    store.close()

    with pytest.raises(InternalError, match="closed"):
        store.open_journal(kit.STACK, "RUN1", 1).write_now(kit.opened())


async def test_many_operations_are_each_in_order(store: SqlStore) -> None:
    """With 200 tasks in flight every task's records are there, begin before end, when it was told so."""
    with kit.held(store) as lease:
        journal = store.open_journal(kit.STACK, "RUN1", lease.fence)

        async def operate(number: int) -> None:
            """One object is made."""
            begin, end = kit.created(f"n{number}")
            await journal.write(begin)
            assert begin.operation in store.load(kit.STACK).in_doubt or number % 20
            await journal.write(end)

        await asyncio.gather(*(operate(number) for number in range(200)))

    records = store.records("RUN1")
    begins = {record.operation: place for place, record in enumerate(records) if isinstance(record, Begun)}
    ends = {record.operation: place for place, record in enumerate(records) if isinstance(record, Succeeded)}
    assert len(begins) == len(ends) == 200
    assert all(begins[operation] < place for operation, place in ends.items())
    assert len(store.load(kit.STACK).resources) == 200
    assert store.verify() == []


class NoServer:
    """An adapter that fails with all that an error can say, and keeps nothing."""

    def commit(self, writes: Sequence[Write]) -> None:
        """Fail."""
        raise StateError("state.locked", "It is locked", detail="by somebody", hint="Wait.", address="a.A::a")

    commit_whole = commit

    def close(self) -> None:
        """Nothing to give back."""


async def test_every_write_that_fails_says_why(disk: SlowDisk) -> None:
    """Those of the batch, and those that come after it, alone or together with another journal's."""
    writer = Writer(NoServer)
    journal, other = Journal(writer, kit.STACK, "RUN1", 1), Journal(writer, kit.STACK, "RUN2", 1)
    try:
        with pytest.raises(StateError) as first:
            await journal.write(kit.opened("first"))
        with pytest.raises(StateError) as second:
            await journal.write(kit.opened("second"))
        with pytest.raises(StateError) as together:
            write_together(Writer(lambda: disk), [(other, [kit.opened()]), (journal, [])])
    finally:
        writer.close()
    assert disk.batches == []

    for caught in (first, second, together):
        error = caught.value
        said = (error.code, error.summary, error.detail, error.hint, error.address)
        assert said == ("state.locked", "It is locked", "by somebody", "Wait.", "a.A::a")
