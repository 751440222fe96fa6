"""What is in doubt where nobody answers holds up nothing that a run is about without it."""

from __future__ import annotations

import pytest

from purvey._base.event import Message
from purvey._graph import ALL, Selection
from purvey._report.run_text import ended_page
from purvey._report.style import plain
from purvey.errors import RefusedError
from tests.support.project import Project

OTHERS = Selection(excludes=("test.Server::lost",))


def _leave_in_doubt(project: Project) -> None:
    """The creation of one object began, and nobody has heard how it ended."""
    project.declare('Server("lost")\nServer("other")')
    project.world.fail("create", "lost", may_exist=True)
    assert project.apply(on_failure="continue").result == "kept"
    (doubt,) = project.state().in_doubt.values()
    assert doubt.begun.address == "test.Server::lost"


def test_a_run_passes_over_what_is_in_doubt(project: Project) -> None:
    """It says so, does the rest, and the next run without that settles it."""
    _leave_in_doubt(project)
    project.declare('Server("lost")\nServer("other", text="new")\nThing("more")')

    run = project.apply(selection=OTHERS)

    assert run.result == "succeeded"
    texts = [event.text for event in project.watcher.events if isinstance(event, Message)]
    assert "test.Server::lost: its create stays in doubt, for the run passes over it" in texts
    assert len(project.state().in_doubt) == 1
    project.world.mend()
    assert project.apply().result == "succeeded"
    assert project.state().in_doubt == {}
    assert sorted(entry["name"] for entry in project.world.objects.values()) == ["lost", "more", "other"]
    project.require_sound()


def test_its_undo_does_too(project: Project) -> None:
    """What failed is taken back, and what is in doubt of an earlier run is not."""
    _leave_in_doubt(project)
    project.declare('Server("lost")\nServer("other")\nThing("more")\nLock("bad")')
    project.world.fail("create", "bad")

    run = project.apply(selection=OTHERS)

    assert run.result == "undone"
    assert len(project.state().in_doubt) == 1
    project.world.mend()
    project.declare('Server("lost")\nServer("other")')
    assert project.apply().result == "succeeded"
    project.require_sound()


def _in_doubt(project: Project, before: str, after: str, verb: str, name: str, selection: Selection = ALL) -> None:
    """A script was applied, and of its next version one operation has had its effect, and nobody has heard of that."""
    project.declare(before)
    assert project.apply().result == "succeeded"
    project.declare(after)
    project.world.fail(verb, name, may_exist=True, after=True)
    assert project.apply(on_failure="keep", selection=selection).result == "kept"
    assert [doubt.begun.verb for doubt in project.state().in_doubt.values()] == [verb]
    project.world.mend()


