"""What the journal of one stack says, added up in one pass: its state, where that is written, and how its runs went."""

from __future__ import annotations

from purvey._state.mac import RowMac
from purvey._state.record import Begun, Closed, Failed, Identified, Opened, OutputsSet, Record, Succeeded
from purvey._state.sql import read
from purvey._state.sql.database import Connection
from purvey._state.sql.head import first_head, head_of, next_head
from purvey._state.state import State
from purvey.errors import InternalError, StateError


class ToldRun:
    """A run at a glance, as its records say; see the table `run`."""

    __slots__ = ("changes", "ended", "machine", "result", "started", "user", "verb")

    def __init__(self) -> None:
        self.verb = self.user = self.machine = self.result = ""
        self.started = 0.0
        self.ended: float | None = None
        self.changes = 0

    def take(self, record: Record) -> None:
        """Take one of its records into account."""
        if isinstance(record, Opened):
            if not self.started:  # A run that is opened again keeps what it was first opened with.
                self.verb, self.user, self.machine, self.started = record.verb, record.user, record.machine, record.at
            self.result, self.ended = "", None
        elif isinstance(record, Closed):
            self.result, self.ended = record.result, record.at
        elif isinstance(record, Succeeded):
            self.changes += not record.unchanged


class Told:
    """What the journal of a stack says.

    Attributes:
        stack: The stack's name.
        wrong: Why it cannot be believed, one sentence each.
        state: Its fold.
        places: For each operation that ever began, the numbers of its records: begun, identified, failed; or None.
        outputs: The number of the record that set the outputs; None if none did.
        runs: Every run of the stack.
        head: The head of the chain over the records that are there.
    """

    __slots__ = ("head", "outputs", "places", "runs", "stack", "state", "wrong")

    def __init__(self, stack: str) -> None:
        self.stack = stack
        self.wrong: list[str] = []
        self.state = State()
        self.places: dict[str, tuple[int, int | None, int | None]] = {}
        self.outputs: int | None = None
        self.runs: dict[str, ToldRun] = {}
        self.head = first_head(stack)

    def take(self, entry: read.Entry) -> None:
        """Take one row of the journal into account."""
        self.head = next_head(self.head, entry.run, entry.sequence)
        record = entry.record
        if isinstance(record, StateError):
            self.wrong.append(record.detail)
        elif not self.wrong:
            self._believe(record, entry)

    def _believe(self, record: Record, entry: read.Entry) -> None:
        try:
            self.state.apply(record)
        except (KeyError, InternalError) as error:
            self.wrong.append(f"{self.stack}: the journal cannot be folded: {error}")
            return
        self.runs[entry.run].take(record)
        if isinstance(record, Begun):
            self.places[record.operation] = (entry.sequence, None, None)
        elif isinstance(record, Identified):
            self.places[record.operation] = (self.places[record.operation][0], entry.sequence, None)
        elif isinstance(record, Failed) and record.may_exist:
            self.places[record.operation] = (*self.places[record.operation][:2], entry.sequence)
        elif isinstance(record, Succeeded | Failed):
            self.places.pop(record.operation, None)
        elif isinstance(record, OutputsSet):
            self.outputs = entry.sequence


def told_by_journal(connection: Connection, stack: str, mac: RowMac) -> Told:
    """What the journal of a stack that is known says; call it inside a read transaction."""
    told = Told(stack)
    query = "SELECT id FROM run WHERE stack = (SELECT number FROM stack WHERE name = ?) ORDER BY number"
    told.runs = {run: ToldRun() for (run,) in connection.execute(query, (stack,)).fetchall()}
    for entry in read.journal_of(connection, stack, mac):
        told.take(entry)
    kept = head_of(connection, stack)
    if told.head != (kept.head or first_head(stack)) or not (kept.head is None or kept.is_signed(stack, mac)):
        told.wrong.append(f"{stack}: its journal is not whole: records are missing, or are another stack's")
    return told
