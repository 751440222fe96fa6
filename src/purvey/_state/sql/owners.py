"""Refuses to take over what another stack has recorded meanwhile.

Whoever takes an object over has looked in the records of the other stacks whose it is, and does not have their leases. So what
they recorded since is looked at once more, in the transaction that would write it, where nobody else writes. That costs as much
as was written in between, however much is remembered.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from purvey._base.address import full
from purvey._state.journal import Journal
from purvey._state.mac import RowMac
from purvey._state.place import place
from purvey._state.record import Noted, Record
from purvey._state.sql import read
from purvey._state.sql.database import Connection
from purvey.errors import StateError

_SINCE: Final = (
    "SELECT stack.name, body FROM record JOIN run ON run.number = record.run JOIN stack ON stack.number = run.stack "
    "WHERE sequence > ? AND stack.name <> ?"
)


def refuse_owned(connection: Connection, journal: Journal, records: Sequence[Record], mac: RowMac) -> None:
    """Stop a write that would give an object a second owner; call it inside the write transaction.

    Raises:
        StateError: ``state.owned``.
    """
    taken = [
        record.state
        for record in records
        if type(record) is Noted and record.what in ("adopted", "imported") and record.state is not None
    ]
    if not taken:
        return
    names = [msgspec.json.encode(state.id) for state in taken]
    since = connection.execute(_SINCE, (journal.since, journal.stack)).fetchall()
    others = {stack for stack, body in since if any(name in body for name in names)}
    if not others:
        return
    mine = read.load(connection, journal.stack, mac)
    wanted = {(state.kind, state.id, state.machine, place(mine, state.container)) for state in taken}
    for stack in sorted(others):
        theirs = read.load(connection, stack, mac)
        for state in theirs.resources.values():
            if (state.kind, state.id, state.machine, place(theirs, state.container)) in wanted:
                raise _owned(state.id, full(stack, state.address))


def _owned(object_id: str, owner: str) -> StateError:
    return StateError(
        "state.owned",
        "The object belongs to another",
        detail=f"{object_id} was recorded as {owner} meanwhile.",
        hint="Repeat the command: it then says how to get it.",
    )
