"""Counts the fsyncs of this process's SQLite connections, as SQLite itself asks the system for them.

SQLite reaches every open file through a table of functions. The log's and the database's tables are replaced by copies whose
entry for syncing counts and then calls the original; nothing else is touched.
"""

from __future__ import annotations

import _sqlite3
import ctypes
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

_FILE_POINTER: Final = 7
_JOURNAL_POINTER: Final = 28
"""SQLITE_FCNTL_FILE_POINTER and SQLITE_FCNTL_JOURNAL_POINTER of sqlite3.h; the second is the log's in WAL mode."""

_SYNC: Final = 5
"""Where `xSync` stands among the pointers of `sqlite3_io_methods`, after the version and four functions."""

_POINTERS: Final = 19
_Sync = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
_kept: list[Any] = []
"""What SQLite points to must not be collected."""


class Syncs:
    """How many there were."""

    count = 0


_counters: list[Syncs] = []


@contextmanager
def counted() -> Iterator[Syncs]:
    """Counts for the length of a block, on the connections that `watch_connection` has been told of."""
    syncs = Syncs()
    _counters.append(syncs)
    try:
        yield syncs
    finally:
        _counters.remove(syncs)


def watch_connection(connection: sqlite3.Connection) -> None:
    """Count a connection's fsyncs from now on; its log must be open, so it must have read something.

    Raises:
        RuntimeError: if this SQLite does not give its files.
    """
    library = ctypes.CDLL(_sqlite3.__file__)
    handle = ctypes.c_void_p.from_address(id(connection) + object.__basicsize__)  # `sqlite3 *db`, after the object's head.
    for which in (_FILE_POINTER, _JOURNAL_POINTER):
        file = ctypes.c_void_p()
        code = library.sqlite3_file_control(handle, b"main", which, ctypes.byref(file))
        if code or not file.value:
            raise RuntimeError(f"sqlite3_file_control({which}) answered {code}")
        _replace(file.value)


def _replace(file: int) -> None:
    """Let a file's syncs be counted."""
    table = ctypes.c_void_p.from_address(file)  # `sqlite3_file` begins with the pointer to its functions.
    size = ctypes.sizeof(ctypes.c_void_p)
    copy = (ctypes.c_void_p * _POINTERS)()
    ctypes.memmove(copy, table.value or 0, size * _POINTERS)
    original = _Sync(copy[_SYNC] or 0)

    def sync(own: int, flags: int) -> int:
        """Count, and do it."""
        for counter in _counters:
            counter.count += 1
        return int(original(own, flags))

    counting = _Sync(sync)
    _kept.append((copy, counting, original))
    copy[_SYNC] = ctypes.cast(counting, ctypes.c_void_p)
    table.value = ctypes.addressof(copy)
