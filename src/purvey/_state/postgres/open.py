"""Opens a store on a server: makes a new one, migrates an old one, and refuses what it must not touch.

As with a file, nothing is written before what is there is known to be a store and the key to be its own, and a new store
appears in one transaction, its key before it.
"""

from __future__ import annotations

from purvey._base.clock import Clock
from purvey._state.mac import RowMac
from purvey._state.postgres.connect import PostgresConnection, PostgresDatabase
from purvey._state.postgres.schema import count_on, migrate, version_of
from purvey._state.sql import tables
from purvey._state.sql.copying import copy_rows
from purvey._state.sql.database import Connection
from purvey._state.sql.head import put_all_heads
from purvey._state.sql.opening import first_row, identity, newer, not_empty, require_usable
from purvey._state.sql.store import SqlStore
from purvey._state.store import Keys
from purvey.errors import StateError


def open_postgres(url: str, *, keys: Keys, clock: Clock) -> SqlStore:
    """The store in the database that `url` names; a new one with its key if there is none.

    Args:
        url: ``postgresql://user@host:port/database``. The database must exist.
        keys: Where keys are.
        clock: Time and chance.

    Raises:
        StateError: ``state.bad_location``, ``state.cannot_open``, ``state.not_a_store``, ``state.damaged``, ``state.newer``,
            ``state.wrong_key``, or what `keys` raises.
    """
    found = _opened(url, keys, clock, create=True)
    assert found is not None  # create=True
    return found


def find_postgres(url: str, *, keys: Keys, clock: Clock) -> SqlStore | None:
    """The store in the database that `url` names; None if there is none, and then nothing is made.

    Raises:
        StateError: As `open_postgres`.
    """
    return _opened(url, keys, clock, create=False)


def copy_to_server(source: Connection, url: str) -> None:
    """Fill the empty database that `url` names with a store; all of it, or nothing.

    Args:
        source: The store, in a read transaction.
        url: As for `open_postgres`.

    Raises:
        StateError: ``state.not_empty`` if there is a store already, ``state.bad_location``, ``state.cannot_open``.
    """
    database = PostgresDatabase(url)
    try:
        connection = database.connect()
        try:
            with connection.writing():
                if not _is_new(connection, database.location):
                    raise not_empty(database.location)
                migrate(connection)
                copy_rows(source, connection)
                count_on(connection)
        finally:
            connection.close()
    except database.errors as error:
        raise database.unreadable(error) from error


def _opened(url: str, keys: Keys, clock: Clock, *, create: bool) -> SqlStore | None:
    database = PostgresDatabase(url)
    try:
        connection = database.connect()
        try:
            store = _store(connection, database, keys, clock, create=create)
        except BaseException:
            connection.close()
            raise
    except database.errors as error:
        raise database.unreadable(error) from error
    if store is None:
        connection.close()
    return store


def _store(
    connection: PostgresConnection, database: PostgresDatabase, keys: Keys, clock: Clock, *, create: bool
) -> SqlStore | None:
    with connection.reading():
        new = _is_new(connection, database.location)
    if new and not create:
        return None
    if new:
        _make(connection, database.location, keys, clock)
    with connection.reading():
        version = version_of(connection)
        if version > tables.VERSION:
            raise newer(database.location)
        found = identity(connection, version)
    if found is None:
        raise StateError(
            "state.damaged",
            "The store is damaged",
            detail=f"{database.location}: it does not say which estate it is of. What it remembers cannot be trusted until it "
            "is whole.",
            hint="Put a backup of the database in its place.",
        )
    ring = require_usable(found, keys, database.location)
    if version < tables.VERSION:
        with connection.writing():
            version = version_of(connection)  # Another process may just have done it.
            migrate(connection)
            if version < tables.HEADS_SINCE:
                put_all_heads(connection, RowMac(ring.key, ring.former))
    return SqlStore(connection, database, estate=found.estate, ring=ring, keys=keys, clock=clock)


def _is_new(connection: PostgresConnection, location: str) -> bool:
    """Whether there is no store yet; a schema of somebody else's is refused."""
    (relations,) = connection.execute(
        "SELECT count(*) FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = 'purvey'"
    ).fetchone()
    if not relations:
        return True
    if version_of(connection):
        return False
    raise StateError(
        "state.not_a_store",
        "The schema `purvey` is another program's",
        detail=f"{location} has a schema of that name that was not made by purvey, so it is left as it is.",
        hint="Name another database for the store in PURVEY_STORE.",
    )


def _make(connection: PostgresConnection, location: str, keys: Keys, clock: Clock) -> None:
    """Make the store and its key, unless another process just did."""
    with connection.writing():
        if _is_new(connection, location):
            migrate(connection)
            first = first_row(keys, clock)
            connection.execute("INSERT INTO store (number, estate, key_id, format, made) VALUES (1, ?, ?, ?, ?)", first)
