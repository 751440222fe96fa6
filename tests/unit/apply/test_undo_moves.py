"""An undo of a move or a hand-over never gives an object two records, or makes it a second time: it says where it cannot."""

from __future__ import annotations

import re

import pytest

from purvey._plan.effects import effects
from purvey._plan.undo import undo_plan
from purvey._session.target import Target
from purvey._state.record import Noted, ResourceState
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
