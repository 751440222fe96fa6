"""Makes anew, from the journal, what a stack's journal says: its snapshot, what is in doubt, its outputs, its runs at a glance.

It goes by the journal only where that is proved, and never forgets an object: a row with a good digest that the journal never
wrote shows that the end of the journal is missing, so that stack is left as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from purvey._state.mac import RowMac, resource_identity, retired_body, retired_identity
from purvey._state.record import Begun, Noted, ResourceState, Succeeded, decode_state
from purvey._state.sql import read
from purvey._state.sql.database import Connection
from purvey._state.sql.fold import Fold, Place
from purvey._state.sql.verify import folded, gaps, of_stack, without_ciphertext
from purvey._state.state import State
from purvey._state.store import Rebuilt
from purvey.errors import InternalError, StateError


def rebuild(connection: Connection, stack: str, mac: RowMac) -> Rebuilt:
    """See `purvey._state.store.Store.rebuild`; call it inside a write transaction."""
    wrong = of_stack(connection, stack, mac)
    if not wrong:
        return Rebuilt()
    entries = list(read.journal_of(connection, stack, mac))
    reasons = _missing(connection, stack, entries, mac)
    if reasons:
        return Rebuilt(kept=tuple(reasons))
    _replay(connection, stack, entries, mac)
    still = of_stack(connection, stack, mac)
    return Rebuilt(rebuilt=tuple(sentence for sentence in wrong if sentence not in still))


def _missing(connection: Connection, stack: str, entries: Sequence[read.Entry], mac: RowMac) -> list[str]:
    """Why the journal cannot be gone by; nothing if it can."""
    if any(isinstance(entry.record, StateError) for entry in entries):
        return [f"{stack}: its journal is damaged itself"]
    if gaps(connection):
        return [f"{stack}: records are missing from the journal, and may be this stack's"]
    try:
        told = folded(entries)
    except (KeyError, InternalError) as error:
        return [f"{stack}: its journal cannot be folded: {error}"]
    (number,) = connection.execute("SELECT number FROM stack WHERE name = ?", (stack,)).fetchone()
    return [
        f"{stack}: {sentence}, so the end of its journal is missing"
        for sentence in (
            *_newer_objects(_signed(connection, number, stack, mac), entries, told),
            *_newer_generations(connection, number, stack, told, mac),
            *_newer_operations(connection, number, entries),
        )
    ]


def _signed(connection: Connection, number: int, stack: str, mac: RowMac) -> list[ResourceState]:
    """The objects of the snapshot that are as they were written."""
    query = "SELECT body, mac FROM resource WHERE stack = ? ORDER BY address, generation"
    rows = connection.execute(query, (number,)).fetchall()
    return [decode_state(body) for body, digest in rows if mac.matches(resource_identity(stack), body, digest)]


def _newer_objects(signed: Iterable[ResourceState], entries: Iterable[read.Entry], told: State) -> Iterator[str]:
    """Objects as the journal never had them."""
    strange = {_key(state): state for state in signed if not _same(state, told.resources.get(_key(state)))}
    for entry in entries:
        state = entry.record.state if isinstance(entry.record, Succeeded | Noted) else None
        if state is not None and _same(state, strange.get(_key(state))):
            del strange[_key(state)]  # An earlier copy of the row, put back.
    for address, generation in sorted(strange):
        yield f"the snapshot has {address} #{generation} as no record does"


def _key(state: ResourceState) -> tuple[str, int]:
    return state.address, state.generation


def _same(one: ResourceState, other: ResourceState | None) -> bool:
    return one == other or without_ciphertext(one) == without_ciphertext(other)


def _newer_generations(
    connection: Connection, number: int, stack: str, told: State, mac: RowMac
) -> Iterator[str]:  # fmt: skip
    """Generations that the journal never reserved."""
    query = "SELECT address, generation, mac FROM retired WHERE stack = ? ORDER BY address"
    for address, generation, digest in connection.execute(query, (number,)).fetchall():
        if generation > told.generations.get(address, 0) and mac.matches(
            retired_identity(stack), retired_body(address, generation), digest
        ):
            yield f"{address} #{generation} was used, as no record says"


def _newer_operations(connection: Connection, number: int, entries: Sequence[read.Entry]) -> Iterator[str]:
    """Operations in doubt that the journal never began; these rows have no digest, so a false one keeps a stack as it is."""
    begun = {entry.record.operation for entry in entries if isinstance(entry.record, Begun)}
    query = "SELECT operation FROM in_doubt WHERE stack = ? ORDER BY operation"
    for (operation,) in connection.execute(query, (number,)).fetchall():
        if operation not in begun:
            yield f"operation {operation} is in doubt, as no record says"


_CLEAR: Final = (
    "DELETE FROM resource WHERE stack = ?",
    "DELETE FROM retired WHERE stack = ?",
    "DELETE FROM in_doubt WHERE stack = ?",
    "UPDATE stack SET outputs = NULL WHERE number = ?",
    "UPDATE run SET verb = '', result = '', started = 0, ended = NULL WHERE stack = ?",
    "UPDATE run SET \"user\" = '', machine = '', changes = 0 WHERE stack = ?",
)
"""Takes out all of a stack that its journal says."""


def _replay(connection: Connection, stack: str, entries: Sequence[read.Entry], mac: RowMac) -> None:
    """Fold the whole journal into emptied tables, as it was folded when it was written."""
    (number,) = connection.execute("SELECT number FROM stack WHERE name = ?", (stack,)).fetchone()
    for statement in _CLEAR:
        connection.execute(statement, (number,))
    runs = dict(connection.execute("SELECT id, number FROM run WHERE stack = ?", (number,)).fetchall())
    fold = Fold(connection, mac)
    for run, sequence, record in entries:
        assert not isinstance(record, StateError)  # Every record was proved.
        fold.take(record, sequence, Place(number, stack, runs[run], run, blocked=frozenset()))
        if isinstance(record, Succeeded) and not record.unchanged:
            connection.execute("UPDATE run SET changes = changes + 1 WHERE number = ?", (runs[run],))
