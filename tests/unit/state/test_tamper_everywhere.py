"""Every byte of a small store is changed in turn: it is told, or it is on the list of what does not matter, which is short."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from purvey._base.value import Secret
from purvey._secrets.sealing import Sealer
from purvey._state.tag_out import TagOut
from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from purvey._state.sql.store import SqlStore

SIGNED = ("record", "resource", "retired", "in_doubt", "stack", "run", "tag_out", "file", "manifest")
"""The tables with what is remembered; `store`, `lease`, `waiting` and `moved` say how it is come by, and are not signed."""

FREE = {("run", "number"), ("resource", "number"), ("stack", "number"), ("tag_out", "number")}
"""Columns that only tie rows together or order them; where another row points to one, the database's own check tells."""


@pytest.fixture
def small(path: Path) -> Iterator[SqlStore]:
    """A store in a file with something in every signed table; its rows are as small as they can be."""
    with kit.store_at(path) as store:
        store.archive("RUN1", {"a.py": b"a"})
        gone = kit.resource("gone")
        sealed = Sealer(kit.KEY).mask(Secret("hunter2"))
        kit.write(
            store, kit.opened(), *kit.created("web"), kit.outputs(url=sealed), kit.begun("x", gone), kit.failed("x", gone),
            kit.begun("y", kit.resource("doubt")), kit.identified("y", "id"), kit.closed(),
        )  # fmt: skip
        store.tag_out(kit.STACK, TagOut(address="files.File::web", reason="r", user="u", host="h", at=1.0))
        assert store.verify() == []
        yield store


def changed(cell: Any) -> Iterator[Any]:
    """Every value that differs from `cell` in one place."""
    match cell:
        case bytes():
            yield from (cell[:at] + bytes([cell[at] ^ 1]) + cell[at + 1 :] for at in range(len(cell)))
        case str():
            yield from (cell[:at] + chr(ord(cell[at]) ^ 1) + cell[at + 1 :] for at in range(len(cell)))
        case int() | float():
            yield cell + 1_000
        case _:
            assert cell is None


@pytest.mark.parametrize("table", SIGNED)
def test_every_byte_counts(small: SqlStore, path: Path, table: str) -> None:
    """Whichever byte of whichever cell is another, verifying tells."""
    tried = 0
    with kit.raw(path) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
        key = {"in_doubt": "operation", "manifest": "run", "retired": "address"}.get(table, "rowid")
        keys = [row[0] for row in connection.execute(f"SELECT {key} FROM {table}")]
        for row, column in ((row, column) for row in keys for column in columns if (table, column) not in FREE):
            (cell,) = connection.execute(f'SELECT "{column}" FROM {table} WHERE {key} = ?', (row,)).fetchone()
            for other in changed(cell):
                connection.execute("BEGIN")
                connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE {key} = ?', (other, row))
                connection.execute("COMMIT")
                told = _complaints(small)
                where = other if column in (key, "sequence") else row
                connection.execute(f'UPDATE {table} SET "{column}" = ? WHERE {key} = ?', (cell, where))
                assert told, f"{table}.{column} of {row}: {cell!r} became {other!r}"
                tried += 1
    assert tried > 0
    assert small.verify() == []


def _complaints(store: SqlStore) -> list[str]:
    """What verifying says, as a sentence where it refuses to read on."""
    try:
        return store.verify()
    except StateError as error:
        return [error.code]


def test_every_byte_of_a_sealed_file_counts() -> None:
    """What a plan file is sealed with tells of any changed byte, of a missing or an added one, and of another purpose."""
    sealer = Sealer(kit.KEY)
    sealed = sealer.seal_bytes(b"the plan", b"plan")
    wrong = [*changed(sealed), *(sealed[:length] for length in range(len(sealed))), sealed + b"\0"]
    for other in wrong:
        with pytest.raises(StateError) as caught:
            sealer.open_bytes(other, b"plan")
        assert caught.value.code == "state.tampered"
    with pytest.raises(StateError):
        sealer.open_bytes(sealed, b"else")
    assert sealer.open_bytes(sealed, b"plan") == b"the plan"


SWAPS = {
    "record": ("sequence", 2, 3),
    "resource": ("number", 1, 2),
    "tag_out": ("number", 1, 2),
}
"""Two rows of a table whose bodies and digests change places."""


@pytest.mark.parametrize("table", SWAPS)
def test_two_rows_that_change_places_are_told(small: SqlStore, path: Path, table: str) -> None:
    """Both digests are good ones, and neither is of its row."""
    kit.write(small, *kit.created("db"))
    small.tag_out(kit.STACK, TagOut(address="files.File::db", reason="r", user="u", host="h", at=1.0))
    column, one, two = SWAPS[table]
    with kit.raw(path) as connection:
        rows = {
            key: connection.execute(f"SELECT body, mac FROM {table} WHERE {column} = ?", (key,)).fetchone()
            for key in (one, two)
        }
        for there, here in ((one, two), (two, one)):
            connection.execute(f"UPDATE {table} SET body = ?, mac = ? WHERE {column} = ?", (*rows[here], there))

    assert _complaints(small)


def test_each_record_that_is_deleted_is_told(small: SqlStore, path: Path) -> None:
    """Whichever it is, the last one of the journal, too, where it changed what is remembered or how the run ended."""
    with kit.raw(path) as connection:
        rows = connection.execute("SELECT * FROM record ORDER BY sequence").fetchall()
        for row in rows:
            connection.execute("DELETE FROM record WHERE sequence = ?", (row[0],))
            assert _complaints(small), row
            connection.execute("INSERT INTO record VALUES (?, ?, ?, ?)", row)
    assert small.verify() == []
