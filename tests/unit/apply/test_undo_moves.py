"""An undo of a move or a hand-over never gives an object two records, or makes it a second time: it says where it cannot."""

from __future__ import annotations

import re

import pytest

from purvey._graph import Selection
from purvey._plan.effects import effects
from purvey._plan.undo import undo_plan
from purvey._session.target import Target
from purvey._state.record import Noted
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.errors import RefusedError
from purvey.providers import registry
from tests.support.project import Project

OTHER = Target(stack="other")


def refused(project: Project, target: Target) -> RefusedError:
    """How an undo is refused; nothing happened to the world or to the records."""
    before = (project.world.objects, project.state().resources, project.state("other/dev").resources)
    with pytest.raises(RefusedError) as caught:
        project.session().undo(target, approve=project.approve, final="allow")
    assert (project.world.objects, project.state().resources, project.state("other/dev").resources) == before
    project.require_sound()
    return caught.value


@pytest.mark.parametrize("kind", ["Thing", "Tagged"])
def test_a_hand_over_is_handed_back(project: Project, kind: str) -> None:
    """Either stack's undo of it names the command that does so, and makes nothing."""
    project.declare(f'{kind}("a")')
    project.apply()
    address = f"test.{kind}::a"
    project.session().state_hand_over(project.target(), address, "other")

    gone, come = refused(project, project.target()), refused(project, OTHER)

    back = f"purvey state mv {address} --stack other -e dev --to-stack main/dev"
    assert [error.code for error in (gone, come)] == ["refused.handed_over"] * 2
    assert gone.findings == (f"{address} belongs to other/dev::{address} now",)
    assert come.findings == (f"{address} came from main/dev::{address}",)
    assert gone.hint == come.hint == f"Hand it back:\n\n    {back}"
    project.session().state_hand_over(OTHER, address, "main")
    assert project.plan().is_empty


def test_contents_are_handed_back_with_their_container(project: Project) -> None:
    """One command for each object that was handed over by itself, with its former address."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)')
    project.apply()
    project.session().state_hand_over(project.target(), "test.Shelf::s", "other", to="eu/test.Shelf::s")

    error = refused(project, project.target())

    assert len(error.findings) == 2
    assert error.hint == (
        "Hand it back:\n\n    purvey state mv eu/test.Shelf::s --stack other -e dev --to-stack main/dev --to test.Shelf::s"
    )
    assert refused(project, OTHER).hint == error.hint


def test_a_hand_over_is_known_from_an_earlier_journal(project: Project) -> None:
    """Where the other stack stood in the words of the note alone."""
    was = ResourceState(address="test.Thing::a", kind="test.Thing", generation=1, id="1")
    note = Noted(
        at=1.0, what="forgotten", address=was.address, generation=1, detail=f"moved to x/dev::{was.address}", prior=was
    )

    with pytest.raises(RefusedError, match=re.escape("purvey state mv test.Thing::a --stack x -e dev --to-stack")):
        undo_plan("main/dev", "RUN", effects([note]), State(), registry, later=())


def test_a_hand_over_that_was_handed_back_stays(project: Project) -> None:
    """The object is here again under another generation; nothing of the older run's is left to take back."""
    project.declare('Thing("a")')
    project.apply()
    project.session().state_hand_over(project.target(), "test.Thing::a", "other")
    run = project.session().runs(stack="main")[0].id
    project.session().state_hand_over(OTHER, "test.Thing::a", "main")

    assert refused(project, Target(run=run)).code == "refused.touched_since"


def moved(project: Project, was: str, to: str) -> Target:
    """Move an object by hand, and answer the run that did it."""
    project.session().state_move(project.target(), f"test.Thing::{was}", f"test.Thing::{to}")
    return Target(run=project.session().runs(stack="main")[0].id)


@pytest.mark.parametrize("script", ['Thing("a")', 'Thing("a")\nThing("b")'])
def test_a_move_is_not_taken_back_onto_another_object(project: Project, script: str) -> None:
    """The next apply would take the one that is older for a leftover, and delete it."""
    project.declare('Thing("a")')
    project.apply()
    move = moved(project, "a", "b")
    project.declare(script)
    project.apply(selection=Selection(targets=("test.Thing::a",)))

    error = refused(project, move)

    assert (error.code, error.findings) == ("refused.touched_since", ("test.Thing::a is taken by another object since",))


def test_a_move_that_another_followed_is_not_taken_back(project: Project) -> None:
    """The later move is taken back first; then this one can be, with what refers to the object."""
    project.declare('a = Thing("a")\nThing("c", text=a.label)')
    project.apply()
    before = project.state().resources
    first, second = moved(project, "a", "b"), moved(project, "b", "d")

    assert refused(project, first).findings == (
        "test.Thing::b #1 is not recorded any more: it was deleted, moved or forgotten since",
        "test.Thing::c was changed since",
    )
    assert project.undo(second.run).result == "undone"
    assert project.undo(first.run).result == "undone"
    assert project.state().resources == before
    assert project.plan().is_empty


def test_a_move_is_not_taken_back_from_under_a_successor(project: Project) -> None:
    """A later run has replaced the object at its new address."""
    project.declare('Thing("a")')
    project.apply()
    move = moved(project, "a", "b")
    project.declare('Thing("b", color="blue")')
    project.world.fail("delete", "b")
    assert project.apply().result == "partial"

    assert "test.Thing::b has a later object" in refused(project, move).findings


def test_a_move_is_not_taken_back_from_under_what_refers_to_it(project: Project) -> None:
    """What was declared since says the new address; what only looked at it does not matter."""
    project.declare('Thing("a")')
    project.apply()
    move = moved(project, "a", "b")
    project.declare('b = Thing("b")\nProbe("p", of=b.key)')
    project.apply()
    project.declare('b = Thing("b")\nProbe("p", of=b.key)\nThing("t", text=b.key)')
    run = project.apply()

    assert refused(project, move).findings == ("test.Thing::t refers to test.Thing::b since",)
    assert project.undo(run.id).result == "undone"
    assert project.undo(move.run).result == "undone"


def test_a_run_takes_its_own_moves_back(project: Project) -> None:
    """With what it did to the object after that, and to what refers to it: replaced, deleted to make room, or new."""
    project.declare("""
        a = Thing("a")
        l = Lock("l")
        Thing("t", text=a.label)
    """)
    project.apply()
    before = [(item.address, item.generation) for item in project.state().resources.values()]
    project.declare("""
        b = Thing("b", color="blue", opts=Options(moved_from="test.Thing::a"))
        l = Lock("m", color="blue", opts=Options(moved_from="test.Lock::l"))
        Thing("t", text=b.label)
        new = Thing("new", text=f"{b.label} {l.label}")
        Thing("bad", text=new.label)
    """)
    project.world.fail("create", "bad")

    assert project.apply().result == "undone"

    assert [(item.address, item.generation) for item in project.state().resources.values()] == before
    project.require_sound()
