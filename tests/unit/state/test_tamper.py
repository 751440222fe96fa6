"""Whoever changes a store without its key is found out: every byte, and every row that is moved, taken or brought back."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from purvey._secrets.sealing import Sealer
from purvey._state.record import Closed, Opened, OutputsSet
from purvey._state.tag_out import TagOut
from purvey.errors import StateError
from tests.unit.state import kit

SIGNED = {
    "record": ("body", "mac"), "resource": ("body", "mac"), "retired": ("mac",), "tag_out": ("body", "mac"),
    "manifest": ("body", "mac"), "file": ("content",),
}  # fmt: skip
"""The columns whose every byte counts."""

RUN, OTHER_RUN = "01JD8ZK3M0000000000000000A", "01JD8ZK3M0000000000000000B"


def filled(path: Path) -> None:
    """A store with a row of every kind: two stacks, an object that is gone, one in doubt, outputs, a tag, a script."""
    with kit.store_at(path) as store:
        for stack, run in (("shop/dev", RUN), ("site/dev", OTHER_RUN)):
            with store.hold(stack, run) as lease:
                web, old = kit.resource("web"), kit.resource("old")
                journal = store.open_journal(stack, run, lease.fence)
                journal.write_now(
                    Opened(at=1.0, verb="apply"), kit.begun("o1", web) if stack == "shop/dev" else kit.begun("p1", web),
                    kit.succeeded("o1" if stack == "shop/dev" else "p1", web),
                )  # fmt: skip
                if stack == "shop/dev":
                    journal.write_now(
                        kit.begun("o2", old), kit.succeeded("o2", old), kit.begun("o3", old, "delete"),
                        kit.succeeded("o3", old, gone=True), kit.begun("o4", kit.resource("doubt")),
                        OutputsSet(at=3.0, values={"url": "x"}), Closed(at=4.0, result="kept"),
                    )  # fmt: skip
                    store.archive(run, {"shop.py": b"pass"})
                    store.tag_out(stack, TagOut(address="files.File::web", reason="why", user="ada", host="desk", at=1.0))


def complaints(path: Path) -> list[str]:
    """What the store says is wrong with it."""
    with kit.store_at(path) as store:
        return store.verify()


def rows(path: Path, table: str) -> list[int]:
    """The row ids of a table, or what serves as such."""
    with kit.raw(path) as connection:
        return [row[0] for row in connection.execute(f"SELECT {_place(table)} FROM {table}")]


def _place(table: str) -> str:
    return {"retired": "address", "manifest": "run"}.get(table, "rowid")


@pytest.mark.parametrize("table", SIGNED)
def test_every_byte_that_is_signed_counts(path: Path, table: str) -> None:
    """One flipped bit in any byte of a body, a digest or an archived file is found."""
    filled(path)
    assert complaints(path) == []
    flipped = 0
    for column in SIGNED[table]:
        for place in rows(path, table):
            with kit.raw(path) as connection:
                select = f"SELECT {column} FROM {table} WHERE {_place(table)} = ?"
                (good,) = connection.execute(select, (place,)).fetchone()
            for index in range(0, len(good), 1 if os.environ.get("PURVEY_TEST_FULL") else 7):
                bad = bytes(byte ^ (1 << index % 8 if at == index else 0) for at, byte in enumerate(good))
                _put(path, table, column, place, bad)
                assert complaints(path), (table, column, place, index)
                flipped += 1
            _put(path, table, column, place, good)
    assert complaints(path) == []
    assert flipped >= 1


def _put(path: Path, table: str, column: str, place: object, value: bytes) -> None:
    with kit.raw(path) as connection:
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {_place(table)} = ?", (value, place))


MOVES: dict[str, str] = {
    "an object goes to another stack": "UPDATE resource SET stack = 3 - stack, address = address || '2'",
    "an object gets another address": "UPDATE resource SET address = address || '2' WHERE number = 1",
    "an object gets another generation": "UPDATE resource SET generation = 7 WHERE number = 1",
    "an object is taken out": "DELETE FROM resource WHERE number = 1",
    "two records change places": "UPDATE record SET body = (SELECT body FROM record WHERE sequence = 3), "
    "mac = (SELECT mac FROM record WHERE sequence = 3) WHERE sequence = 2",
    "a record goes to another run": "UPDATE record SET run = 2 WHERE sequence = 2",
    "a record is taken out of the middle": "DELETE FROM record WHERE sequence = 3",
    "the last record is taken out": "DELETE FROM record WHERE sequence = (SELECT max(sequence) FROM record)",
    "the first record is taken out": "DELETE FROM record WHERE sequence = 1",
    "a used generation is forgotten": "DELETE FROM retired",
    "a used generation gets lower": "UPDATE retired SET generation = 0",
    "an operation in doubt is forgotten": "DELETE FROM in_doubt",
    "an operation in doubt points elsewhere": "UPDATE in_doubt SET begun = 2",
    "outputs point elsewhere": "UPDATE stack SET outputs = 1 WHERE number = 1",
    "outputs are forgotten": "UPDATE stack SET outputs = NULL",
    "a run says that it succeeded": "UPDATE run SET result = 'succeeded' WHERE number = 1",
    "a tag is taken off without a word": "UPDATE tag_out SET active = 0",
    "an archived file is taken out": "DELETE FROM file",
    "an archived script is another run's": "UPDATE manifest SET run = 'another'",
}


@pytest.mark.parametrize("move", MOVES)
def test_what_is_moved_or_taken_out_is_found(path: Path, move: str) -> None:
    """Rows that are good in themselves, and are not where they were."""
    filled(path)
    with kit.raw(path) as connection:
        connection.execute(MOVES[move])

    assert complaints(path)


READS: dict[str, Callable[[Any], object]] = {
    "load": lambda store: store.load("shop/dev"),
    "records": lambda store: store.records(RUN),
    "outputs": lambda store: store.outputs("shop/dev"),
    "tags": lambda store: store.tags("shop/dev"),
    "archived": lambda store: store.archived(RUN),
}


@pytest.mark.parametrize(
    ("read", "table", "column"),
    [("load", "resource", "body"), ("load", "retired", "mac"), ("records", "record", "body"), ("outputs", "record", "mac"),
     ("tags", "tag_out", "body"), ("archived", "manifest", "body"), ("archived", "file", "content")],
)  # fmt: skip
def test_nothing_is_done_with_a_changed_row(path: Path, read: str, table: str, column: str) -> None:
    """Reading stops with the row's name; nobody has to verify first."""
    filled(path)
    for place in rows(path, table):
        with kit.raw(path) as connection:
            select = f"SELECT {column} FROM {table} WHERE {_place(table)} = ?"
            (good,) = connection.execute(select, (place,)).fetchone()
        _put(path, table, column, place, bytes([good[0] ^ 1, *good[1:]]))

    with kit.store_at(path) as store, pytest.raises(StateError) as caught:
        READS[read](store)

    assert caught.value.code == "state.tampered_row"


def test_every_byte_of_what_is_sealed_counts() -> None:
    """A plan file or a value is opened as it was sealed, or not at all: any byte flipped, any length, another purpose."""
    sealer = Sealer(kit.KEY)
    sealed = sealer.seal_bytes(b"the plan", b"plan")
    assert sealer.open_bytes(sealed, b"plan") == b"the plan"
    wrong = [bytes([*sealed[:at], sealed[at] ^ 1, *sealed[at + 1 :]]) for at in range(len(sealed))]
    wrong += [sealed[:length] for length in range(len(sealed))]
    for bad in wrong:
        with pytest.raises(StateError, match="sealed value"):
            sealer.open_bytes(bad, b"plan")
    with pytest.raises(StateError, match="sealed value"):
        sealer.open_bytes(sealed, b"value")
