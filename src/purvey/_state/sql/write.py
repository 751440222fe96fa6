"""Makes records durable, and brings the tables up to date with them in the same transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from purvey._state.journal import Journal, Write
from purvey._state.mac import RowMac, record_identity
from purvey._state.record import Succeeded
from purvey._state.sql import tag_out
from purvey._state.sql.database import PAUSES_S, Connection, Database, patiently
from purvey._state.sql.fold import Fold, Place
from purvey.errors import InternalError, StateError

T = TypeVar("T")

_HELD: Final = (
    "SELECT stack.number, fence, lease.run, (SELECT key_id FROM store) "
    "FROM stack JOIN lease ON lease.stack = stack.number WHERE name = ?"
)
"""The lease that a journal has to have."""


class SqlAdapter:
    """The connection of the writer's thread.

    Args:
        connection: A connection that nobody else uses.
        database: Where it leads.
        mac: Computes the rows' digests.
        heed: Takes notice of another key of the store.
    """

    def __init__(
        self, connection: Connection, database: Database, mac: RowMac, heed: Callable[[Connection], None]
    ) -> None:  # fmt: skip
        self.connection = connection
        self._database = database
        self._mac = mac
        self._heed = heed
        self._fold = Fold(connection, mac)
        self._last: tuple[int, bytes] | None = None

    def change(self, change: Callable[[Connection], T], pauses_s: Sequence[float]) -> T:
        """Make one change, once; where the connection is cut around its commit, look what became of that."""
        done: list[tuple[str, T]] = []

        def attempt() -> T:
            with self.connection.writing():
                if done and self.connection.committed(done[-1][0]):
                    return done[-1][1]
                result = change(self.connection)
                done.append((self.connection.ticket(), result))
            return result

        return patiently(self._database, attempt, pauses_s)

    def commit(self, writes: Sequence[Write]) -> None:
        """Make every write durable; `error` is set on each that is refused, or on all when the disk fails."""
        try:
            self._attempt(writes)
        except self._database.errors as error:
            for write in writes:
                write.error = self._database.unwritable(error)
        except (StateError, InternalError) as error:
            if len(writes) == 1:
                writes[0].error = error
                return
            for write in writes:  # One was refused. Alone, it fails alone.
                self.commit([write])

    def commit_whole(self, writes: Sequence[Write]) -> None:
        """See `Adapter.commit_whole`."""
        try:
            self._attempt(writes)
        except self._database.errors as error:
            raise self._database.unwritable(error) from error

    def _attempt(self, writes: Sequence[Write]) -> None:
        """Write in one transaction; where the connection is cut, look whether it was committed, and if not, write once more."""
        try:
            self._transact(writes)
        except self._database.errors as error:
            if not self._database.is_cut(error):
                raise
            if not self._is_there(error):
                self._transact(writes)

    def _transact(self, writes: Sequence[Write]) -> None:
        self._last = None
        with self.connection.writing():
            self._write_all(writes)

    def _is_there(self, error: Exception) -> bool:
        """Whether the last record of a transaction that was cut off is in the journal, as it was written.

        It is asked in a write transaction, which begins only after the one in question has ended, whatever its end was.
        """
        for pause_s in (*PAUSES_S, None):
            try:
                with self.connection.writing():
                    return self._holds_last()
            except self._database.errors as again:
                if pause_s is None or not self._database.is_cut(again):
                    raise error from again
            threading.Event().wait(pause_s)
        raise error

    def _holds_last(self) -> bool:
        if self._last is None:
            return False
        sequence, mac = self._last
        row = self.connection.execute("SELECT mac FROM record WHERE sequence = ?", (sequence,)).fetchone()
        return row is not None and row[0] == mac

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def _write_all(self, writes: Sequence[Write]) -> None:
        (sequence,) = self.connection.execute("SELECT coalesce(max(sequence), 0) FROM record").fetchone()
        places: dict[Journal, Place] = {}
        changes: dict[int, int] = {}
        for write in writes:
            place = places.get(write.journal)
            if place is None:
                place = places[write.journal] = self._admit(write.journal)
            for record, body in zip(write.records, write.bodies, strict=True):
                sequence += 1
                mac = self._mac.of(record_identity(place.run_id, sequence), body)
                self.connection.execute("INSERT INTO record VALUES (?, ?, ?, ?)", (sequence, place.run, body, mac))
                self._last = (sequence, mac)
                self._fold.take(record, sequence, place)
                if type(record) is Succeeded and not record.unchanged:
                    changes[place.run] = changes.get(place.run, 0) + 1
        for run, count in changes.items():
            self.connection.execute("UPDATE run SET changes = changes + ? WHERE number = ?", (count, run))

    def _admit(self, journal: Journal) -> Place:
        """Let a journal write if its lease is the stack's latest, and not given back."""
        held = self.connection.execute(
            f"{_HELD}{self._database.row_lock}",
            (journal.stack,),
        ).fetchone()
        if held is None or held[1] != journal.fence or not held[2]:
            raise _fenced(journal, held[2] if held is not None else "")
        if held[3] != self._mac.key_id:
            self._heed(self.connection)
        stack: int = held[0]
        insert = "INSERT INTO run (id, stack) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"
        self.connection.execute(insert, (journal.run, stack))
        run, owner = self.connection.execute("SELECT number, stack FROM run WHERE id = ?", (journal.run,)).fetchone()
        if owner != stack:
            raise InternalError(f"Run {journal.run} is not one of {journal.stack}.")
        return Place(stack, journal.stack, run, journal.run, tag_out.blocked(self.connection, stack))


def _fenced(journal: Journal, holder: str) -> StateError:
    who = f"run {holder} has it now" if holder else "nobody has it now"
    return StateError(
        "state.fenced",
        "The run lost its lease, so it cannot write any more",
        detail=f"Run {journal.run} worked on {journal.stack} under lease {journal.fence}, which has ended; {who}.",
        hint="See what the other run does; when it has ended, go on:\n\n    purvey runs",
    )
