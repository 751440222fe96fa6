"""Copies a store's rows into a new file, at one moment of the store: a backup is a store that every machine can open."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from purvey._state.sql.copying import copy_rows
from purvey._state.sql.database import Connection


def copy_to_file(source: Connection, path: Path) -> None:
    """Write the copy; the file must not exist, and is not left behind half-written.

    Raises:
        OSError: If it cannot be written.
    """
    from purvey._state.sqlite.connect import connect  # noqa: PLC0415 - only a backup needs the other adapter.
    from purvey._state.sqlite.schema import migrate  # noqa: PLC0415

    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        with closing(connect(path)) as copy, copy.writing(), source.reading():
            migrate(copy)
            copy_rows(source, copy)
    except sqlite3.Error as error:
        path.unlink(missing_ok=True)
        raise OSError(str(error)) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise
