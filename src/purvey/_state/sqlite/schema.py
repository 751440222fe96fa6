"""The version of a file's tables, and how they are made.

What the tables are is said in `purvey._state.sql.tables`.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from purvey._state.sql import tables

APPLICATION_ID: Final = 0x50525659
"""``PRVY`` in the file's header: by it `file` and purvey know a store."""


def version_of(connection: sqlite3.Connection) -> int:
    """The version of the tables in the file."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def migrate(connection: sqlite3.Connection) -> None:
    """Bring the tables up to this program's version; call it inside a transaction, so that it happens whole or not at all."""
    for statements in tables.MIGRATIONS[version_of(connection) :]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {tables.VERSION}")
