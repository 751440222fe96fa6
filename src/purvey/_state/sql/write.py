"""Makes records durable, and brings the snapshot up to date with them in the same transaction.

What each record does to the tables is what `purvey._state.state.State.apply` does to a state; a test folds random journals
both ways. Each record costs a fixed number of row changes, however much is remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from purvey._state.journal import Journal, Write
from purvey._state.mac import RowMac, record_identity, resource_identity, retired_body, retired_identity
from purvey._state.record import Begun, Closed, Failed, Identified, Noted, Opened, OutputsSet, Record, Succeeded, encode_state
from purvey._state.resource import ResourceState
from purvey._state.sql import tag_out
from purvey._state.sql.database import Connection, Database, patiently
from purvey._state.sql.head import first_head, next_head, put_head
from purvey._state.sql.owners import refuse_owned
from purvey._state.tag_out import blocked
from purvey.errors import InternalError, StateError

T = TypeVar("T")

_HELD: Final = (
    "SELECT stack.number, fence, lease.run, (SELECT key_id FROM store), head "
    "FROM stack JOIN lease ON lease.stack = stack.number WHERE name = ?"
)
"""The lease that a journal has to have."""

_OPENED: Final = (
    "UPDATE run SET result = '', ended = NULL, verb = CASE WHEN started <> 0 THEN verb ELSE ? END, "
    """"user" = CASE WHEN started <> 0 THEN "user" ELSE ? END, machine = CASE WHEN started <> 0 THEN machine ELSE ? END, """
    "started = CASE WHEN started <> 0 THEN started ELSE ? END WHERE number = ?"
)
"""A run that is opened again keeps what it was first opened with."""


class _Place(NamedTuple):
    """Where a journal's records go.

    Attributes:
        stack: The stack's number.
        stack_name: Its name.
        run: The run's number.
        run_id: Its id.
        blocked: The addresses that are tagged out.
        head: The head of the stack's journal so far; None before its first record.
    """

    stack: int
    stack_name: str
    run: int
    run_id: str
    blocked: frozenset[str]
    head: bytes | None


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
            for write in writes:  # One was refused. Alone, it fails alone; but nothing follows one that the store did not take.
                if not write.journal.refuses(write):
                    self.commit([write])
                    write.journal.learn(write)

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

        def look() -> bool:
            """Look."""
            with self.connection.writing():
                return self._holds_last()

        try:
            return patiently(self._database, look)
        except self._database.errors as again:
            raise error from again

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
        places: dict[Journal, _Place] = {}
        changes: dict[int, int] = {}
        heads: dict[str, bytes] = {}
        for write in writes:
            place = places.get(write.journal)
            if place is None:
                place = places[write.journal] = self._admit(write.journal)
                heads.setdefault(place.stack_name, place.head or first_head(place.stack_name))
            refuse_owned(self.connection, write.journal, write.records, self._mac)
            for record, body in zip(write.records, write.bodies, strict=True):
                sequence += 1
                mac = self._mac.of(record_identity(place.run_id, sequence), body)
                self.connection.execute("INSERT INTO record VALUES (?, ?, ?, ?)", (sequence, place.run, body, mac))
                self._last = (sequence, mac)
                heads[place.stack_name] = next_head(heads[place.stack_name], place.run_id, sequence)
                self._take(record, sequence, place)
                if type(record) is Succeeded and not record.unchanged:
                    changes[place.run] = changes.get(place.run, 0) + 1
        for run, count in changes.items():
            self.connection.execute("UPDATE run SET changes = changes + ? WHERE number = ?", (count, run))
        for stack, head in heads.items():
            put_head(self.connection, stack, head, self._mac)

    def _admit(self, journal: Journal) -> _Place:
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
        head = None if held[4] is None else bytes(held[4])
        return _Place(stack, journal.stack, run, journal.run, tag_out.blocked(self.connection, stack), head)

    def _take(self, record: Record, sequence: int, place: _Place) -> None:
        """Bring the tables up to date with one record."""
        match record:
            case Begun():
                if record.address in place.blocked:
                    raise blocked(record.address, place.stack_name)
                self.connection.execute(
                    "INSERT INTO in_doubt (operation, stack, address, generation, begun) VALUES (?, ?, ?, ?, ?)",
                    (record.operation, place.stack, record.address, record.generation, sequence),
                )
            case Identified():
                self._point("identified", record.operation, sequence, place)
            case Succeeded():
                self._end(record.operation, place)
                self._set(place, record.address, record.generation, record.state)
            case Failed(may_exist=True):
                self._point("failed", record.operation, sequence, place)
            case Failed():
                self._end(record.operation, place, required=True)
            case Noted():
                self._note(record, place)
            case _:
                self._take_of_run(record, sequence, place)

    def _take_of_run(self, record: Record, sequence: int, place: _Place) -> None:
        match record:
            case Opened():
                self.connection.execute(_OPENED, (record.verb, record.user, record.machine, record.at, place.run))
            case Closed():
                update = "UPDATE run SET result = ?, ended = ? WHERE number = ?"
                self.connection.execute(update, (record.result, record.at, place.run))
            case OutputsSet():
                self.connection.execute("UPDATE stack SET outputs = ? WHERE number = ?", (sequence, place.stack))
            case _:
                pass  # It makes the run repeatable, and changes no state.

    def _point(self, column: str, operation: str, sequence: int, place: _Place) -> None:
        """Remember which record says more about an operation in doubt."""
        cleared = ", failed = NULL" if column == "identified" else ""
        found = self.connection.execute(
            f"UPDATE in_doubt SET {column} = ?{cleared} WHERE operation = ? AND stack = ? RETURNING begun",  # noqa: S608 - our own words.
            (sequence, operation, place.stack),
        ).fetchall()
        if not found:
            raise _without_begin(operation)

    def _end(self, operation: str, place: _Place, *, required: bool = False) -> None:
        """Take an operation off the list of those in doubt; its generation is not used again, whatever became of it."""
        ended = self.connection.execute(
            "DELETE FROM in_doubt WHERE operation = ? AND stack = ? RETURNING address, generation", (operation, place.stack)
        )
        if not required:
            return  # Nothing is asked, so nobody waits for an answer.
        begun = ended.fetchall()
        if not begun:
            raise _without_begin(operation)
        self._retire(place, *begun[0])

    def _note(self, record: Noted, place: _Place) -> None:
        if record.what == "moved":
            gone = self.connection.execute(
                "DELETE FROM resource WHERE stack = ? AND address = ? AND generation = "
                "(SELECT max(generation) FROM resource WHERE stack = ? AND address = ?) RETURNING address, generation",
                (place.stack, record.was, place.stack, record.was),
            ).fetchall()
            for address, generation in gone:
                self._retire(place, address, generation)
        if record.state is not None or record.what == "forgotten":
            self._set(place, record.address, record.generation, record.state)

    def _set(self, place: _Place, address: str, generation: int, state: ResourceState | None) -> None:
        """Put an object into the snapshot, or take it out."""
        if state is None:
            delete = "DELETE FROM resource WHERE stack = ? AND address = ? AND generation = ?"
            self.connection.execute(delete, (place.stack, address, generation))
            self._retire(place, address, generation)
            return
        if (state.address, state.generation) != (address, generation):
            raise InternalError(f"A record of {address} #{generation} holds {state.address} #{state.generation}.")
        body = encode_state(state)
        self.connection.execute(
            "INSERT INTO resource (stack, address, generation, body, mac) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (stack, address, generation) DO UPDATE SET body = excluded.body, mac = excluded.mac",
            (place.stack, address, generation, body, self._mac.of(resource_identity(place.stack_name), body)),
        )

    def _retire(self, place: _Place, address: str, generation: int) -> None:
        """Remember that a generation was used, where no object in the snapshot says so."""
        mac = self._mac.of(retired_identity(place.stack_name), retired_body(address, generation))
        self.connection.execute(
            "INSERT INTO retired VALUES (?, ?, ?, ?) ON CONFLICT (stack, address) DO UPDATE "
            "SET generation = excluded.generation, mac = excluded.mac WHERE excluded.generation > retired.generation",
            (place.stack, address, generation, mac),
        )


def _fenced(journal: Journal, holder: str) -> StateError:
    who = f"run {holder} has it now" if holder else "nobody has it now"
    return StateError(
        "state.fenced",
        "The run lost its lease, so it cannot write any more",
        detail=f"Run {journal.run} worked on {journal.stack} under lease {journal.fence}, which has ended; {who}.",
        hint="See what the other run does; when it has ended, go on:\n\n    purvey runs",
    )


def _without_begin(operation: str) -> InternalError:
    return InternalError(f"A record ends or identifies operation {operation}, which never began.")
