"""What lives in a container that goes is in the plan, whatever the run was told to be about."""

from __future__ import annotations

import pytest

from purvey._graph import Selection
from purvey.errors import RefusedError
from tests.support.project import Project, actions

RACK = 'r = Rack("r", number=1, color="{}")\n'
SHELF = 'r = Shelf("r", color="{}")\n'
TARGETS = (Selection(targets=("r",)), Selection(excludes=("b",)))


def _names(project: Project) -> set[str]:
    return {entry["name"] for entry in project.world.objects.values()}


def _recorded(project: Project) -> set[str]:
    return {address.rpartition("::")[2] for address, _ in project.state().resources}


@pytest.mark.parametrize("selection", TARGETS)
@pytest.mark.parametrize("home", [RACK, SHELF])
def test_guards_see_contents_that_were_not_selected(project: Project, home: str, selection: Selection) -> None:
    """Protection, budget and data of what is inside count against the container, selected or not."""
    book = 'Book("b", shelf=r, opts=Options(protect=True))'
    project.declare(home.format("red") + book)
    project.apply()
    project.declare(home.format("blue") + book)

    with pytest.raises(RefusedError) as caught:
        project.apply(selection=selection, max_deletes=1, final="refuse")

    said = "\n".join(caught.value.findings)
    assert [word in said for word in ("protected", "budget", "Data would be lost")] == [True] * 3
    assert _names(project) == _recorded(project) == {"r", "b"}


@pytest.mark.parametrize("selection", TARGETS)
@pytest.mark.parametrize("home", [RACK, SHELF])
def test_contents_follow_a_container_that_was_selected(project: Project, home: str, selection: Selection) -> None:
    """They are replaced with it, as in a run about everything; nothing is left that is not in the world."""
    project.declare(home.format("red") + 'Book("b", shelf=r)\nThing("t")')
    project.apply()
    project.declare(home.format("blue") + 'Book("b", shelf=r)\nThing("t")')

    run = project.apply(selection=selection)

    assert (run.result, actions(project.approved[0])) == ("succeeded", {"r": "replace", "b": "replace"})
    assert _names(project) == _recorded(project) == {"r", "b", "t"}
    assert project.plan().is_empty
    project.require_sound()


@pytest.mark.parametrize("protect", [True, False])
def test_a_destroy_of_a_container_is_about_its_contents(project: Project, *, protect: bool) -> None:
    """A protected content refuses; another is shown as going with it, and is not left on record."""
    project.declare(f'r = Shelf("r")\nBook("b", shelf=r, opts=Options(protect={protect}))\nThing("t")')
    project.apply()
    project.approved = []

    if protect:
        with pytest.raises(RefusedError, match="protected"):
            project.destroy(selection=Selection(targets=("test.Shelf",)))
        assert _names(project) == _recorded(project) == {"r", "b", "t"}
        return
    assert project.destroy(selection=Selection(targets=("test.Shelf",))).result == "succeeded"
    gone = next(change for change in project.approved[0].changes if change.address == "test.Book::b")
    assert (gone.action, gone.goes_with, gone.holds_data) == ("forget", "test.Shelf::r", True)
    assert _names(project) == _recorded(project) == {"t"}


def test_contents_moved_elsewhere_by_the_script_go_with_their_old_home(project: Project) -> None:
    """A node that is passed over has not moved yet: its object is still where it was made."""
    both = 'old = Shelf("old")\nnew = Shelf("new")\n'
    project.declare(both + 'Book("b", shelf=old, opts=Options(protect=True))')
    project.apply()
    project.declare('new = Shelf("new")\nBook("b", shelf=new, opts=Options(protect=True))')

    with pytest.raises(RefusedError, match="protected"):
        project.apply(selection=Selection(targets=("old",)))
    assert _names(project) == _recorded(project) == {"old", "new", "b"}


def test_a_gap_shows_contents_that_a_later_stage_declares(project: Project) -> None:
    """The container goes at once; what the script has not come to yet goes with it, so the guards see it."""
    staged = """
    a = Thing("a{0}")
    r = Rack("r", number=1, color="{1}")
    value(a.key)
    Book("b", shelf=r, opts=Options(protect={2}))
    """
    project.declare(staged.format(1, "red", True))
    project.apply()
    project.declare(staged.format(2, "blue", True))
    with pytest.raises(RefusedError, match="protected"):
        project.apply()
    assert _names(project) == {"a1", "r", "b"}

    project.declare(staged.format(1, "red", False))
    project.apply()
    project.declare(staged.format(2, "blue", False))
    with pytest.raises(RefusedError, match="Data would be lost"):
        project.apply(final="refuse")
    assert project.apply().result == "succeeded"
    first = next(change for change in project.approved[0].changes if change.address == "test.Book::b")
    assert (first.action, first.goes_with, first.holds_data) == ("forget", "test.Rack::r", True)
    assert _names(project) == _recorded(project) == {"a2", "r", "b"}
    project.require_sound()
