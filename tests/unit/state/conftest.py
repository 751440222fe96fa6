"""A store for each test."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.state import kit

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from purvey._state.sqlite import SqliteStore


@pytest.fixture
def clock() -> kit.ToldClock:
    """A clock that the test tells the time."""
    return kit.ToldClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the test's store is."""
    return tmp_path / ".purvey" / "state.db"


@pytest.fixture
def store(path: Path, clock: kit.ToldClock) -> Iterator[SqliteStore]:
    """An empty store."""
    with kit.store_at(path, clock) as made:
        yield made