RESTING = {
    "its new name": (
        'Server("a")', 'Server("a", text="x")', "update", "a",
        'Server("b", text="y", opts=Options(moved_from="test.Server::a"))', Selection(targets=("b",)),
    ),
    "what needs it": (
        'Server("a")', 'Server("a", text="x")', "update", "a",
        'a = Server("a", text="x")\nThing("u", text=f"{a.revision}")', Selection(targets=("u",)),
    ),
    "what needs what needs it": (
        'a = Server("a")\nThing("t", text=f"{a.revision}")', 'a = Server("a", text="x")\nThing("t", text=f"{a.revision}")',
        "update", "a",
        'a = Server("a", text="x")\nt = Thing("t", text=f"{a.revision}")\nThing("u", text=t.label)',
        Selection(excludes=("a", "t")),
    ),
    "what it lives in": (
        's = Shelf("s")\nBook("b", shelf=s)', 's = Shelf("s")\nBook("b", shelf=s, text="x")', "update", "b",
        's = Shelf("s", color="blue")\nBook("b", shelf=s, text="x")', Selection(excludes=("b",)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", RESTING)
def test_nothing_is_done_that_rests_on_it(project: Project, what: str) -> None:
    """The run is refused before its first write, a plan says so, and the run that settles it first goes through."""
    before, after, verb, name, then, selection = RESTING[what]
    _in_doubt(project, before, after, verb, name)
    world = project.world.visible()
    project.declare(then)

    assert any("passes over what is in doubt" in text for text in project.session().plan(
        project.script_path, selection=selection
    ).refusals)  # fmt: skip
    with pytest.raises(RefusedError, match="passes over what is in doubt") as caught:
        project.apply(selection=selection)

    assert "::a" in caught.value.detail or "::b" in caught.value.detail
    assert project.world.visible() == world
    assert project.apply().result == "succeeded"
    assert project.plan().is_empty
    project.require_sound()


def test_what_it_lives_in_is_not_removed(project: Project) -> None:
    """What may have been made in it would be left behind, or go without a word."""
    _in_doubt(
        project, 's = Shelf("s")\nBook("b", shelf=s)', 's = Shelf("s")\nBook("b", shelf=s)\nBook("n", shelf=s)', "create", "n"
    )

    with pytest.raises(RefusedError, match="passes over what is in doubt"):
        project.destroy(selection=Selection(targets=("s",)))

    assert project.apply().result == "succeeded"
    assert project.destroy().result == "succeeded"
    assert project.world.objects == {}
    project.require_sound()


@pytest.mark.parametrize("kind", ["Book", "Lock"])
def test_a_run_settles_its_own_whatever_it_was_limited_to(project: Project, kind: str) -> None:
    """What lives in what is replaced goes along, though the run is not about it; a resume and an undo know that."""
    limited = Selection(targets=("s",))
    then = f's = Shelf("s", color="blue")\n{kind}("b", shelf=s)'
    _in_doubt(project, f's = Shelf("s")\n{kind}("b", shelf=s)', then, "create", "b", limited)

    assert project.resume().result == "succeeded"

    assert project.state().in_doubt == {}
    assert project.plan().is_empty
    project.require_sound()


@pytest.mark.parametrize("kind", ["Book", "Lock"])
@pytest.mark.parametrize("limits", [ALL, Selection(targets=("s",))], ids=["all", "limited"])
def test_an_undo_takes_back_its_own_whatever_it_was_limited_to(project: Project, kind: str, limits: Selection) -> None:
    """What can be found of it is taken back; what cannot be stays in doubt, and the run says so."""
    project.declare(f's = Shelf("s")\n{kind}("b", shelf=s)')
    project.apply()
    project.declare(f's = Shelf("s", color="blue")\n{kind}("b", shelf=s)')
    project.world.fail("create", "b", may_exist=True, after=True)

    run = project.apply(selection=limits)

    in_doubt = [doubt.begun.address for doubt in project.state().in_doubt.values()]
    assert (run.result, in_doubt) == (("undone", []) if kind == "Book" else ("partial", ["test.Lock::b"]))
    assert [item.address for item in run.left if item.why == "in doubt"] == in_doubt


def test_it_is_nothing_that_the_run_has_left(project: Project) -> None:
    """Of a removal that fails it is told; what another run left in doubt is not this one's, and an undo would mend neither."""
    _leave_in_doubt(project)
    project.declare('Server("lost")\nServer("other")\nThing("old")')
    assert project.apply(selection=OTHERS).result == "succeeded"
    project.declare('Server("lost")\nServer("other")\nThing("new")')
    project.world.fail("delete", "old")

    run = project.apply(selection=OTHERS)

    told = plain(ended_page(run, {}))
    assert (run.result, [item.address for item in run.left]) == ("partial", ["test.Thing::old"])
    assert told.startswith("Partial: what is declared is there, and not all that is old could be removed.")
    assert "purvey undo" not in told
    assert "--exclude" in told


def test_a_removal_without_an_answer_was_no_failed_undo(project: Project) -> None:
    """Its end is not known, and there is nothing to take back."""
    project.declare('Server("a")')
    project.apply()
    project.world.fail("delete", "a", may_exist=True)

    run = project.destroy()

    told = plain(ended_page(run, {}))
    assert run.result == "partial"
    assert told.startswith("Partial: not all could be removed.")
    assert "purvey undo" not in told
