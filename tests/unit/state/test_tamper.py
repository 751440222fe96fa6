"""One changed bit is seen, and the row is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from purvey._state.sql.store import SqlStore

GONE = kit.resource("gone")

ROWS = {
    ("record", "sequence = 3"): "Journal record 3 of run RUN1",
    ("resource", "address = 'files.File::db'"): "The snapshot of shop/dev::files.File::db #1",
    ("retired", "address = 'files.File::gone'"): "The highest generation of shop/dev::files.File::gone",
    ("manifest", "run = 'RUN1'"): "The list of files of run RUN1",
    ("file", "true"): "The archived file shop.py of run RUN1",
}
"""A row of each signed table, and how it is named."""

CELLS = [
    (table, where, column, name)
    for (table, where), name in ROWS.items()
    for column in {"retired": ("mac",), "file": ("content",)}.get(table, ("body", "mac"))
]


@pytest.fixture(autouse=True)
def content(store: SqlStore) -> None:
    """Something in every table."""
    store.archive("RUN1", {"shop.py": b"the script"})
    kit.write(
        store, kit.opened(), *kit.created("web"), *kit.created("db"), kit.outputs(url="u"), kit.begun("x", GONE),
        kit.failed("x", GONE), kit.begun("y", kit.resource("doubt")),
    )  # fmt: skip


def complaints(store: SqlStore) -> list[str]:
    """What reading everything in the store complains about."""
    found: list[StateError] = []
    for look in (lambda: store.load(kit.STACK), lambda: store.records("RUN1"), lambda: store.archived("RUN1")):
        try:
            look()
        except StateError as error:
            found.append(error)
    assert {error.code for error in found} <= {"state.tampered_row"}
    return [error.detail for error in found]


@pytest.mark.trials(sample=4, full=200)
@pytest.mark.parametrize(("table", "where", "column", "name"), CELLS, ids=[f"{cell[0]}-{cell[2]}" for cell in CELLS])
def test_one_flipped_bit_is_named(
    store: SqlStore, place: kit.Place, rng: random.Random, table: str, where: str, column: str, name: str
) -> None:
    """Whichever bit of a body or a digest is another, reading and verifying name the row."""
    assert complaints(store) == store.verify() == []
    with kit.raw(place) as connection:
        (cell,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()
        flipped = bytearray(cell)
        flipped[rng.randrange(len(cell))] ^= 1 << rng.randrange(8)
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (bytes(flipped),))

    assert any(name in complaint for complaint in complaints(store))
    assert any(name in sentence for sentence in store.verify())


EDITS = {
    "UPDATE resource SET address = 'files.File::xx' WHERE address = 'files.File::db'": "files.File::xx #1",
    "UPDATE resource SET generation = 2 WHERE address = 'files.File::db'": "files.File::db #2",
    "UPDATE retired SET generation = 9": "files.File::gone",
    "UPDATE record SET sequence = 99 WHERE sequence = 4": "record 99",
    "UPDATE record SET run = (SELECT number FROM run WHERE id = 'RUN2') WHERE sequence = 4": "record 4",
    "UPDATE in_doubt SET operation = 'other'": "in doubt other",
    "UPDATE in_doubt SET begun = 1": "in doubt y",
    "UPDATE stack SET outputs = 2": "outputs of shop/dev",
}
"""What an editor could do without touching a body, and what the complaint names."""


@pytest.mark.parametrize(("edit", "name"), EDITS.items(), ids=[str(number) for number in range(len(EDITS))])
def test_a_moved_row_is_named(store: SqlStore, place: kit.Place, edit: str, name: str) -> None:
    """A body is good only in its own row."""
    kit.write(store, kit.opened(), run="RUN2")
    with kit.raw(place) as connection:
        connection.execute(edit)

    assert any(name in sentence for sentence in store.verify())
    with pytest.raises(StateError) as caught:
        [store.load(kit.STACK), store.records("RUN1"), store.records("RUN2")]
    assert caught.value.code == "state.tampered_row"


REMOVALS = {
    "DELETE FROM resource WHERE address = 'files.File::db'": "files.File::db #1",
    "DELETE FROM retired": "files.File::gone",
    "DELETE FROM in_doubt": "operation y",
    "DELETE FROM record WHERE sequence = 3": "1 journal records are missing",
    "UPDATE stack SET outputs = NULL": "outputs",
    "UPDATE run SET result = 'succeeded' WHERE id = 'RUN1'": "run RUN1 is listed as succeeded",
}
"""What no digest can show, and what the complaint names."""


@pytest.mark.parametrize(("edit", "name"), REMOVALS.items(), ids=[str(number) for number in range(len(REMOVALS))])
def test_verifying_sees_what_is_missing(store: SqlStore, place: kit.Place, edit: str, name: str) -> None:
    """A removed row has no digest to be wrong; the fold of the journal shows it."""
    with kit.raw(place) as connection:
        connection.execute(edit)

    assert any(name in sentence for sentence in store.verify())


def test_a_broken_file_is_not_looked_into(path: Path) -> None:
    """Where the tables contradict each other, that is told and nothing is concluded from them."""
    with kit.store_at(path) as file:
        kit.write(file, kit.opened())
        with kit.raw(path) as connection:
            connection.execute("INSERT INTO record (run, body, mac) VALUES (99, x'00', x'00')")
            (row,) = connection.execute("SELECT max(sequence) FROM record").fetchone()

        assert file.verify() == [f"row {row} of record points to nothing"]


def test_an_equal_object_of_another_stack_is_not_taken(store: SqlStore, place: kit.Place) -> None:
    """A snapshot row that is copied into another stack does not verify there."""
    kit.write(store, kit.opened(), run="RUN2", stack="shop/prod")
    with kit.raw(place) as connection:
        connection.execute(
            "INSERT INTO resource (stack, address, generation, body, mac) "
            "SELECT (SELECT number FROM stack WHERE name = 'shop/prod'), address, generation, body, mac FROM resource LIMIT 1"
        )

    with pytest.raises(StateError) as caught:
        store.load("shop/prod")
    assert "shop/prod::files.File::" in caught.value.detail
