"""What is in doubt where nobody answers holds up nothing that a run is about without it."""

from __future__ import annotations

from purvey._base.event import Message
from purvey._graph import Selection
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
