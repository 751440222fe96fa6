"""The store in tables, in whichever database: reading on one connection, writing in the one thread that owns another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

from purvey._base.clock import Clock
from purvey._state.journal import Journal, Writer, write_together
from purvey._state.lease import HeldLease, Lease
from purvey._state.mac import RowMac, key_id
from purvey._state.record import OutputsSet, Record
from purvey._state.sql import archive, lease, read, tag_out
from purvey._state.sql.database import Connection, Database
from purvey._state.sql.verify import verify
from purvey._state.sql.write import SqlAdapter
from purvey._state.state import State
from purvey._state.store import RunRow
from purvey._state.tag_out import TagOut
from purvey.errors import StateError

T = TypeVar("T")

_WAIT_S: Final = 0.5
"""Seconds between two looks at a lease that another run holds; far less than `WAITER_S`, after which a place is lost."""


class SqlStore:
    """See `purvey._state.store.Store`; `purvey._state.open.open_at` makes one.

    Args:
        connection: For reading.
        database: Where it leads, and where the one for writing is made.
        estate: The estate's id.
        key: The store's key.
        clock: Time and chance.
    """

    def __init__(self, connection: Connection, database: Database, *, estate: str, key: bytes, clock: Clock) -> None:
        self.estate: Final = estate
        self.location: Final = database.location
        self.key: Final = key
        self.key_id: Final = key_id(key)
        self._connection = connection
        self._reading = threading.Lock()
        self._database = database
        self._clock = clock
        self._mac = RowMac(key)
        self._writer = Writer(self._connect_writer)

    def load(self, stack: str) -> State:
        """See `Store.load`."""
        with self._snapshot() as connection:
            return read.load(connection, stack, self._mac)

    def outputs(self, stack: str) -> OutputsSet | None:
        """See `Store.outputs`."""
        with self._snapshot() as connection:
            return read.outputs(connection, stack, self._mac)

    def records(self, run: str) -> list[Record]:
        """See `Store.records`."""
        with self._snapshot() as connection:
            return read.records(connection, run, self._mac)

    def runs(self, stack: str | None, limit: int) -> list[RunRow]:
        """See `Store.runs`."""
        with self._snapshot() as connection:
            return read.runs(connection, stack, limit)

    def run(self, id: str) -> RunRow:
        """See `Store.run`."""
        with self._snapshot() as connection:
            found = read.runs_named(connection, id.upper()) or read.runs_named(connection, id)
        if len(found) == 1:
            return found[0]
        if found:
            raise StateError(
                "state.ambiguous_run",
                "Several runs have an id that begins so",
                detail=f"{id} is the beginning of {', '.join(row.id for row in found)}.",
                hint="Give more characters.",
            )
        raise StateError(
            "state.no_such_run",
            "There is no such run",
            detail=f"No run in {self.location} has an id that begins with {id!r}.",
            hint="List the runs:\n\n    purvey runs",
        )

    def stacks(self) -> list[str]:
        """See `Store.stacks`."""
        with self._snapshot() as connection:
            return read.stacks(connection)

    def unfinished(self, stack: str) -> list[RunRow]:
        """See `Store.unfinished`."""
        with self._snapshot() as connection:
            return read.unfinished(connection, stack)

    def open_journal(self, stack: str, run: str, fence: int) -> Journal:
        """See `Store.open_journal`."""
        return Journal(self._writer, stack, run, fence)

    def write_together(self, *parts: tuple[Journal, Sequence[Record]]) -> None:
        """See `Store.write_together`."""
        write_together(self._writer, parts)

    def acquire(self, stack: str, run: str, *, queue: bool = False) -> Lease:
        """See `Store.acquire`."""
        got = self._change(lambda connection: lease.acquire(connection, stack, run, self._clock, queue=queue))
        if isinstance(got, StateError):
            raise got
        return got

    def leave(self, stack: str, run: str) -> None:
        """See `Store.leave`."""
        self._change(lambda connection: lease.leave(connection, stack, run))

    def renew(self, held: Lease) -> Lease:
        """See `Store.renew`."""
        return self._change(lambda connection: lease.renew(connection, held, self._clock))

    def release(self, held: Lease) -> None:
        """See `Store.release`."""
        self._change(lambda connection: lease.release(connection, held, self._clock))

    @contextmanager
    def hold(
        self, stack: str, run: str, *, wait: bool = False, give_up: Callable[[], bool] = lambda: False
    ) -> Iterator[HeldLease]:  # fmt: skip
        """See `Store.hold`."""
        got = self._awaited(stack, run, give_up) if wait else self.acquire(stack, run)
        held = HeldLease(got, self.renew, clock=self._clock)
        try:
            yield held
        finally:
            held.stop()
            with suppress(StateError):  # A lease that cannot be given back ends by itself, and says so to whoever asks.
                self.release(held.lease)

    def tag_out(self, stack: str, tag: TagOut) -> None:
        """See `Store.tag_out`."""
        self._change(lambda connection: tag_out.hang(connection, stack, tag, self._mac))

    def release_tags(self, stack: str, address: str, by: str, at: float) -> list[TagOut]:
        """See `Store.release_tags`."""
        return self._change(lambda connection: tag_out.release(connection, stack, address, by, at, self._mac))

    def tags(self, stack: str) -> list[TagOut]:
        """See `Store.tags`."""
        with self._snapshot() as connection:
            return tag_out.tags(connection, stack, self._mac)

    def archive(self, run: str, files: Mapping[str, bytes]) -> None:
        """See `Store.archive`."""
        self._change(lambda connection: archive.keep(connection, run, files, self._mac))

    def archived(self, run: str) -> dict[str, bytes]:
        """See `Store.archived`."""
        with self._snapshot() as connection:
            return archive.kept(connection, run, self._mac)

    def backup(self, path: Path) -> None:
        """See `Store.backup`; the key is not in the copy."""
        try:
            self._database.backup(path)
        except (OSError, self._database.errors) as error:
            raise StateError(
                "state.backup_failed",
                "The store could not be copied",
                detail=f"{path}: {error}.",
                hint="Name a file that does not exist yet, on a disk with room for the whole store.",
            ) from error

    def verify(self) -> list[str]:
        """See `Store.verify`."""
        with self._snapshot() as connection:
            return verify(connection, self._mac)

    def close(self) -> None:
        """See `Store.close`."""
        self._writer.close()
        with self._reading:
            self._connection.close()

    def _connect_writer(self) -> SqlAdapter:
        with self._writing():
            return SqlAdapter(self._database.connect(), self._database, self._mac)

    def _change(self, change: Callable[[Connection], T]) -> T:
        """Change something other than the journal in one transaction, in turn with the journal's writes."""

        def work(adapter: SqlAdapter) -> T:
            with self._writing(), adapter.connection.writing():
                return change(adapter.connection)

        return self._writer.run(work)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn the database's errors into errors that say what to do."""
        try:
            yield
        except self._database.errors as error:
            raise self._database.unwritable(error) from error

    @contextmanager
    def _snapshot(self) -> Iterator[Connection]:
        """The reading connection, for one thread at a time, at one moment of the store."""
        try:
            with self._reading, self._connection.reading():
                yield self._connection
        except self._database.errors as error:
            raise self._database.unreadable(error) from error

    def _awaited(self, stack: str, run: str, give_up: Callable[[], bool]) -> Lease:
        """The lease, once it is this process's turn; whoever gives up leaves the queue."""
        try:
            while True:
                try:
                    return self.acquire(stack, run, queue=True)
                except StateError as error:
                    if error.code != "state.busy" or give_up():
                        raise
                threading.Event().wait(_WAIT_S)
        except BaseException:
            with suppress(StateError):  # Whoever cannot leave the queue is passed over after a while.
                self.leave(stack, run)
            raise
