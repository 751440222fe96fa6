"""Saved plans: exactly what was reviewed, or less."""

from __future__ import annotations

from pathlib import Path

import pytest

from purvey._state.record import LookedUp
from purvey.errors import PurveyError, RefusedError, ScriptError
from tests.support.project import Project


def _save(project: Project) -> Path:
    path = project.folder / "plan.purvey"
    project.session().save_plan(path, project.script_path)
    return path


def _perform(project: Project, path: Path) -> str:
    return project.session().apply_plan(path, approve=project.approve).result


def test_a_saved_plan_is_what_runs(project: Project) -> None:
    """The file holds the plan that was shown, mode 0600, and performing it has its effects."""
    project.declare('a = Thing("a")\nThing("b", text=a.label)')
    path = _save(project)

    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.address for item in project.session().load_plan(path).changes] == ["test.Thing::a", "test.Thing::b"]
    assert _perform(project, path) == "succeeded"
    assert project.world.log == ["create a", "create b"]


def test_a_saved_plan_may_shrink(project: Project) -> None:
    """What was done meanwhile is not done again."""
    project.declare('Thing("a")\nThing("b")')
    path = _save(project)
    project.apply()

    assert _perform(project, path) == "succeeded"
    assert project.world.log == ["create a", "create b"]


def test_a_saved_plan_may_not_grow(project: Project) -> None:
    """An object that vanished after the review would be another create; the run refuses before the first write."""
    project.declare('Thing("a")')
    project.apply()
    project.declare('Thing("a")\nThing("b")')
    path = _save(project)
    project.world.remove(next(iter(project.world.objects)))

    with pytest.raises(RefusedError) as caught:
        _perform(project, path)
    assert (caught.value.code, "create test.Thing::a" in caught.value.detail) == ("refused.plan_outdated", True)
    assert project.world.objects == {}


def test_an_edited_script_is_refused(project: Project) -> None:
    """The plan was made from another script."""
    project.declare('Thing("a")')
    path = _save(project)
    project.declare('Thing("a", size=2)')

    with pytest.raises(ScriptError) as caught:
        _perform(project, path)
    assert (caught.value.code, "was edited" in caught.value.detail) == ("script.plan_file", True)


def test_an_old_plan_is_refused(project: Project) -> None:
    """Reviews are fresh."""
    project.declare('Thing("a")')
    path = _save(project)
    project.clock.seconds += 25 * 3600

    with pytest.raises(ScriptError) as caught:
        _perform(project, path)
    assert "25 hours old" in caught.value.detail


def test_a_plan_file_holds_no_plain_text(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is sealed: neither names nor secrets can be read in it."""
    monkeypatch.setenv("DB_PASSWORD", "correct-horse")
    project.declare('Safe("vault-of-names", text=secret("env:DB_PASSWORD"))')
    content = _save(project).read_bytes()

    assert b"correct-horse" not in content
    assert b"vault-of-names" not in content


def test_every_damaged_byte_of_a_plan_file_is_noticed(project: Project) -> None:
    """A plan file that was changed anywhere is refused, and nothing of it runs."""
    project.declare('Thing("a")')
    path = _save(project)
    content = path.read_bytes()

    for position in range(0, len(content), 7):
        path.write_bytes(content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :])
        with pytest.raises(PurveyError):
            project.session().load_plan(path)
    path.write_bytes(content[:-1])
    with pytest.raises(PurveyError):
        _perform(project, path)
    assert project.world.objects == {}


def test_lookups_of_a_saved_plan_are_replayed(project: Project) -> None:
    """What was looked up for the review is what the run sees."""
    project.declare('Thing("a", size=lookup("n", lambda: len(here().objects)) + 1)')
    path = _save(project)
    project.world.set("other", name="other", revision=1)

    assert _perform(project, path) == "succeeded"
    assert [entry["size"] for entry in project.world.objects.values() if entry["name"] == "a"] == [1]


def test_lookups_of_a_saved_plan_are_written_down(project: Project) -> None:
    """A resume sees what the review saw, too: the run's own records say what was looked up."""
    project.declare('a = Thing("a")\nThing("b", size=lookup("n", lambda: len(here().objects)) + 1)')
    path = _save(project)
    project.world.fail("create", "b", code="denied", times=1)
    run = project.session().apply_plan(path, approve=project.approve, on_failure="keep")

    assert run.result == "kept"
    assert [(record.name, record.value) for record in project.records(run.id) if isinstance(record, LookedUp)] == [("n", 0)]
    assert project.resume().result == "succeeded"
    assert [entry["size"] for entry in project.world.objects.values() if entry["name"] == "b"] == [1]
