"""`--check-all`: every check is asked, also where nothing changed."""

from __future__ import annotations

from purvey import Session
from tests.support.project import Project, actions


def test_checks_are_asked_although_nothing_changed(project: Project) -> None:
    """The plan lists them; one that fails by now keeps the run, because nothing of it can be undone."""
    project.declare('a = Thing("a")\nProbe("p", of=a.key)')
    project.apply()
    plan = Session(project.script_path).plan(project.script_path, env="dev", check_all=True)

    assert actions(plan) == {"p": "check"}
    assert project.apply(check_all=True).result == "succeeded"
    project.world.fail("check", "p")
    assert project.apply(check_all=True).result == "kept"
    assert project.apply().result == "succeeded"
