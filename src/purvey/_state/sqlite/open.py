"""Opens a store: makes a new one, migrates an old one, and refuses what it must not touch.

Nothing is written before the file is known to be a store and the key to be its own. A new store appears in one transaction,
its key before it: whoever dies in between leaves a key without a store, never a store without a key. A note beside the file
says that there was a store, so that one that was lost is not taken for one that was never made.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

from purvey._base.clock import Clock
from purvey._state.mac import RowMac
from purvey._state.sql import tables
from purvey._state.sql.head import put_all_heads
from purvey._state.sql.opening import first_row, identity, newer, require_usable
from purvey._state.sql.store import SqlStore
from purvey._state.sqlite.connect import SqliteConnection, SqliteDatabase, connect, damaged, no_room, reading, transaction
from purvey._state.sqlite.schema import APPLICATION_ID, migrate, version_of
from purvey._state.store import Keys
from purvey.errors import StateError

NOTE: Final = "state.txt"
"""The note beside a store, written once it is made."""

_NOTE_TEXT: Final = """state.db is purvey's record of what it has made here, and what an undo needs. Keep it, and copy it with

    purvey store backup FILE

Without it purvey does not know what is its own.
"""

_RETRIES_MAX: Final = 200
_RETRY_S: Final = 0.05
"""Switching on the write-ahead log fails while another process looks at a new file; ten seconds outlast any such moment."""


def open_sqlite(path: Path, *, keys: Keys, clock: Clock) -> SqlStore:
    """The store at `path`; a new one with its key if there is none.

    Args:
        path: The file. Its folder is made with mode 0700, the file with mode 0600.
        keys: Where keys are.
        clock: Time and chance.

    Raises:
        StateError: ``state.cannot_open``, ``state.not_a_store``, ``state.damaged``, ``state.newer``, ``state.wrong_key``, or
            what `keys` raises.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _require_not_lost(path)
        _touch(path)
    except OSError as error:
        raise _cannot_open(path, error) from error
    with reading(path):
        connection = connect(path)
        try:
            store = _opened(connection, path, keys, clock)
        except BaseException:
            connection.close()
            raise
    with suppress(OSError), open(path.with_name(NOTE), "x", opener=_private, encoding="utf-8") as note:
        note.write(_NOTE_TEXT)  # Only the first time; where it cannot be written, the store is as good without it.
    return store


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _touch(path: Path) -> None:
    """Make an empty file with the mode that SQLite then gives to the files beside it.

    A file that exists MUST NOT be opened here: closing it again would drop every lock that this process has on it (POSIX gives
    locks to a process, not to a descriptor), so that another process would take away the log of a store that is open
    (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        return


def _require_not_lost(path: Path) -> None:
    """Refuse to begin anew where a store was: its note is there, or a log that only a whole store has.

    Both are looked for before the file: another process may be making the store.
    """
    was_there = path.with_name(NOTE).exists() or path.with_name(f"{path.name}-wal").exists()
    if was_there and not (path.exists() and path.stat().st_size):
        raise StateError(
            "state.damaged",
            "The store is lost",
            detail=f"{path} is {'empty' if path.exists() else 'not there'}, but there was a store. What it "
            "remembered is not known without it, so nothing is begun anew in its place.",
            hint=f"Put a backup in its place. To begin anew all the same, and forget what was made, take the folder away:\n\n"
            f"    mv {path.parent} {path.parent}.lost",
        )


def find_sqlite(path: Path, *, keys: Keys, clock: Clock) -> SqlStore | None:
    """The store at `path`; None if there is none, and then nothing is made.

    Raises:
        StateError: As `open_sqlite`.
    """
    try:
        _require_not_lost(path)
        there = path.stat().st_size > 0  # An empty file is what a process left that died while it made a store.
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _cannot_open(path, error) from error
    return open_sqlite(path, keys=keys, clock=clock) if there else None


def _opened(connection: SqliteConnection, path: Path, keys: Keys, clock: Clock) -> SqlStore:
    with transaction(connection, "DEFERRED"):  # One moment's truth, as another process may be making the store.
        new = _is_new(connection, path)
    if new:
        _make(connection, path, keys, clock)
    _require_known_version(connection, path)
    found = identity(connection, version_of(connection))
    if found is None:
        raise damaged(path, "it does not say which estate it is of")
    ring = require_usable(found, keys, str(path))
    _switch_on_log(connection)
    if version_of(connection) < tables.VERSION:
        with transaction(connection):
            version = version_of(connection)  # Another process may just have done it.
            migrate(connection)
            if version < tables.HEADS_SINCE:
                put_all_heads(connection, RowMac(ring.key, ring.former))
    return SqlStore(connection, SqliteDatabase(path), estate=found.estate, ring=ring, keys=keys, clock=clock)


def _is_new(connection: SqliteConnection, path: Path) -> bool:
    """Whether the file is empty; a database of somebody else's is refused."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    if application == APPLICATION_ID:
        return False
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if application or tables:
        raise StateError(
            "state.not_a_store",
            "The file is a database of another program",
            detail=f"{path} was not made by purvey, so it is left as it is.",
            hint="Name another folder for the store in purvey.toml.",
        )
    return True


def _make(connection: SqliteConnection, path: Path, keys: Keys, clock: Clock) -> None:
    """Make the store and its key, unless another process just did."""
    with transaction(connection):
        if _is_new(connection, path):
            first = first_row(keys, clock)
            migrate(connection)
            connection.execute("INSERT INTO store (number, estate, key_id, format, made) VALUES (1, ?, ?, ?, ?)", first)


def _switch_on_log(connection: SqliteConnection) -> None:
    """Let readers and the writer work side by side; the file remembers it, so that this is done once."""
    (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
    if mode == "wal":
        return
    for attempt in range(_RETRIES_MAX):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if attempt == _RETRIES_MAX - 1:
                raise
            threading.Event().wait(_RETRY_S)
        else:
            return


def _require_known_version(connection: SqliteConnection, path: Path) -> None:
    if version_of(connection) > tables.VERSION:
        raise newer(str(path))


def _cannot_open(path: Path, error: OSError) -> StateError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return no_room(path, os.strerror(error.errno))
    return StateError(
        "state.cannot_open",
        "The store cannot be opened",
        detail=f"{path}: {error.strerror}. What purvey remembers is kept there, so it must be readable and writable.",
        hint=f"Look at the rights of the folder:\n\n    ls -ld {path.parent}",
    )
