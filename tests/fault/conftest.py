"""Where the store of a story is (in its folder, and on a server), and at which of its points it is disturbed."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from contextlib import closing

import pytest

from tests.fault.crash import POINTS_MAX
from tests.support.database_server import DatabaseServer

STRANDS = 4 if os.environ.get("PURVEY_TEST_FULL") else 1
"""Into how many tests the points of a story are dealt, so that several workers share a long one."""

SAMPLE = 2
"""Points of a story that are tried where not all are."""


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


@pytest.fixture(params=range(STRANDS), ids=lambda strand: f"strand-{strand}")
def points(request: pytest.FixtureRequest, seed: int) -> Sequence[int]:
    """Every point, of this strand, or a sample of them."""
    if STRANDS > 1:
        return range(1 + request.param, POINTS_MAX, STRANDS)
    return sorted(random.Random(seed).sample(range(1, 40), SAMPLE))
