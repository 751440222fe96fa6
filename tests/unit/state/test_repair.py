"""Repair: what the journal proves is made anew, byte for byte what it says; what it does not prove is left as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from purvey._state.mac import RowMac
from purvey._state.sql import repair
from purvey._state.sql.store import SqlStore
from purvey._state.state import State
from purvey._state.tag_out import TagOut
from tests.unit.state import kit

OTHER = "site/dev"

DERIVED: dict[str, str] = {
    "an object is taken out": "DELETE FROM resource WHERE address = 'files.File::web'",
    "all objects are taken out": "DELETE FROM resource",
    "an object is changed": "UPDATE resource SET mac = substr(mac, 2) WHERE address = 'files.File::web'",
    "an object goes to another stack": "UPDATE resource SET stack = 3 - stack, address = address || '2'",
    "an object gets another address": "UPDATE resource SET address = address || '2' WHERE address = 'files.File::web'",
    "an object gets another generation": "UPDATE resource SET generation = 7 WHERE address = 'files.File::web'",
    "a used generation is forgotten": "DELETE FROM retired",
    "a used generation gets lower": "UPDATE retired SET generation = 0",
    "a used generation is unsigned": "UPDATE retired SET mac = substr(mac, 2)",
    "an operation in doubt is forgotten": "DELETE FROM in_doubt",
    "an operation in doubt points elsewhere": "UPDATE in_doubt SET begun = 2",
    "outputs point elsewhere": "UPDATE stack SET outputs = 1 WHERE number = 1",
    "outputs are forgotten": "UPDATE stack SET outputs = NULL",
    "a run says that it was undone": "UPDATE run SET result = 'undone' WHERE number = 1",
    "a run began at another time": "UPDATE run SET started = 5, verb = 'destroy', machine = 'x'",
    "a run made more changes": "UPDATE run SET changes = 99",
    "an operation in doubt goes to another stack": "UPDATE in_doubt SET stack = 3 - stack",
}
"""Damage to what the journal says as well."""

LOST: dict[str, str] = {
    "a record is changed": "UPDATE record SET mac = substr(mac, 2) WHERE sequence = 2",
    "a record goes to another run": "UPDATE record SET run = 3 - run WHERE sequence = 2",
    "two records change places": "UPDATE record SET sequence = 1000 - sequence WHERE sequence IN (2, 3)",
    "a record is taken out of the middle": "DELETE FROM record WHERE sequence = 3",
    "a run goes to another stack": "UPDATE run SET stack = 3 - stack WHERE number = 1",
    "two runs change stacks": "UPDATE run SET stack = 3 - stack",
    "a run is taken out": "DELETE FROM run WHERE number = 1",
    "a stack has another name": "UPDATE stack SET name = 'shop/dew' WHERE number = 1",
    "the head of a journal is unsigned": "UPDATE stack SET mac = substr(mac, 2)",
    "the head of a journal is another": "UPDATE stack SET head = substr(head, 2)",
    "the head of a journal is gone": "UPDATE stack SET head = NULL, mac = NULL",
    "an archived script is unsigned": "UPDATE manifest SET mac = substr(mac, 2)",
    "a tag is taken off without a word": "UPDATE tag_out SET active = 0",
}
"""Damage to what nothing else says."""


def filled(store: SqlStore) -> None:
    """Two stacks: objects changed and gone, one in doubt, outputs, a tag, a script."""
    for stack, run, prefix in ((kit.STACK, "RUN1", "a"), (OTHER, "RUN2", "b")):
        web, old, gone = kit.resource("web"), kit.resource("old"), kit.resource("gone")
        kit.write(
            store, kit.opened(), kit.begun(f"{prefix}0", web), kit.succeeded(f"{prefix}0", web),
            kit.begun(f"{prefix}1", old), kit.succeeded(f"{prefix}1", old),
            kit.begun(f"{prefix}2", gone), kit.succeeded(f"{prefix}2", gone), kit.begun(f"{prefix}3", gone, "delete"),
            kit.succeeded(f"{prefix}3", gone, gone=True), kit.begun(f"{prefix}4", kit.resource("doubt")),
            kit.identified(f"{prefix}4", "id"), kit.begun(f"{prefix}5", web), kit.failed(f"{prefix}5", web),
            kit.outputs(url="x"), kit.closed(), stack=stack, run=run,
        )  # fmt: skip
        store.archive(run, {"shop.py": b"pass"})
    store.tag_out(kit.STACK, TagOut(address="files.File::web", reason="why", user="ada", host="desk", at=1.0))


def truth(store: SqlStore) -> Any:
    """Everything that the journal says, as it is read."""
    return [_told(store.load(stack)) for stack in (kit.STACK, OTHER)], store.runs(None, 10), store.verify()


def _told(state: State) -> Any:
    doubts = {name: (doubt.begun, doubt.id, doubt.failed) for name, doubt in state.in_doubt.items()}
    return state.resources, doubts, state.outputs, state.reads, state.generations


def damage(place: kit.Place, *statements: str) -> None:
    """Change the store behind its back."""
    with kit.raw(place) as connection:
        for statement in statements:
            connection.execute(statement)


def repaired(store: SqlStore) -> tuple[list[str], list[str]]:
    """What was made anew, and why something was not."""
    rebuilt: list[str] = []
    kept: list[str] = []
    store.reindex()
    for stack in store.everything():
        with store.hold(stack, "REPAIR"):
            made = store.rebuild(stack)
        rebuilt += made.rebuilt
        kept += made.kept
    return rebuilt, kept


def rows(place: kit.Place) -> list[Any]:
    """Every row of every table with what is remembered."""
    tables = ("record", "resource", "retired", "in_doubt", "stack", "run", "tag_out", "manifest")
    with kit.raw(place) as connection:
        return [sorted(map(repr, connection.execute(f"SELECT * FROM {table}").fetchall())) for table in tables]


@pytest.mark.parametrize("name", DERIVED)
def test_what_the_journal_says_is_made_anew(store: SqlStore, place: kit.Place, name: str) -> None:
    """The store is sound again, and everything reads as before; a second repair finds nothing to do."""
    filled(store)
    before = truth(store)
    damage(place, DERIVED[name])
    assert store.verify()

    rebuilt, kept = repaired(store)

    assert rebuilt
    assert kept == []
    assert truth(store) == before
    assert before[-1] == []
    assert repaired(store) == ([], [])


def test_all_at_once_is_made_anew(store: SqlStore, place: kit.Place) -> None:
    """Nothing but the journal is left."""
    filled(store)
    before = truth(store)
    damage(
        place, "DELETE FROM resource", "DELETE FROM retired", "DELETE FROM in_doubt", "UPDATE stack SET outputs = NULL",
        "UPDATE run SET result = '', changes = 0, verb = ''",
    )  # fmt: skip

    repaired(store)

    assert truth(store) == before


@pytest.mark.parametrize("also", ["DELETE FROM resource", "UPDATE resource SET mac = substr(mac, 2)", ""])
@pytest.mark.parametrize("name", LOST)
def test_what_nothing_else_says_is_left_as_it_is(store: SqlStore, place: kit.Place, name: str, also: str) -> None:
    """Where a journal is not whole, none of its stack is changed, whatever else is wrong with that, and verifying tells."""
    filled(store)
    damage(place, LOST[name], *([also] if also else []))
    found, before = store.verify(), rows(place)

    rebuilt, _ = repaired(store)

    assert store.verify() != []
    if not also:
        assert rebuilt == []
        assert rows(place) == before
        assert store.verify() == found
    assert not any(sentence.startswith(f"{kit.STACK}: ") for sentence in rebuilt) or "script" in name or "tag" in name


def test_names_that_change_places_are_told(store: SqlStore, place: kit.Place) -> None:
    """Each stack would have the other's objects; nothing is made anew by that."""
    filled(store)
    damage(
        place, "UPDATE stack SET name = 'x' WHERE number = 1", f"UPDATE stack SET name = '{kit.STACK}' WHERE number = 2",
        f"UPDATE stack SET name = '{OTHER}' WHERE number = 1",
    )  # fmt: skip
    before = rows(place)

    rebuilt, kept = repaired(store)

    assert (rebuilt, len(kept)) == ([], 2)
    assert rows(place) == before


