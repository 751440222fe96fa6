"""Opening: what is made, with which rights, and what is refused before anything is written."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from purvey._state.sql import tables
from purvey._state.sqlite import connect, find_sqlite, open_sqlite, schema
from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[3]


def refusal(path: Path, key: bytes = kit.KEY) -> StateError:
    """The error of opening the store at `path`; the file itself must not change."""
    before = path.read_bytes() if path.is_file() else b""
    with pytest.raises(StateError) as caught:
        kit.opened_store(path, key=key)
    assert (path.read_bytes() if path.is_file() else b"") == before
    assert caught.value.detail
    assert caught.value.hint
    return caught.value


def test_only_its_owner_can_read_a_store(path: Path) -> None:
    """The folder has mode 0700 and every file in it 0600, those of the write-ahead log too."""
    with kit.store_at(path) as store:
        kit.write(store, kit.opened())

        assert path.parent.stat().st_mode & 0o777 == 0o700
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
        assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600, "state.txt": 0o600}


def test_looking_for_a_store_makes_none(path: Path) -> None:
    """Where there is no store, finding one leaves nothing behind; where there is one, it is opened."""
    clock = kit.ToldClock()
    assert find_sqlite(path, keys=kit.FixedKeys(), clock=clock) is None
    assert not path.parent.exists()

    path.parent.mkdir()
    path.touch()
    assert find_sqlite(path, keys=kit.FixedKeys(), clock=clock) is None

    kit.opened_store(path).close()
    found = find_sqlite(path, keys=kit.FixedKeys(), clock=clock)
    assert found is not None
    found.close()


def _text(path: Path) -> None:
    path.write_text("a shopping list, longer than a header\n" * 100)


def _other_database(path: Path) -> None:
    with kit.raw(path) as connection:
        connection.execute("CREATE TABLE shopping (item TEXT)")


def _folder(path: Path) -> None:
    path.mkdir()


def _newer_tables(path: Path) -> None:
    kit.opened_store(path).close()
    with kit.raw(path) as connection:
        connection.execute(f"PRAGMA user_version = {tables.VERSION + 1}")


def _newer_records(path: Path) -> None:
    kit.opened_store(path).close()
    with kit.raw(path) as connection:
        connection.execute("UPDATE store SET format = 99")


def _headless(path: Path) -> None:
    kit.opened_store(path).close()
    with kit.raw(path) as connection:
        connection.execute("DELETE FROM store")


def _torn(path: Path) -> None:
    with kit.store_at(path) as store:
        kit.write(store, kit.opened(), *kit.created("web"))
    path.write_bytes(path.read_bytes()[:100] + bytes(4000) + path.read_bytes()[4100:])


@pytest.mark.parametrize(
    ("prepare", "code"),
    [
        (_text, "state.damaged"),
        (_other_database, "state.not_a_store"),
        (_folder, "state.cannot_open"),
        (_newer_tables, "state.newer"),
        (_newer_records, "state.newer"),
        (_headless, "state.damaged"),
        (_torn, "state.damaged"),
    ],
)
def test_what_is_no_store_of_ours_is_left_alone(path: Path, prepare: Callable[[Path], None], code: str) -> None:
    """Each kind of wrong file is refused with the file's name and what to do, and is not touched."""
    path.parent.mkdir()
    prepare(path)

    error = refusal(path)

    assert error.code == code
    assert str(path) in error.detail


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A file in the place of the folder is named."""
    (tmp_path / "file").touch()

    with pytest.raises(StateError) as caught:
        kit.opened_store(tmp_path / "file" / "state.db")

    assert caught.value.code == "state.cannot_open"


def test_another_key_is_refused_before_anything_is_written(path: Path) -> None:
    """The store knows its key by a hash, and says where the wrong one came from."""
    kit.opened_store(path).close()

    error = refusal(path, key=bytes(32))

    assert error.code == "state.wrong_key"
    assert "the test's memory" in error.detail


def test_a_missing_key_is_refused_before_anything_is_written(path: Path) -> None:
    """Without its key the store is not opened."""

    class Lost(kit.FixedKeys):
        def find(self, estate: str) -> tuple[bytes, ...]:
            raise StateError("state.missing_key", "The key of the store is not there")

    kit.opened_store(path).close()
    before = path.read_bytes()

    with pytest.raises(StateError) as caught:
        open_sqlite(path, keys=Lost(), clock=kit.ToldClock())

    assert caught.value.code == "state.missing_key"
    assert path.read_bytes() == before


def test_a_damaged_page_is_named_in_use(path: Path) -> None:
    """Damage that appears later is an error about the store, not a traceback."""
    with kit.store_at(path) as store:
        for number in range(20):
            kit.write(store, *kit.created(f"n{number}"), run=f"RUN{number}")
    content = bytearray(path.read_bytes())
    content[4096 * 3 :] = b"\xff" * (len(content) - 4096 * 3)
    path.write_bytes(content)

    with pytest.raises(StateError) as caught, kit.store_at(path) as store:
        store.load(kit.STACK)

    assert caught.value.code == "state.damaged"


def test_a_locked_store_is_not_called_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that keeps the file locked is the cause that is named, and the way to find it."""
    monkeypatch.setattr(connect, "BUSY_S", 0.05)
    with kit.store_at(path) as store, kit.raw(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateError) as caught:
            store.acquire(kit.STACK, "RUN1")
        other.execute("ROLLBACK")

        assert caught.value.code == "state.locked"
        assert f"fuser -v {path}" in caught.value.hint
        assert store.acquire(kit.STACK, "RUN1").fence == 1


def test_an_old_store_is_brought_forward(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of an earlier version gets the later tables when it is opened, once, and keeps what it holds."""
    with kit.store_at(path) as store:
        kit.write(store, kit.opened(), *kit.created("web"))
    added = ("CREATE TABLE later (number INTEGER PRIMARY KEY) STRICT",)
    monkeypatch.setattr(tables, "MIGRATIONS", (*tables.MIGRATIONS, added))
    monkeypatch.setattr(tables, "VERSION", tables.VERSION + 1)

    for _ in range(2):
        with kit.store_at(path) as store:
            assert set(store.load(kit.STACK).resources) == {("files.File::web", 1)}
            assert store.verify() == []

    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM later").fetchone() == (0,)
        assert schema.version_of(connection) == tables.VERSION


def test_a_migration_that_fails_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A migration happens whole or not at all."""
    kit.opened_store(path).close()
    before = path.read_bytes()
    broken = ("CREATE TABLE later (number INTEGER PRIMARY KEY) STRICT", "CREATE TABLE nonsense (")
    monkeypatch.setattr(tables, "MIGRATIONS", (*tables.MIGRATIONS, broken))
    monkeypatch.setattr(tables, "VERSION", tables.VERSION + 1)

    with pytest.raises(StateError):
        kit.opened_store(path)

    monkeypatch.undo()
    assert path.read_bytes() == before
    kit.opened_store(path).close()


def test_opening_a_store_twice_keeps_the_locks_of_the_first(path: Path) -> None:
    """A process may open its store more than once: another one that closes it does not take away the log that is in use."""
    first = kit.opened_store(path)
    kit.write(first, kit.opened(), *kit.created("a"))
    second = kit.opened_store(path)

    other = subprocess.run(
        [sys.executable, "-m", "tests.unit.state.worker", "make", str(path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert other.stdout.strip() == first.estate
    assert path.with_name("state.db-wal").exists(), "the other process thought that it was the last one"
    kit.write(first, kit.closed())
    assert second.verify() == []
    second.close()
    first.close()
