"""Brings the tables up to date with each record: the snapshot, what is in doubt, and the runs at a glance.

What a record does to the tables is what `purvey._state.state.State.apply` does to a state; a test folds random journals both
ways. Each costs a fixed number of row changes, however much is remembered.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from purvey._state.mac import RowMac, resource_identity, retired_body, retired_identity
from purvey._state.record import (
    Begun,
    Closed,
    Failed,
    Identified,
    Noted,
    Opened,
    OutputsSet,
    Record,
    ResourceState,
    Succeeded,
    encode_state,
)
from purvey._state.sql.database import Connection
from purvey._state.tag_out import blocked
from purvey.errors import InternalError

_OPENED: Final = (
    "UPDATE run SET result = '', ended = NULL, verb = CASE WHEN started <> 0 THEN verb ELSE ? END, "
    """"user" = CASE WHEN started <> 0 THEN "user" ELSE ? END, machine = CASE WHEN started <> 0 THEN machine ELSE ? END, """
    "started = CASE WHEN started <> 0 THEN started ELSE ? END WHERE number = ?"
)
"""A run that is opened again keeps what it was first opened with."""


class Place(NamedTuple):
    """Where a journal's records go: the numbers of its stack and run, their names, and the addresses that are tagged out."""

    stack: int
    stack_name: str
    run: int
    run_id: str
    blocked: frozenset[str]


class Fold:
    """Folds records into the tables, inside a write transaction.

    Args:
        connection: The writer's.
        mac: Computes the rows' digests.
    """

    def __init__(self, connection: Connection, mac: RowMac) -> None:
        self._connection = connection
        self._mac = mac

    def take(self, record: Record, sequence: int, place: Place) -> None:
        """Bring the tables up to date with one record."""
        match record:
            case Begun():
                if record.address in place.blocked:
                    raise blocked(record.address, place.stack_name)
                self._connection.execute(
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

    def _take_of_run(self, record: Record, sequence: int, place: Place) -> None:
        match record:
            case Opened():
                self._connection.execute(_OPENED, (record.verb, record.user, record.machine, record.at, place.run))
            case Closed():
                update = "UPDATE run SET result = ?, ended = ? WHERE number = ?"
                self._connection.execute(update, (record.result, record.at, place.run))
            case OutputsSet():
                self._connection.execute("UPDATE stack SET outputs = ? WHERE number = ?", (sequence, place.stack))
            case _:
                pass  # It makes the run repeatable, and changes no state.

    def _point(self, column: str, operation: str, sequence: int, place: Place) -> None:
        """Remember which record says more about an operation in doubt."""
        cleared = ", failed = NULL" if column == "identified" else ""
        found = self._connection.execute(
            f"UPDATE in_doubt SET {column} = ?{cleared} WHERE operation = ? AND stack = ? RETURNING begun",  # noqa: S608 - our own words.
            (sequence, operation, place.stack),
        ).fetchall()
        if not found:
            raise _without_begin(operation)

    def _end(self, operation: str, place: Place, *, required: bool = False) -> None:
        """Take an operation off the list of those in doubt; its generation is not used again, whatever became of it."""
        ended = self._connection.execute(
            "DELETE FROM in_doubt WHERE operation = ? AND stack = ? RETURNING address, generation", (operation, place.stack)
        )
        if not required:
            return  # Nothing is asked, so nobody waits for an answer.
        begun = ended.fetchall()
        if not begun:
            raise _without_begin(operation)
        self._retire(place, *begun[0])

    def _note(self, record: Noted, place: Place) -> None:
        if record.what == "moved":
            gone = self._connection.execute(
                "DELETE FROM resource WHERE stack = ? AND address = ? AND generation = "
                "(SELECT max(generation) FROM resource WHERE stack = ? AND address = ?) RETURNING address, generation",
                (place.stack, record.was, place.stack, record.was),
            ).fetchall()
            for address, generation in gone:
                self._retire(place, address, generation)
        if record.state is not None or record.what == "forgotten":
            self._set(place, record.address, record.generation, record.state)

    def _set(self, place: Place, address: str, generation: int, state: ResourceState | None) -> None:
        """Put an object into the snapshot, or take it out."""
        if state is None:
            delete = "DELETE FROM resource WHERE stack = ? AND address = ? AND generation = ?"
            self._connection.execute(delete, (place.stack, address, generation))
            self._retire(place, address, generation)
            return
        if (state.address, state.generation) != (address, generation):
            raise InternalError(f"A record of {address} #{generation} holds {state.address} #{state.generation}.")
        body = encode_state(state)
        self._connection.execute(
            "INSERT INTO resource (stack, address, generation, body, mac) VALUES (?, ?, ?, ?, ?) "
            "ON CONFLICT (stack, address, generation) DO UPDATE SET body = excluded.body, mac = excluded.mac",
            (place.stack, address, generation, body, self._mac.of(resource_identity(place.stack_name), body)),
        )

    def _retire(self, place: Place, address: str, generation: int) -> None:
        """Remember that a generation was used, where no object in the snapshot says so."""
        mac = self._mac.of(retired_identity(place.stack_name), retired_body(address, generation))
        self._connection.execute(
            "INSERT INTO retired VALUES (?, ?, ?, ?) ON CONFLICT (stack, address) DO UPDATE "
            "SET generation = excluded.generation, mac = excluded.mac WHERE excluded.generation > retired.generation",
            (place.stack, address, generation, mac),
        )


def _without_begin(operation: str) -> InternalError:
    return InternalError(f"A record ends or identifies operation {operation}, which never began.")