def test_a_stack_is_repaired_beside_one_that_cannot_be(store: SqlStore, place: kit.Place) -> None:
    """One journal is damaged; the other is proved, and its snapshot is made anew."""
    filled(store)
    before = store.load(OTHER).resources
    damage(place, "UPDATE record SET mac = substr(mac, 2) WHERE sequence = 2", "DELETE FROM resource")

    rebuilt, kept = repaired(store)

    assert store.load(OTHER).resources == before
    assert all(sentence.startswith(f"{OTHER}: ") for sentence in rebuilt)
    (reason,) = kept
    assert "Journal record 2" in reason


@pytest.mark.parametrize("also", ["", "UPDATE resource SET mac = substr(mac, 2)", "DELETE FROM retired"])
def test_nothing_is_made_anew_from_a_journal_without_its_end(store: SqlStore, place: kit.Place, also: str) -> None:
    """The journal loses its end, one record more each time: the snapshot, which may know more, is left as it is."""
    filled(store)
    last = store.moment().sequence
    if also:
        damage(place, also)
    for sequence in range(last, last // 2, -1):
        damage(place, f"DELETE FROM record WHERE sequence = {sequence}")
        before = rows(place)

        rebuilt, kept = repaired(store)

        assert any(sentence.startswith(f"{OTHER}: its journal is not whole") for sentence in kept)
        assert not any(sentence.startswith(f"{OTHER}: ") for sentence in rebuilt)
        if not also:
            assert rows(place) == before


def test_an_older_copy_of_a_row_is_not_taken_for_the_end_of_the_journal(store: SqlStore, place: kit.Place) -> None:
    """A good row of yesterday, put back, is known to the journal: it is made anew."""
    old, new = kit.resource(), kit.resource(inputs={"content": "new"})
    kit.write(store, kit.opened(), kit.begun("1", old), kit.succeeded("1", old))
    with kit.raw(place) as connection:
        body, mac = connection.execute("SELECT body, mac FROM resource").fetchone()
    kit.write(store, kit.begun("2", new, "update"), kit.succeeded("2", new), kit.closed())
    with kit.raw(place) as connection:
        connection.execute("UPDATE resource SET body = ?, mac = ?", (body, mac))

    rebuilt, kept = repaired(store)

    assert (len(rebuilt), kept) == (1, [])
    assert store.load(kit.STACK).resources[new.address, 1] == new


def test_an_index_is_made_anew(path: Path) -> None:
    """An index whose page is empty hides rows from whoever looks by it."""
    with kit.store_at(path) as store:
        filled(store)
    with kit.raw(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'record_of_run'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\x0a\0\0\0\0" + size.to_bytes(2, "big") + b"\0")
    with kit.store_at(path) as store:
        assert any("record_of_run" in sentence for sentence in store.verify())

        repaired(store)

        assert store.verify() == []


def test_a_run_that_goes_on_meanwhile_is_not_overwritten(store: SqlStore, place: kit.Place) -> None:
    """What was found wrong is as of one moment; where the journal has gone on since, nothing is changed."""
    filled(store)
    damage(place, "DELETE FROM resource WHERE address = 'files.File::web'")
    mac = RowMac(kit.KEY)
    found = store.read(lambda connection: repair.examine(connection, kit.STACK, mac))
    assert isinstance(found, repair.Mending)
    kit.write(store, kit.opened(), *kit.created("late"), run="RUN3")
    before = rows(place)

    made = store._change(lambda connection: repair.mend(connection, found))

    assert (made.rebuilt, len(made.kept)) == ((), 1)
    assert rows(place) == before
