"""A store for each test, in a file and on a server."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from purvey._state.postgres.connect import PostgresConnection
from tests.support.database_server import DatabaseServer
from tests.unit.state import kit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from purvey._state.sql.store import SqlStore

ADAPTERS = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """A server for all tests; each has a database of its own."""
    with closing(DatabaseServer()) as server:
        yield server


@pytest.fixture
def clock() -> kit.ToldClock:
    """A clock that the test tells the time."""
    return kit.ToldClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the test's store is, for what concerns files only."""
    return tmp_path / ".purvey" / "state.db"


@pytest.fixture(params=ADAPTERS)
def place(request: pytest.FixtureRequest) -> Iterator[kit.Place]:
    """Where the test's store is: a file, then a database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("path")
        return
    server: DatabaseServer = request.getfixturevalue("database_server")
    url = server.new_database()
    yield url
    server.drop(url)


@pytest.fixture(params=ADAPTERS, scope="session")
def fresh(request: pytest.FixtureRequest) -> Callable[[], kit.Place]:
    """Makes an empty place again and again, for a test that needs many."""
    if request.param == "sqlite":
        folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
        return lambda: folders.mktemp("store") / "state.db"
    url = request.getfixturevalue("database_server").new_database()

    def emptied() -> str:
        """The one database, without the store of the time before."""
        with closing(PostgresConnection(url)) as connection:
            connection.execute("DROP SCHEMA IF EXISTS purvey CASCADE")
        return str(url)

    return emptied


@pytest.fixture
def store(place: kit.Place, clock: kit.ToldClock) -> Iterator[SqlStore]:
    """An empty store."""
    with kit.store_at(place, clock) as made:
        yield made
