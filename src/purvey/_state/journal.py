"""The journal's writing end: records of any number of tasks become durable in few transactions.

One thread writes. It takes whatever waits for it, makes all of that durable in one transaction, wakes those who wait, and
looks again. There is no timer: alone, a record goes to disk at once; among many, the next batch gathers while the disk is
busy with the last. Everyone whose records were in a batch is woken through one call into the event loop.

Invariants: `Journal.write` returns only after its records are durable, in the order in which they were given; records given
together become durable together; after a write that the store did not take (its disk, its server, a lost lease) a journal takes
no more, because what follows a gap in a run's story is worth less than a run that stops and is resumed. A write that is refused
for what it says (the object is tagged out or another stack's, or it contradicts the story, which is a bug and ends the run)
leaves no gap: what else happened meanwhile is still written down.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from purvey._state.record import Record, encode
from purvey.errors import InternalError, PurveyError, StateError

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

OF_ONE_OBJECT: Final = ("state.tagged_out", "state.owned")
"""Codes of errors for which nothing was begun on one object, and everything else can go on."""


class Write:
    """Records that become durable together.

    Attributes:
        journal: Whose they are.
        records: The records, in order.
        bodies: Their encoded form.
        error: Why they are not durable; set by the adapter, None if they are.
    """

    __slots__ = ("_done", "_future", "bodies", "error", "journal", "loop", "records")

    def __init__(self, journal: Journal, records: tuple[Record, ...]) -> None:
        self.journal = journal
        self.records = records
        self.bodies = [_encoded(record) for record in records]
        self.error: PurveyError | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self._future: asyncio.Future[None] | None = None
        self._done: threading.Event | None = None

    def awaited(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """A future on `loop` that ends when this write has."""
        self.loop = loop
        self._future = loop.create_future()
        return self._future

    def blocking(self) -> threading.Event:
        """An event that is set when this write has ended."""
        self._done = threading.Event()
        return self._done

    def settle(self) -> None:
        """Wake whoever waits; called in the thread of its loop, if it has one."""
        if self._done is not None:
            self._done.set()
        future = self._future
        if future is not None and not future.done():
            if self.error is None:
                future.set_result(None)
            else:
                future.set_exception(self.error)
                future.exception()  # Seen: of many writes that fail together, only the first stops the run, which tells it.


class Adapter(Protocol):
    """A store's connection for writing; used by the writer's thread alone."""

    def commit(self, writes: Sequence[Write]) -> None:
        """Make every write durable, and set `error` on each that could not be; MUST NOT raise for those."""

    def commit_whole(self, writes: Sequence[Write]) -> None:
        """Make every write durable in one transaction, or none of them and raise."""

    def close(self) -> None:
        """Give the connection back."""


A = TypeVar("A", bound=Adapter)


class _Work:
    """Something else to do with the connection."""

    __slots__ = ("done", "error", "function", "result")

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self.function = function
        self.result: Any = None
        self.error: BaseException | None = None
        self.done = threading.Event()


class Writer(Generic[A]):
    """The one thread that writes to a store; it starts with the first thing to do.

    Args:
        connect: Opens the connection, in the writer's thread; called again if it failed.
    """

    def __init__(self, connect: Callable[[], A]) -> None:
        self._connect = connect
        self._adapter: A | None = None
        self._queue: queue.SimpleQueue[Write | _Work | None] = queue.SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = False

    def put(self, write: Write) -> None:
        """Let `write` become durable with whatever else waits."""
        self._started()
        self._queue.put(write)

    def run(self, function: Callable[[A], T]) -> T:
        """What `function` returns, called with the connection in the writer's thread, in turn with the writes.

        Raises:
            StateError: Whatever `function` or connecting raises.
        """
        work = _Work(function)
        self._started()
        self._queue.put(work)
        work.done.wait()
        if work.error is not None:
            raise work.error
        result: T = work.result
        return result

    def close(self) -> None:
        """Finish what waits, and end the thread; nothing can be written afterwards."""
        with self._starting:
            self._closed = True
            thread, self._thread = self._thread, None
        if thread is not None:
            self._queue.put(None)
            thread.join()

    def _started(self) -> None:
        if self._thread is not None:
            return
        with self._starting:
            if self._closed:
                raise InternalError("A closed store was written to.")
            if self._thread is None:
                # A daemon, so that a second Ctrl-C ends the process at once; what was acknowledged is on disk.
                self._thread = threading.Thread(target=self._serve, name="purvey-journal", daemon=True)
                self._thread.start()

    def _serve(self) -> None:
        ending = False
        while not ending:
            items = self._waiting()
            ending = None in items
            for is_write, group in groupby(filter(None, items), key=lambda item: isinstance(item, Write)):
                if is_write:
                    self._commit([item for item in group if isinstance(item, Write)])
                else:
                    self._do(item for item in group if isinstance(item, _Work))
        if self._adapter is not None:
            self._adapter.close()

    def _waiting(self) -> list[Write | _Work | None]:
        """Everything that waits; at least one item."""
        items = [self._queue.get()]
        try:
            while True:
                items.append(self._queue.get_nowait())
        except queue.Empty:
            return items

    def _connected(self) -> A:
        if self._adapter is None:
            self._adapter = self._connect()
        return self._adapter

    def _commit(self, writes: list[Write]) -> None:
        able = [write for write in writes if not write.journal.refuses(write)]
        if able:
            try:
                self._connected().commit(able)
            except Exception as error:  # noqa: BLE001 - whatever it is, nobody may wait for ever.
                for write in able:
                    write.error = _reported(error)
            for write in able:
                write.journal.learn(write)
        _wake(writes)

    def _do(self, works: Iterator[_Work]) -> None:
        for work in works:
            try:
                work.result = work.function(self._connected())
            except BaseException as error:  # noqa: BLE001 - raised again in the thread that asked.
                work.error = error
            work.done.set()


class Journal:
    """Writes the records of one run, under one lease.

    Args:
        writer: The store's writer.
        stack: ``name/environment``.
        run: The run's id.
        fence: The fencing number of the lease that the writer of these records holds.
        since: The number of the last record before the writer looked at other stacks.
    """

    __slots__ = ("_failure", "_writer", "fence", "run", "since", "stack")

    def __init__(self, writer: Writer[Any], stack: str, run: str, fence: int, since: int = 0) -> None:
        self._writer = writer
        self._failure: StateError | None = None
        self.stack = stack
        self.run = run
        self.fence = fence
        self.since = since

    async def write(self, *records: Record) -> None:
        """Return when `records` are durable; they become so together, even if the caller is cancelled meanwhile.

        Raises:
            StateError: ``state.fenced`` when a later holder has the lease; ``state.write_failed`` when the disk refuses, and
                from then on; ``state.tagged_out`` for the begin of an operation on a tagged object; ``state.owned`` for an
                object that is taken over, and that another stack has recorded `since`.
        """
        import asyncio  # noqa: PLC0415 - a caller without a loop does not pay for it.

        write = Write(self, records)
        future = write.awaited(asyncio.get_running_loop())
        self._writer.put(write)
        await future

    def write_now(self, *records: Record) -> None:
        """As `write`, for callers without an event loop: blocks until `records` are durable.

        Raises:
            StateError: As `write`.
        """
        write = Write(self, records)
        done = write.blocking()
        self._writer.put(write)
        done.wait()
        if write.error is not None:
            raise write.error

    def refuses(self, write: Write) -> bool:
        """Whether an earlier failure stops this write; then its error is set. For the writer's thread."""
        if self._failure is None:
            return False
        write.error = _again(self._failure)
        return True

    def learn(self, write: Write) -> None:
        """Remember a failure of the store, so that nothing follows the gap. For the writer's thread."""
        if isinstance(write.error, StateError) and write.error.code not in OF_ONE_OBJECT:
            self._failure = write.error


