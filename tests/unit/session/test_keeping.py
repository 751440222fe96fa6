"""The verbs on the store itself give it back."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from purvey._session.session import Session
from purvey._state.sql.store import SqlStore
from tests.support.fixtures import project
from tests.support.project import Project

__all__ = ["project"]


@pytest.mark.parametrize(
    "ask",
    [
        lambda session, _: session.store_facts(),
        lambda session, _: session.store_verify(),
        lambda session, project: session.store_backup(project.folder / "copy.db"),
    ],
    ids=["facts", "verify", "backup"],
)
def test_a_look_at_the_store_gives_it_back(
    project: Project, monkeypatch: pytest.MonkeyPatch, ask: Callable[[Session, Project], object]
) -> None:
    """A program that asks every minute holds no connection for each time."""
    project.declare('Thing("a")')
    project.apply()
    closed: list[SqlStore] = []
    close = SqlStore.close

    def told(self: SqlStore) -> None:
        closed.append(self)
        close(self)

    monkeypatch.setattr(SqlStore, "close", told)
    ask(project.session(), project)

    assert len(closed) == 1
