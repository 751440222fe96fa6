"""Where the store of a story is: in its folder, and on a server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.database_server import DatabaseServer


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """A server for the stores of all stories."""
    with closing(DatabaseServer()) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def server(request: pytest.FixtureRequest) -> DatabaseServer | None:
    """Where the store is: in the folder (None), and on a server."""
    made: DatabaseServer | None = request.getfixturevalue("database_server") if request.param == "postgresql" else None
    return made
