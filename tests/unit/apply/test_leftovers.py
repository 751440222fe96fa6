"""What is left when a run did not go to its end, and what the next one makes of it."""

from __future__ import annotations

from itertools import pairwise

import pytest

from purvey._base.event import Event, OperationStarted
from purvey._graph import Selection
from purvey._plan.ordering import Frontier
from purvey.errors import ScriptError, StateError
from tests.support.project import Project, actions

RETAINED = """
@stack
def main(color: str = "red", size: int = 1):
    a = Thing("a", color=color, opts=Options(retain=True))
    b = Thing("b", size=size, opts=Options(after=[a]))
"""

MOVED = """
@stack
def main(name: str = "a"):
    Thing(name, opts=Options(moved_from="test.Thing::a" if name != "a" else ""))
    Thing("other")
"""


def test_contents_whose_container_was_removed_do_not_stop_the_next_run(project: Project) -> None:
    """A container destroyed by name leaves its contents on record; the next apply makes both again."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)')
    project.apply()

    assert project.destroy(selection=Selection(targets=("test.Shelf",))).result == "succeeded"
    assert project.apply().result == "succeeded"

    assert {entry["name"] for entry in project.world.objects.values()} == {"s", "b"}
    assert project.plan().is_empty
    project.require_sound()


def test_an_object_that_a_kept_run_replaced_is_shown_and_asked_for(project: Project) -> None:
    """The old object is in the next plan, is not removed unasked, and a retained one is only forgotten."""
    project.write(RETAINED)
    project.apply()
    project.world.fail("update", "b")
    assert project.apply(parameters={"color": "blue", "size": 2}, on_failure="keep").result == "kept"
    project.world.mend()

    plan = project.plan(color="blue")

    assert not plan.is_empty
    assert actions(plan) == {"a": "forget"}
    project.apply(parameters={"color": "blue"})
    assert not [line for line in project.world.log if line.startswith("delete")]


def test_a_record_in_doubt_is_not_moved(project: Project) -> None:
    """Its end would bring the old address back; so the edit is refused, and works once it is settled."""
    project.declare('Thing("a", size=1)')
    project.apply()
    project.declare('Thing("a", size=2)')
    project.world.fail("update", "a", code="timeout", may_exist=True)
    project.apply(on_failure="keep")

    with pytest.raises(StateError) as refused:
        project.session().state_move(project.target(), "test.Thing::a", "test.Thing::b")

    assert refused.value.code == "state.edit_in_doubt"
    project.world.mend()
    project.apply()
    project.session().state_move(project.target(), "test.Thing::a", "test.Thing::b")
    assert len(project.world.objects) == 1


def test_a_renamed_node_that_is_passed_over_keeps_its_object(project: Project) -> None:
    """`--exclude` of the new name is no reason to delete the object under the old one."""
    project.write(MOVED)
    project.apply()

    project.apply(parameters={"name": "b"}, selection=Selection(excludes=("b",)))

    assert not [line for line in project.world.log if line.startswith("delete")]


def test_a_new_node_cannot_be_left_out_of_what_needs_it(project: Project) -> None:
    """The message names both, and nothing is made."""
    project.declare('a = Thing("a")\nThing("b", text=a.key)')

    with pytest.raises(ScriptError) as refused:
        project.apply(selection=Selection(excludes=("a",)))

    assert refused.value.code == "script.excluded_need"
    assert project.world.log == []


def test_contents_of_a_retained_container_are_deleted_not_forgotten(project: Project) -> None:
    """The container stays in the world, so what lives in it would stay too, and nobody would know."""
    project.declare('s = Shelf("s", opts=Options(retain=True))\nBook("b", shelf=s)')
    project.apply()

    project.destroy()

    assert [entry["name"] for entry in project.world.objects.values()] == ["s"]


def test_a_declined_apply_leaves_the_unfinished_run_resumable(project: Project) -> None:
    """Saying no to a new run does not strike the one before it."""
    project.declare('Thing("a")\nThing("b")')
    project.world.fail("create", "b")
    first = project.apply(on_failure="keep")
    with pytest.raises(Exception, match="main"):
        project.session().apply(project.script_path, approve=lambda plan: None)

    assert project.session().show(first.id).result == "kept"
    project.world.mend()
    assert project.resume(first.id).result == "succeeded"


def test_ctrl_c_while_a_call_is_retried_interrupts_and_does_not_undo(project: Project) -> None:
    """What may pass by itself is no failure; the run is resumable."""
    project.declare('Thing("a")\nThing("b", text="x")')
    project.world.fail("create", "a", code="throttled", times=1)
    session = project.session()

    def react(event: Event) -> None:
        if isinstance(event, OperationStarted) and event.address.endswith("::a"):
            session.interrupt()

    project.watcher.react = react
    run = session.apply(project.script_path, approve=lambda plan: "test")
    project.watcher.react = lambda event: None

    assert run.result == "interrupted"
    assert project.resume().result == "succeeded"


def test_a_change_is_passed_on_through_any_number_of_unchanged_nodes() -> None:
    """What waits for the last of a long chain waits for the operation on its first."""
    names = [f"test.Thing::t{n}" for n in range(5_000)]
    frontier = Frontier(set(names))
    frontier.put(names[0], "update t0")
    for before, name in pairwise(names):
        frontier.pass_through(name, (before,))

    assert frontier.of([names[-1]]) == ("update t0",)


def test_a_run_that_never_began_is_called_refused(project: Project) -> None:
    """Nothing was touched, so there is nothing to resume."""
    project.declare('Safe("a", text=secret("env:NOT_SET_ANYWHERE"))')
    with pytest.raises(Exception, match="cannot succeed"):
        project.apply()

    assert project.session().runs()[0].result == "refused"
