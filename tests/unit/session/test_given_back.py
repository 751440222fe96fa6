"""Every verb gives the store back that it has opened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from purvey._session.session import Session
from purvey._state.sql.store import SqlStore
from purvey.errors import PurveyError
from tests.support.fixtures import project
from tests.support.project import Project

__all__ = ["project"]

Verb = Callable[[Session, Project], object]

VERBS: dict[str, Verb] = {
    "apply": lambda session, at: session.apply(at.script_path, approve=at.approve),
    "apply-plan": lambda session, at: session.apply_plan(at.folder / "saved.plan", approve=at.approve),
    "apply-plan-damaged": lambda session, at: session.apply_plan(at.script_path, approve=at.approve),
    "backup": lambda session, at: session.store_backup(at.folder / "copy.db"),
    "destroy": lambda session, at: session.destroy(at.target(), approve=at.approve),
    "destroy-plan": lambda session, at: session.destroy_plan(at.target()),
    "drift": lambda session, at: session.drift(at.script_path),
    "facts": lambda session, _: session.store_facts(),
    "forget": lambda session, at: session.state_remove(at.target(), "test.Thing::a"),
    "import": lambda session, at: session.state_import(at.script_path, "test.Thing::a"),
    "load-plan": lambda session, at: session.load_plan(at.folder / "saved.plan"),
    "move": lambda session, at: session.state_move(at.target(), "test.Thing::a", "test.Thing::b"),
    "outputs": lambda session, at: session.outputs(at.target()),
    "outputs-of-nobody": lambda session, at: session.outputs(at.target(run="nobody")),
    "plan": lambda session, at: session.plan(at.script_path),
    "release": lambda session, at: session.release_tags(at.target(), "test.Thing::a"),
    "release-nothing": lambda session, at: session.release_tags(at.target(), "test.Thing::other"),
    "rehearse": lambda session, at: session.rehearse(at.script_path),
    "resume": lambda session, at: session.resume(at.target(), approve=at.approve),
    "resume-nothing": lambda session, at: session.resume(at.target(run=session.runs()[-1].id), approve=at.approve),
    "runs": lambda session, _: session.runs(),
    "runs-of-nobody": lambda session, _: session.runs(stack="nobody"),
    "save-plan": lambda session, at: session.save_plan(at.folder / "another.plan", at.script_path),
    "settle": lambda session, at: session.state_settle(at.target(), "test.Thing::a", happened=True),
    "show": lambda session, _: session.show(session.runs()[0].id),
    "state-list": lambda session, at: session.state_list(at.target()),
    "state-show": lambda session, at: session.state_show(at.target(), "test.Thing::a"),
    "tag-out": lambda session, at: session.tag_out(at.target(), "test.Thing::a", "a reason"),
    "tags": lambda session, at: session.tags(at.target()),
    "undo": lambda session, at: session.undo(at.target(), approve=at.approve),
    "undo-plan": lambda session, at: session.undo_plan(at.target()),
    "verify": lambda session, _: session.store_verify(),
}

REFUSED = {
    "apply-plan-damaged", "import", "outputs-of-nobody", "release-nothing", "resume-nothing", "runs-of-nobody", "settle",
}  # fmt: skip
"""What cannot be done, with the store open."""


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_gives_the_store_back(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A program that asks every minute holds no connection for each time, whether what it asks for is there or not."""
    project.declare('Thing("a")')
    project.apply()
    project.session().save_plan(project.folder / "saved.plan", project.script_path)
    if name == "release":
        project.session().tag_out(project.target(), "test.Thing::a", "a reason")
    if name == "resume":
        project.declare('Thing("a")\nThing("b")')
        project.world.fail("create", "b", "denied", times=1)
        assert project.apply(on_failure="keep").result == "kept"
    opened: list[SqlStore] = []
    closed: set[SqlStore] = set()
    make, close = SqlStore.__init__, SqlStore.close

    def made(self: SqlStore, *values: Any, **named: Any) -> None:
        opened.append(self)
        make(self, *values, **named)

    def told(self: SqlStore) -> None:
        closed.add(self)
        close(self)

    monkeypatch.setattr(SqlStore, "__init__", made)
    monkeypatch.setattr(SqlStore, "close", told)
    with pytest.raises(PurveyError) if name in REFUSED else nullcontext():
        VERBS[name](project.session(), project)

    assert opened
    assert closed == set(opened)
