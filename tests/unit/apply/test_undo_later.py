"""An undo of an older run takes nothing away from later ones: no object that they built on it, guard, or wish."""

from __future__ import annotations

import pytest

from purvey.errors import RefusedError
from tests.support.project import Project, actions


def world_names(project: Project) -> list[str]:
    """What is there."""
    return sorted(entry["name"] for entry in project.world.objects.values())


def applied(project: Project, body: str) -> str:
    """Apply a script, and answer the run's id."""
    project.declare(body)
    run = project.apply()
    assert run.result == "succeeded"
    return run.id


def refused(project: Project, run: str, *only: str) -> tuple[str, ...]:
    """What the refusal of an undo names; nothing happened to the world."""
    before = project.world.objects
    with pytest.raises(RefusedError) as caught:
        project.session().undo(project.target(run=run), approve=project.approve, only=only, final="allow")
    assert (caught.value.code, caught.value.summary, caught.value.hint) == (
        "refused.touched_since",
        "A later run changed, or built on, what this undo would take back",
        "Undo the later run first, or change the script and apply.",
    )
    assert project.world.objects == before
    project.require_sound()
    return caught.value.findings


@pytest.mark.parametrize("only", [(), ("test.Shelf::s",)])
def test_what_a_later_run_built_on_it_is_not_taken_away(project: Project, only: tuple[str, ...]) -> None:
    """Neither with what it lives in, nor with what it needs; the later run is named, and can be undone first."""
    first = applied(project, 's = Shelf("s")\nThing("other")')
    body = 's = Shelf("s")\nThing("other")\nb = Book("b", shelf=s, opts=Options(protect={}))\nThing("needs", text=b.key)'
    applied(project, body.format(True))
    later = applied(project, body.format(False)), project.session().runs()[1].id

    assert set(refused(project, first, *only)) == {
        f"test.Book::b was built on test.Shelf::s by run {later[1]}",
        f"test.Thing::needs was built on test.Book::b by run {later[1]}",
    }
    assert project.session().undo_plan(project.target(run=later[1])).operations  # This is the way, as the hint says.
    assert project.undo(later[1]).result == "undone"
    assert project.undo(first).result == "undone"
    assert world_names(project) == []


def test_what_is_built_on_is_known_through_objects_between(project: Project) -> None:
    """The object between is the run's own."""
    first = applied(project, 's = Shelf("s")\nt = Tag("t", shelf=s)')
    later = applied(project, 's = Shelf("s")\nt = Tag("t", shelf=s)\nThing("top", text=t.key)')

    assert refused(project, first) == (f"test.Thing::top was built on test.Tag::t by run {later}",)


def test_a_part_on_which_nothing_was_built_is_undone(project: Project) -> None:
    """Only what goes is asked for."""
    first = applied(project, 's = Shelf("s")\nThing("alone")')
    applied(project, 's = Shelf("s")\nThing("alone")\nBook("b", shelf=s)')

    project.session().undo(project.target(run=first), approve=project.approve, only=["test.Thing::alone"])

    assert world_names(project) == ["b", "s"]


def test_a_check_of_a_later_run_is_no_hindrance(project: Project) -> None:
    """It made nothing."""
    first = applied(project, 'Thing("a")')
    applied(project, 'a = Thing("a")\nProbe("ok", of=a.key)')

    assert project.undo(first).result == "undone"


def test_an_object_that_is_protected_now_outlives_the_undo(project: Project) -> None:
    """It does not matter which run protected it."""
    first = applied(project, 'low = Thing("low")\nThing("x", text=low.key)\nThing("y")')
    applied(project, 'low = Thing("low")\nThing("x", text=low.key, opts=Options(protect=True))\nThing("y")')

    assert project.undo(first).result == "partial"
    assert world_names(project) == ["low", "x"]


def test_what_a_later_run_wished_stays(project: Project) -> None:
    """A declaration that an earlier run wrote down is not put back over a later one."""
    applied(project, 'Thing("x")')
    first = applied(project, 'Thing("x", opts=Options(retain=True))\nThing("y")')
    applied(project, 'Thing("x", size=2, opts=Options(retain=True))\nThing("y")')
    before = project.state().latest("test.Thing::x")

    assert project.undo(first).result == "undone"

    assert project.state().latest("test.Thing::x") == before
    assert actions(project.plan()) == {"y": "create"}


def test_a_move_is_not_taken_back_from_under_a_later_run(project: Project) -> None:
    """What refers to the object says its present address."""
    applied(project, 'a = Thing("a")\nt = Thing("t", text=a.key)')
    moved = 'c = Thing("c", size={}, opts=Options(moved_from="test.Thing::a"))\nThing("t", text=c.key)'
    first = applied(project, moved.format(1))
    applied(project, moved.format(2))

    assert "test.Thing::c was changed since" in refused(project, first)


def test_an_update_is_not_taken_back_over_a_protection(project: Project) -> None:
    """The former record knows nothing of it."""
    applied(project, 'Thing("x")')
    first = applied(project, 'Thing("x", size=2)')
    applied(project, 'Thing("x", size=2, opts=Options(protect=True))')

    assert refused(project, first) == ("test.Thing::x was declared anew since",)


def test_a_run_is_found_as_it_is_shown(project: Project) -> None:
    """However many runs came after it, and in whichever letters its id is given."""
    first = applied(project, 'Thing("a")\nThing("b")')
    for number in range(21):
        project.session().state_move(project.target(), f"test.Thing::{number or 'b'}", f"test.Thing::{number + 1}")
    assert project.session().show(first.lower()).id == first

    target = project.target(run=first.lower())
    assert [change.action for change in project.session().undo_plan(target, only=["test.Thing::a"]).changes] == ["delete"]
    project.session().undo(target, approve=project.approve, only=["test.Thing::a"], final="allow")

    assert world_names(project) == ["b"]


def test_later_is_what_began_later(project: Project) -> None:
    """A run on a machine whose clock is behind is later all the same, and is listed so."""
    first = applied(project, 'a = Thing("a")')
    project.clock.seconds -= 3600.0
    later = applied(project, 'a = Thing("a")\nThing("b", text=a.label)')

    assert refused(project, first) == (f"test.Thing::b was built on test.Thing::a by run {later}",)
    assert [run.id for run in project.session().runs(stack="main")] == [later, first]


def test_without_a_name_the_last_run_that_changed_something_is_taken_back(project: Project) -> None:
    """One that was refused, and one that had nothing to do, are passed over; one that was taken back is not."""
    applied(project, 'Thing("kept")')
    last = applied(project, 'Thing("kept")\nThing("new")')
    applied(project, 'Thing("kept")\nThing("new")')
    project.declare('Safe("a", text=secret("env:NOT_SET_ANYWHERE"))')
    with pytest.raises(RefusedError):
        project.apply()
    refused = project.session().runs()[0].id

    undone = project.undo()

    assert (undone.id, undone.result) == (last, "undone")
    assert set(project.state().current()) == {"test.Thing::kept"}
    assert project.undo().id == last
    assert project.undo(refused).result == "refused"
    assert set(project.state().current()) == {"test.Thing::kept"}