def write_together(writer: Writer[Any], parts: Sequence[tuple[Journal, Sequence[Record]]]) -> None:
    """Return when the records of several journals are durable: all of them, or none if it raises.

    Args:
        writer: The writer of all the journals.
        parts: Each journal with its records.

    Raises:
        StateError: As `Journal.write`, for whichever journal it is.
    """
    writes = [Write(journal, tuple(records)) for journal, records in parts]

    def work(adapter: Adapter) -> None:
        """Commit, in the writer's thread and in turn with its other writes."""
        refused = next((write for write in writes if write.journal.refuses(write)), None)
        if refused is not None and refused.error is not None:
            raise refused.error
        adapter.commit_whole(writes)

    writer.run(work)


def _encoded(record: Record) -> bytes:
    try:
        return encode(record)
    except TypeError as error:  # The encoder's own words name the type and never the value.
        raise InternalError(f"A {type(record).__name__} record cannot be written: {error}.") from error


def _again(error: StateError) -> StateError:
    """The same error for another write: each is raised where somebody waits for it."""
    return StateError(error.code, error.summary, detail=error.detail, hint=error.hint, address=error.address)


def _reported(error: Exception) -> PurveyError:
    if isinstance(error, StateError):
        return _again(error)
    return InternalError(f"The journal could not be written: {type(error).__name__}: {error}.")


def _wake(writes: Sequence[Write]) -> None:
    """Wake everyone: those of one event loop with one call into it."""
    for loop in {write.loop for write in writes}:
        mine = [write for write in writes if write.loop is loop]
        if loop is None:
            _settle(mine)
        else:
            try:
                loop.call_soon_threadsafe(_settle, mine)
            except RuntimeError:  # The loop is closed, so nobody waits any more; the records are written all the same.
                continue


def _settle(writes: Iterable[Write]) -> None:
    for write in writes:
        write.settle()
