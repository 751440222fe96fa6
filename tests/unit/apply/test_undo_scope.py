"""What an undo covers: some addresses, moves, declarations, contents of what stays; and how it is tried again."""

from __future__ import annotations

import pytest

from purvey._report.run_text import ended_page
from purvey._report.style import plain
from purvey._state.resource import ResourceState
from purvey.cli.changing import exit_of
from purvey.errors import RefusedError, StateError
from tests.support.project import Project

LAYERS = """
@stack
def main(size: int = 1):
    a = Thing("a", size=size)
    b = Thing("b", size=size, text=a.key)
    Thing("c", size=size)
    Probe("ok", of=b)
"""


def by_name(project: Project) -> dict[str, ResourceState]:
    """The objects that are recorded, by their name."""
    return {address.rpartition("::")[2]: record for address, record in project.state().current().items()}


def test_an_undo_of_one_address_takes_what_was_built_on_it_along(project: Project) -> None:
    """The rest of the run stays; asked again for all, the undo takes the rest back."""
    project.write(LAYERS)
    run = project.apply()

    plan = project.session().undo_plan(project.target(run=run.id), only=["test.Thing::a"])
    done = project.session().undo(project.target(run=run.id), approve=project.approve, only=["test.Thing::a"])

    assert [change.address for change in plan.changes if change.action != "none"] == ["test.Thing::b", "test.Thing::a"]
    assert done.result == "succeeded"  # What is left of it has.
    assert plain(ended_page(done, {})).startswith("Undone in part, as you asked")
    assert "As the run left it, for it was not to be taken back: test.Thing::c" in plain(ended_page(done, {}))
    assert [entry["name"] for entry in project.world.objects.values()] == ["c"]
    assert project.undo(run.id).result == "undone"
    assert project.world.objects == {}
    project.require_sound()


def test_an_address_that_the_run_did_not_touch_is_refused(project: Project) -> None:
    """A misspelt scope undoes nothing."""
    project.write(LAYERS)
    run = project.apply()

    with pytest.raises(RefusedError, match="nothing to take back") as caught:
        project.session().undo(project.target(run=run.id), approve=project.approve, only=["test.Thing::x"])

    assert caught.value.findings == ("test.Thing::x was not changed by the run, or was taken back already",)
    assert len(project.world.objects) == 3


def test_a_killed_undo_of_one_address_is_resumed_with_its_scope(project: Project) -> None:
    """What was asked for is on disk."""
    project.write(LAYERS)
    run = project.apply()
    project.world.fail("delete", "b", code="denied")

    first = project.session().undo(project.target(run=run.id), approve=project.approve, only=["test.Thing::a"])
    project.world.mend()
    second = project.resume(run.id)

    assert (first.result, second.result) == ("partial", "succeeded")
    assert [entry["name"] for entry in project.world.objects.values()] == ["c"]
    project.require_sound()


def test_an_undo_of_all_that_the_run_did_leaves_nothing_of_it(project: Project) -> None:
    """However it was asked for."""
    project.write(LAYERS)
    run = project.apply()
    everything = [f"test.Thing::{name}" for name in "abc"]

    done = project.session().undo(project.target(run=run.id), approve=project.approve, only=everything)

    assert (done.result, project.world.objects) == ("undone", {})


@pytest.mark.parametrize("how", ["resume", "undo"])
def test_a_kept_run_goes_on_after_the_undo_of_a_part(project: Project, how: str) -> None:
    """It is still kept: a resume makes that part again and does the rest, an undo takes the rest back, too."""
    project.declare('Thing("a")\nb = Thing("b")\nThing("bad", text=b.key)')
    project.world.fail("create", "bad")
    run = project.apply(on_failure="keep")
    done = project.session().undo(project.target(run=run.id), approve=project.approve, only=["test.Thing::a"])
    project.world.mend()

    assert exit_of(done) == 0
    assert (done.result, [entry["name"] for entry in project.world.objects.values()]) == ("kept", ["b"])
    ended = project.resume(run.id) if how == "resume" else project.undo(run.id)

    assert ended.result == ("succeeded" if how == "resume" else "undone")
    left = ["a", "b", "bad"] if how == "resume" else []
    assert sorted(entry["name"] for entry in project.world.objects.values()) == left
    project.require_sound()


@pytest.mark.parametrize("how", ["resume", "undo"])
def test_a_partial_undo_is_tried_again(project: Project, how: str) -> None:
    """What could not be taken back is, once the world lets it; by either command, and nothing is done twice."""
    project.write(LAYERS)
    run = project.apply()
    project.world.fail("delete", "a", code="denied")
    assert project.undo(run.id).result == "partial"
    project.world.mend()

    again = project.resume(run.id) if how == "resume" else project.undo(run.id)

    assert again.result == "undone"
    assert project.world.objects == {}
    assert sorted(project.world.log[3:]) == ["delete a", "delete b", "delete c"]
    project.require_sound()


def test_a_partial_run_that_was_not_undoing_is_not_resumed(project: Project) -> None:
    """A deletion that failed is tried again by the next apply, not by going back."""
    project.write(LAYERS)
    project.apply()
    project.world.fail("delete", "c", code="denied")
    run = project.destroy()
    assert run.result == "partial"

    with pytest.raises(StateError, match="nothing to resume"):
        project.resume(run.id)


def test_a_move_is_moved_back(project: Project) -> None:
    """The object, and what refers to it, are recorded under the former address again; the former script changes nothing."""
    project.declare('a = Shelf("a")\nBook("book", shelf=a)')
    project.apply()
    before = project.state()
    project.declare('c = Shelf("c", opts=Options(moved_from="test.Shelf::a"))\nBook("book", shelf=c)\nThing("bad", text=c.key)')
    project.world.fail("create", "bad")

    assert project.apply().result == "undone"
    assert project.state().resources == before.resources
    project.declare('a = Shelf("a")\nBook("book", shelf=a)')
    assert project.plan().is_empty
    project.require_sound()


def test_a_move_with_a_change_is_taken_back_whole(project: Project) -> None:
    """First the change, then the address."""
    project.declare('Thing("a")')
    project.apply()
    project.declare('c = Thing("c", size=3, opts=Options(moved_from="test.Thing::a"))\nThing("bad", text=c.key)')
    project.world.fail("create", "bad")

    assert project.apply().result == "undone"
    assert list(by_name(project)) == ["a"]
    assert [entry["size"] for entry in project.world.objects.values()] == [1]
    project.require_sound()


def test_an_undone_run_does_not_take_a_protection_away(project: Project) -> None:
    """A declaration that an earlier stage wrote down goes back to what it was."""
    project.declare('Thing("a", opts=Options(protect=True))')
    project.apply()
    project.declare('Thing("a")\ns = Server("s")\nThing("t", text=value(s.key))')
    project.world.fail("create", "t")

    assert project.apply().result == "undone"
    assert by_name(project)["a"].protect
    project.require_sound()


def test_what_lives_in_a_protected_container_is_taken_back_by_itself(project: Project) -> None:
    """A container that stays takes nothing away with it, so its contents are deleted and not forgotten."""
    project.declare('s = Shelf("s", opts=Options(protect=True))\nb = Book("b", shelf=s)\nThing("bad", text=b.key)')
    project.world.fail("create", "bad")

    run = project.apply()

    assert run.result == "partial"  # The protected shelf is left, and said.
    assert [entry["name"] for entry in project.world.objects.values()] == ["s"]
    assert list(by_name(project)) == ["s"]
    project.require_sound()
