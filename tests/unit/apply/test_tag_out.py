"""Tagged objects: refused before the first write, not begun in the middle of a run, and looked at all the same."""

from __future__ import annotations

import pytest

from purvey._base.event import Event, OperationEnded
from purvey._state.record import Closed
from purvey.errors import RefusedError, StateError
from tests.support.project import Project

SCRIPT = """
@stack
def main(size: int = 1):
    a = Thing("a", size=size)
    Thing("b", size=size, text=a.key)
"""


def test_a_plan_that_touches_a_tagged_object_is_refused(project: Project) -> None:
    """Nothing is written; who, why and since when is told; the plan warns; with the tag off it goes on."""
    project.write(SCRIPT)
    project.apply()
    session = project.session()
    session.tag_out(project.target(), "test.Thing::b", "being repaired")
    log = project.world.log

    with pytest.raises(RefusedError) as caught:
        project.apply(parameters={"size": 2})

    assert caught.value.code == "refused.tagged_out"
    assert "test.Thing::b is tagged out by" in caught.value.findings[0]
    assert "being repaired" in caught.value.findings[0]
    assert any("tagged out" in warning for warning in project.plan(size=2).warnings)
    assert project.world.log == log
    assert project.apply().result == "succeeded"  # It changes nothing.
    assert [tag.address for tag in session.tags(project.target())] == ["test.Thing::b"]
    session.release_tags(project.target(), "test.Thing::b")
    assert project.apply(parameters={"size": 2}).result == "succeeded"


def test_each_tag_of_an_object_is_told(project: Project) -> None:
    """Who asks one of those who work on it, and takes off all, would disturb the others."""
    project.write(SCRIPT)
    project.apply()
    for reason in ("being repaired", "frozen for the audit"):
        project.session().tag_out(project.target(), "test.Thing::b", reason)

    with pytest.raises(RefusedError) as caught:
        project.apply(parameters={"size": 2})

    for told in (caught.value.findings, [line for line in project.plan(size=2).warnings if "tagged out" in line]):
        assert ["being repaired" in told[0], "frozen for the audit" in told[1], len(told)] == [True, True, 2]
    assert [problem.address for problem in caught.value.single] == ["test.Thing::b"] * 2


def test_a_destroy_leaves_a_tagged_object(project: Project) -> None:
    """Every run means every verb."""
    project.write(SCRIPT)
    project.apply()
    project.session().tag_out(project.target(), "test.Thing::a", "in use")

    with pytest.raises(RefusedError, match="tagged out"):
        project.destroy()

    assert len(project.world.objects) == 2


def test_a_tag_hung_up_in_the_middle_stops_what_follows(project: Project) -> None:
    """It takes no lease; the operation is not begun, the run fails with the reason, and what it did is taken back."""
    project.write(SCRIPT)
    project.apply()

    def react(event: Event) -> None:
        if isinstance(event, OperationEnded) and event.address == "test.Thing::a" and event.verb == "update":
            project.session().tag_out(project.target(), "test.Thing::b", "stop this")

    project.watcher.react = react
    run = project.apply(parameters={"size": 2})

    assert run.result == "undone"
    assert project.world.log == ["create a", "create b", "update a", "update a"]
    assert any(isinstance(record, Closed) and "must not be touched" in record.detail for record in project.records(run.id))
    project.require_sound()


def test_an_object_in_doubt_is_not_settled_while_it_is_tagged(project: Project) -> None:
    """Recovery touches objects, too."""
    project.write(SCRIPT)
    project.apply()
    project.world.fail("update", "a", may_exist=True, code="invalid")
    assert project.apply(parameters={"size": 2}, on_failure="keep").result == "kept"
    project.world.mend()
    project.session().tag_out(project.target(), "test.Thing::a", "being repaired")

    with pytest.raises(RefusedError, match="tagged out"):
        project.resume()

    assert len(project.state().in_doubt) == 1


def test_what_does_not_exist_cannot_be_tagged(project: Project) -> None:
    """A misspelt address is no false safety; and a tag that does not hang cannot be taken off."""
    project.write(SCRIPT)
    project.apply()

    with pytest.raises(StateError, match="No such object") as caught:
        project.session().tag_out(project.target(), "test.Thing::aa", "typo")
    assert "test.Thing::a" in caught.value.hint
    with pytest.raises(StateError, match="not tagged out"):
        project.session().release_tags(project.target(), "test.Thing::a")
