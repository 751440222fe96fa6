"""Connections to the file, and what its errors mean.

Each connection keeps a commit on disk before it is acknowledged (``synchronous=FULL``), and waits a while for others.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from purvey._state.sql.copying import free_leases
from purvey.errors import StateError

BUSY_S: Final = 10.0
"""Seconds to wait for another process's transaction; each takes milliseconds, so longer means that something is stuck."""

_DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_LOCKED: Final = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
"""SQLite's primary result codes, by what a person has to do."""

_MAYBE_FULL: Final = (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)
"""What SQLite says as well where it finds no room for the files beside the store."""

_CACHE_KIB: Final = 16_384
"""Pages kept in memory: enough for the inner pages of an estate of 100,000 objects."""

_PAGE_BYTES: Final = 4_096

_CHECKPOINT_PAGES: Final = 4_000
"""Pages in the log before they are carried over: 16 MiB, so that pages which many commits change are carried once."""


class SqliteConnection(sqlite3.Connection):
    """See `purvey._state.sql.database.Connection`; transactions are begun and ended explicitly."""

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See `Connection.writing`."""
        with transaction(self):
            yield

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See `Connection.reading`."""
        with transaction(self, "DEFERRED"):
            yield

    def ticket(self) -> str:
        """See `Connection.ticket`."""
        return ""

    def committed(self, ticket: str) -> bool:
        """See `Connection.committed`; a file has no connection that could be cut."""
        del ticket
        return False

    def damage(self) -> list[str]:
        """See `Connection.damage`."""
        found = [line for (line,) in self.execute("PRAGMA integrity_check") if line != "ok"]
        return found + [f"row {row[1]} of {row[0]} points to nothing" for row in self.execute("PRAGMA foreign_key_check")]

    def reindex(self) -> None:
        """See `Connection.reindex`."""
        self.execute("REINDEX")


class SqliteDatabase:
    """See `purvey._state.sql.database.Database`.

    Args:
        path: The file.
    """

    errors: Final = sqlite3.Error
    row_lock: Final = ""

    def __init__(self, path: Path) -> None:
        self.location: Final = str(path)
        self._path = path

    def connect(self) -> SqliteConnection:
        """See `Database.connect`."""
        return connect(self._path)

    def is_cut(self, error: Exception) -> bool:
        """See `Database.is_cut`; a file has no connection that could be cut."""
        del error
        return False

    def unreadable(self, error: Exception) -> StateError:
        """See `Database.unreadable`."""
        return explained(self._path, error)

    def unwritable(self, error: Exception) -> StateError:
        """See `Database.unwritable`."""
        return write_failed(self._path, error)

    def backup(self, path: Path) -> None:
        """See `Database.backup`."""
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            with closing(connect(self._path)) as source, closing(connect(path)) as copy:
                source.backup(copy)
                with copy.writing():
                    free_leases(copy)
        except BaseException:
            path.unlink(missing_ok=True)
            raise


def connect(path: Path) -> SqliteConnection:
    """A connection to an existing file.

    Raises:
        sqlite3.Error: If the file cannot be opened.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False,
        factory=SqliteConnection,
    )  # fmt: skip
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def transaction(connection: sqlite3.Connection, mode: str = "IMMEDIATE") -> Iterator[None]:
    """Commit at the end, or roll back.

    Args:
        connection: The connection.
        mode: ``IMMEDIATE`` to write, ``DEFERRED`` to read one moment's truth.
    """
    connection.execute(f"BEGIN {mode}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # Some errors have rolled back by themselves.
            connection.execute("ROLLBACK")
        raise


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into errors that say what to do."""
    try:
        yield
    except sqlite3.Error as error:
        raise explained(path, error) from error


def write_failed(path: Path, error: Exception) -> StateError:
    """The error for records that could not be made durable."""
    if _primary_code(error) in (*_DAMAGED, *_LOCKED):
        return explained(path, error)
    if _primary_code(error) == sqlite3.SQLITE_READONLY:
        return StateError(
            "state.write_failed",
            "The store cannot be written",
            detail=f"{path}: {error}. Nothing is done that could not be written down first; what was "
            "acknowledged before is safe.",
            hint=f"Mount its file system for writing, or give yourself the right to write; both are seen with\n\n"
            f"    findmnt -T {path.parent}\n    ls -la {path.parent}",
        )
    return StateError(
        "state.write_failed",
        "The store cannot be written",
        detail=f"{path}: {error}. {_free(path)} Nothing is done that could not be written down first; what was "
        "acknowledged before is safe.",
        hint="Make room or mend the disk. Then see which run it was, and go on with it:\n\n"
        "    purvey runs\n    purvey resume RUN",
    )


def explained(path: Path, error: Exception) -> StateError:
    """The error for a file that cannot be read."""
    code = _primary_code(error)
    if code in _DAMAGED:
        return damaged(path, str(error))
    if code in _LOCKED:
        return StateError(
            "state.locked",
            "Another program keeps the store locked",
            detail=f"{path} was locked for {BUSY_S:.0f} s; a run locks it for milliseconds at a time.",
            hint=f"End the program that has it open:\n\n    fuser -v {path}",
        )
    if code == sqlite3.SQLITE_FULL or (code in _MAYBE_FULL and _has_no_room(path)):
        return no_room(path, str(error))
    return StateError(
        "state.cannot_open",
        "The store cannot be opened",
        detail=f"{path}: {error}. The file and its folder must be readable and writable, because readers leave marks, too.",
        hint=f"Look at the rights of both:\n\n    ls -la {path.parent}",
    )


def no_room(path: Path, what: str) -> StateError:
    """The error for a store that cannot be opened because its disk is full."""
    return StateError(
        "state.no_room",
        "The disk of the store is full",
        detail=f"{path}: {what}. {_free(path)} Nothing is done that could not be written down first; what was "
        "acknowledged before is safe.",
        hint=f"Make room there, or keep the store on another disk (`store` in purvey.toml). How full it is tells\n\n"
        f"    df -h {_existing(path)}\n    df -i {_existing(path)}",
    )


def damaged(path: Path, what: str) -> StateError:
    """The error for a file that is no store any more."""
    return StateError(
        "state.damaged",
        "The store is damaged",
        detail=f"{path}: {what}. What it remembers cannot be trusted until it is whole.",
        hint="Keep the file and those beside it (-wal, -shm), and put a backup in their place.",
    )


def _primary_code(error: Exception) -> int:
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _existing(path: Path) -> Path:
    """The nearest folder above that is there."""
    return next(folder for folder in path.absolute().parents if folder.exists())


def _has_no_room(path: Path) -> bool:
    """Whether not even one page, or one more file, has room beside the store."""
    try:
        info = os.statvfs(_existing(path))
    except OSError:
        return False
    return info.f_bavail * info.f_frsize < _PAGE_BYTES or (info.f_files > 0 and info.f_favail == 0)


def _free(path: Path) -> str:
    try:
        info = os.statvfs(_existing(path))
    except OSError:
        return ""
    return f"Its disk has {info.f_bavail * info.f_frsize / 1e6:.1f} MB free."
