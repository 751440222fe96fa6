"""The formats on disk: what was written by a released version is read by every later one, and the pages tell all of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest

from purvey._base.value import Secret
from purvey._secrets.sealing import Sealer
from purvey._state import record as records
from purvey._state.record import decode, encode, thawed
from purvey._state.resource import ResourceState
from purvey._state.sql import tables as table_versions
from purvey._state.state import fold
from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from purvey._state.record import Record

ROOT = Path(__file__).resolve().parents[3]
JOURNAL = ROOT / "tests" / "golden" / "journal-1.jsonl"
STORE = ROOT / "tests" / "golden" / "journal-store-1.sql"
RUN = "01JTA0000000000000000000R1"


def golden() -> list[Record]:
    """The records of the golden journal."""
    return [decode(line) for line in JOURNAL.read_bytes().splitlines()]


def test_a_journal_of_version_1_is_read() -> None:
    """Every kind of record is read as it was written, and written again byte for byte."""
    assert [encode(record) for record in golden()] == JOURNAL.read_bytes().splitlines()
    assert {type(record) for record in golden()} == set(get_args(records.Record))


def test_a_store_of_version_1_is_read(path: Path) -> None:
    """A whole store of version 1 opens, verifies, and says what its journal says; what was sealed in it opens."""
    path.parent.mkdir()
    with kit.raw(path) as connection:
        connection.executescript(STORE.read_text(encoding="utf-8"))

    with kit.store_at(path) as store:
        state = store.load(kit.STACK)
        assert store.verify() == []
        assert store.records(RUN) == golden()
        assert kit.same(state, fold(golden()))
        assert store.archived(RUN) == {"shop.py": b"from purvey import stack\n"}
        assert (store.run(RUN).result, store.run(RUN).changes) == ("interrupted", 2)
        assert store.acquire(kit.STACK, "RUN2").fence == 3  # A writer of version 1 that is still there has lost its lease.
        made = state.latest("eu/files.File::db")
        assert made is not None
        assert Sealer(kit.KEY).unseal(thawed(made.outputs)["token"]) == Secret("generated")


@pytest.mark.parametrize("line", [b'{"record":"dreamt","at":1.0}', b'{"record":"opened"}', b"{", b"\xff"])
def test_a_record_that_is_not_known_stops_the_reader(line: bytes) -> None:
    """What a later version wrote is not passed over."""
    with pytest.raises(StateError) as caught:
        decode(line)

    assert caught.value.code == "state.unreadable_record"


def told(page: str) -> set[str]:
    """The names in code on a page of the formats."""
    text = (ROOT / "docs" / "formats" / page).read_text(encoding="utf-8")
    return set(re.findall(r"`([a-z_]+)(?:\[\])?`", text))


def test_the_page_of_the_journal_tells_every_field() -> None:
    """The specification names every record and every field that a record or an object can have."""
    shapes: tuple[type[msgspec.Struct], ...] = (*get_args(records.Record), ResourceState)
    fields = {field.encode_name for shape in shapes for field in msgspec.structs.fields(shape)}
    names = {shape.__struct_config__.tag for shape in get_args(records.Record)}

    assert (fields | names) - told("journal.md") == set()


def test_the_page_of_the_store_tells_every_column(path: Path) -> None:
    """The specification names every table and every column, and its version is the one that is written."""
    kit.opened_store(path).close()
    with kit.raw(path) as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        columns = {row[1] for table in tables for row in connection.execute(f"PRAGMA table_info({table})")}

    assert (columns | set(tables)) - told("state.md") == set()
    assert f"Version {table_versions.VERSION}." in (ROOT / "docs" / "formats" / "state.md").read_text(encoding="utf-8")
