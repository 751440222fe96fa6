"""The store in tables, in whichever database: reading on one connection, writing in the one thread that owns another."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from purvey._base.clock import Clock
from purvey._base.derive import wrap
from purvey._state.journal import Journal, Writer, write_together
from purvey._state.lease import HeldLease, Lease
from purvey._state.mac import RowMac, key_id
from purvey._state.record import OutputsSet, Record
from purvey._state.sql import archive, lease, read, rekey, repair, tag_out
from purvey._state.sql.database import PAUSES_S, Connection, Database, patiently
from purvey._state.sql.opening import identity, require_usable, used_meanwhile
from purvey._state.sql.tables import VERSION
from purvey._state.sql.verify import verify
from purvey._state.sql.write import SqlAdapter
from purvey._state.state import State
from purvey._state.store import Keys, Moment, Rebuilt, Ring, RunRow
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
        ring: The store's keys.
        keys: Where they are found again, when the store has another one.
        clock: Time and chance.
    """

    def __init__(
        self, connection: Connection, database: Database, *, estate: str, ring: Ring, keys: Keys, clock: Clock
    ) -> None:  # fmt: skip
        self.estate: Final = estate
        self.location: Final = database.location
        self._ring = ring
        self._keys = keys
        self._connection = connection
        self._reading = threading.Lock()
        self._database = database
        self._clock = clock
        self._mac = RowMac(ring.key, ring.former)
        self._writer = Writer(self._connect_writer)

    @property
    def ring(self) -> Ring:
        """See `Store.ring`."""
        return self._ring

    @property
    def key_id(self) -> str:
        """See `Store.key_id`."""
        return self._mac.key_id

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

    def later(self, run: str) -> frozenset[str]:
        """See `Store.later`."""
        with self._snapshot() as connection:
            return read.later(connection, run)

    def stacks(self) -> list[str]:
        """See `Store.stacks`."""
        with self._snapshot() as connection:
            return read.stacks(connection)

    def unfinished(self, stack: str) -> list[RunRow]:
        """See `Store.unfinished`."""
        with self._snapshot() as connection:
            return read.unfinished(connection, stack)

    def open_journal(self, stack: str, run: str, fence: int, *, since: int = 0) -> Journal:
        """See `Store.open_journal`."""
        return Journal(self._writer, stack, run, fence, since)

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
        """See `Store.release`; nobody waits for a server in order to leave."""
        self._change(lambda connection: lease.release(connection, held, self._clock), pauses_s=())

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

    def tag_out(self, stack: str, tag: TagOut) -> bool:
        """See `Store.tag_out`."""
        return self._change(lambda connection: tag_out.hang(connection, stack, tag, self._mac))

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

    def archives(self, stack: str) -> list[str]:
        """See `Store.archives`."""
        with self._snapshot() as connection:
            return archive.runs(connection, stack)

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

    def switch_key(self, key: bytes) -> None:
        """See `Store.switch_key`."""
        was, wrapped = self.key_id, wrap(key, self._ring.digest_key)

        def change(connection: Connection) -> None:
            update = "UPDATE store SET key_id = ?, digest_key = ? WHERE key_id = ?"
            connection.execute(update, (key_id(key), wrapped, was))

        self._change(change)
        self._change(lambda _: None)  # Takes notice of it.

    def write_anew(self, stack: str, renew: Callable[[bytes], bytes]) -> Iterator[int]:
        """See `Store.write_anew`."""
        for table in rekey.TABLES:
            after: object = None
            while True:
                batch = partial(rekey.batch, table=table, stack=stack, after=after, mac=self._mac, renew=renew)
                written, after = self._change(batch)
                yield written
                if after is None:
                    break

    def everything(self) -> list[str]:
        """See `Store.everything`."""
        with self._snapshot() as connection:
            return [name for (name,) in connection.execute("SELECT name FROM stack ORDER BY name")]

    def moment(self) -> Moment:
        """See `Store.moment`."""
        with self._snapshot() as connection:
            return read.moment(connection)

    def held_by(self) -> set[str]:
        """See `Store.held_by`."""
        with self._snapshot() as connection:
            return lease.held_by(connection)

    def read(self, work: Callable[[Any], T]) -> T:
        """See `Store.read`."""
        with self._snapshot() as connection:
            return work(connection)

    def leave_for(self, location: str, copied: Moment, runs: Collection[str]) -> None:
        """See `Store.leave_for`."""

        def change(connection: Connection) -> None:
            if read.moment(connection) != copied or not lease.held_by(connection) <= {*runs}:
                raise used_meanwhile(location)
            connection.execute("UPDATE store SET moved_to = ?", (location,))

        self._change(change)

    def reindex(self) -> None:
        """See `Store.reindex`."""
        self._change(lambda connection: connection.reindex() if connection.damage() else None)

    def rebuild(self, stack: str) -> Rebuilt:
        """See `Store.rebuild`."""
        with self._snapshot() as connection:
            found = repair.examine(connection, stack, self._mac)
        return found if isinstance(found, Rebuilt) else self._change(lambda connection: repair.mend(connection, found))

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
            connection = patiently(self._database, self._database.connect)
            return SqlAdapter(connection, self._database, self._mac, self._heed)

    def _change(self, change: Callable[[Connection], T], *, pauses_s: Sequence[float] = PAUSES_S) -> T:
        """Change something other than the journal in one transaction, in turn with the journal's writes.

        Args:
            change: The change.
            pauses_s: Before each time that a server that went away is tried again.
        """

        def checked(connection: Connection) -> T:
            self._heed(connection)
            return change(connection)

        def work(adapter: SqlAdapter) -> T:
            with self._writing():
                return adapter.change(checked, pauses_s)

        return self._writer.run(work)

    def _heed(self, connection: Connection) -> None:
        """Take notice, inside a transaction, when the store has another key or was moved since it was opened."""
        found = identity(connection, VERSION)
        if found is not None and (found.key_id != self._mac.key_id or found.moved_to):
            self._ring = require_usable(found, self._keys, self.location)
            self._mac.use(self._ring.key, self._ring.former)

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
                self._heed(self._connection)
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
