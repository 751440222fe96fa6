"""What happens to a run while somebody else holds the lease, or while somebody reads a plan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from purvey._apply.request import AwaitsApproval
from purvey._plan.plan import Plan
from purvey._session.drive import Drive
from purvey._session.target import Target
from purvey._state.history import RunHistory
from purvey._state.record import Closed
from purvey.errors import RefusedError, StateError
from tests.support import points
from tests.support.fixtures import project
from tests.support.project import Project, actions

__all__ = ["project"]


class Killed(BaseException):
    """The process ends here."""


def _kept(project: Project, *, standing: str = "") -> RunHistory:
    """A run that may be resumed: it failed, and what it did was kept."""
    project.declare('Thing("x", text="old")\nThing("y")')
    project.world.fail("create", "x")
    run = project.apply(on_failure="keep", standing=standing)
    project.world.mend()
    assert run.result == "kept"
    return run


def _kill(project: Project, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    def called(label: str) -> None:
        if label == at:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(points, "called", called)
        with pytest.raises(Killed):
            project.apply()


@contextmanager
def _before_the_lease(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> Iterator[None]:
    """Let another process do something just before the next verb gets the lease."""
    hold = Drive._hold

    def late(self: Drive, *args: object, **more: object) -> object:
        monkeypatch.setattr(Drive, "_hold", hold)
        work()
        return hold(self, *args, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Drive, "_hold", late)
    yield
    assert Drive._hold is hold


def _objects(project: Project) -> dict[str, str]:
    return {item["name"]: item.get("text", "") for item in project.world.objects.values()}


# Resuming.


def test_a_run_superseded_while_it_queued_is_not_resumed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The later run has the word: its values stay."""
    run = _kept(project, standing="--yes")
    project.declare('Thing("x", text="new")\nThing("z")')

    with (
        _before_the_lease(monkeypatch, project.apply),
        pytest.raises(StateError, match=f"{run.id} ended superseded"),
    ):
        project.resume(run.id)

    assert _objects(project) == {"x": "new", "z": ""}
    assert [item.result for item in project.session().runs()] == ["succeeded", "superseded"]


def test_a_run_undone_while_it_queued_is_not_resumed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody took back is not made again."""
    run = _kept(project, standing="--yes")

    with (
        _before_the_lease(monkeypatch, lambda: project.undo(run.id)),
        pytest.raises(StateError, match=f"{run.id} ended undone"),
    ):
        project.resume(run.id)

    assert _objects(project) == {}


def test_a_run_that_began_to_undo_meanwhile_is_undone_by_its_resume(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A resume goes the way that the run goes when its turn comes."""
    run = _kept(project)
    project.world.fail("delete", "y", times=1)

    with _before_the_lease(monkeypatch, lambda: project.undo(run.id)):
        assert project.resume(run.id).result == "undone"

    assert _objects(project) == {}


def test_a_run_supersedes_every_unfinished_one(project: Project) -> None:
    """Not the newest alone: otherwise a plain resume would go back to an older script."""
    first = _kept(project, standing="--yes")
    project.declare('Thing("x", text="two")\nThing("y")')
    with pytest.raises(AwaitsApproval):
        project.session().apply(project.script_path, approve=lambda _: None)
    project.declare('Thing("x", text="three")\nThing("y")')
    project.apply()

    results = {item.id: item.result for item in project.session().runs()}
    assert (sorted(results.values()), results[first.id]) == (["succeeded", "superseded", "superseded"], "superseded")
    with pytest.raises(StateError, match="nothing to resume"):
        project.resume()
    assert _objects(project)["x"] == "three"


def test_a_run_is_superseded_once(project: Project) -> None:
    """However many stages the run has that takes over: the first that is agreed to ends the earlier run."""
    first = _kept(project, standing="--yes")
    project.declare("""
        x = Thing("x")
        if value(x.revision):
            y = Thing("y")
            if value(y.revision):
                Thing("z")
    """)

    assert project.apply().result == "succeeded"

    assert [record.result for record in project.records(first.id) if isinstance(record, Closed)] == ["kept", "superseded"]


def test_a_yes_given_beforehand_is_no_word_about_data(project: Project) -> None:
    """A resume without a terminal may lose no data for the `--yes` of its run: somebody must say so."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)')
    project.apply()
    project.declare('t = Thing("t")\nvalue(t.key)')
    with pytest.raises(RefusedError, match="Data would be lost"):
        project.apply(standing="--yes", final="refuse")
    run = project.session().runs()[0]

    with pytest.raises(AwaitsApproval):
        project.session().resume(Target(run=run.id), approve=lambda _: None, final="ask")
    assert set(_objects(project)) == {"s", "b", "t"}

    assert project.session().resume(Target(run=run.id), approve=lambda _: None, final="allow").result == "succeeded"
    assert set(_objects(project)) == {"t"}


# Undoing.

GROWS = """
a = Thing("a")
t = Thing("bad", opts=Options(after=[a]))
s = Shelf("s", opts=Options(after=[t]))
{}
"""


def _undo_while_resumed(project: Project, last: str, answers: list[str | None]) -> list[dict[str, str]]:
    """Undo a kept run that somebody resumes while the question is open; returns what was shown, question by question."""
    project.declare(GROWS.format(last))
    project.world.fail("create", "bad")
    run = project.apply(on_failure="keep")
    project.world.mend()
    shown: list[dict[str, str]] = []

    def approve(plan: Plan) -> str | None:
        shown.append(actions(plan))
        if len(shown) == 1:
            project.resume()
        return answers[len(shown) - 1]

    try:
        project.session().undo(Target(run=run.id), approve=approve, final="refuse")
    finally:
        assert shown[0] == {"a": "delete"}
    return shown


def test_an_undo_that_has_grown_asks_again(project: Project) -> None:
    """The first yes was to one deletion; the rest is shown, too, before it is done."""
    shown = _undo_while_resumed(project, 'Thing("z", text=s.key)', ["me", "me"])

    assert shown[1] == dict.fromkeys(["z", "s", "bad", "a"], "delete")
    assert _objects(project) == {}


def test_an_undo_that_has_grown_and_gets_no_changes_nothing(project: Project) -> None:
    """The run stays as the resume left it, in the world and on record."""
    with pytest.raises(AwaitsApproval):
        _undo_while_resumed(project, 'Thing("z", text=s.key)', ["me", None])

    assert set(_objects(project)) == {"a", "bad", "s", "z"}
    assert [item.result for item in project.session().runs()] == ["succeeded"]


def test_an_undo_that_would_lose_data_by_now_is_refused(project: Project) -> None:
    """The guards see what the undo has become."""
    with pytest.raises(RefusedError, match="Data would be lost"):
        _undo_while_resumed(project, 'Book("b", shelf=s)', ["me", "me"])

    assert set(_objects(project)) == {"a", "bad", "s", "b"}
    assert [item.result for item in project.session().runs()] == ["succeeded"]


def test_an_undo_asks_for_a_risk_that_was_not_shown(project: Project) -> None:
    """The same deletion is another one once somebody may have trusted data to the object."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)\nProbe("bad", of=s.key)')
    project.world.fail("check", "bad")
    run = project.apply(on_failure="keep")
    project.world.mend()
    shown: list[list[bool]] = []

    def approve(plan: Plan) -> str | None:
        shown.append([change.holds_data for change in plan.changes])
        if len(shown) == 1:
            assert project.resume().result == "succeeded"
            return "me"
        return None

    with pytest.raises(AwaitsApproval):
        project.session().undo(Target(run=run.id), approve=approve, final="allow")

    assert shown == [[False, False], [True, False]]
    assert set(_objects(project)) == {"s", "b"}


def test_an_undo_of_what_was_in_doubt_is_asked_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the plan cannot show before it is settled is shown then."""
    project.declare('Thing("x")')
    _kill(project, monkeypatch, "after the create in the world")

    with pytest.raises(AwaitsApproval):
        project.session().undo(project.target(), approve=lambda _: None)
    assert set(_objects(project)) == {"x"}

    project.approved = []
    assert project.undo().result == "undone"
    assert [actions(plan) for plan in project.approved] == [{"x": "delete"}]
    assert _objects(project) == {}


def test_an_undo_refused_under_the_lease_leaves_the_run_as_it_ended(project: Project) -> None:
    """A later run changed its object while somebody read the plan; what succeeded is still a success."""
    project.declare('Thing("a")')
    run = project.apply()

    def approve(_: Plan) -> str:
        project.declare('Thing("a", size=2)')
        project.apply()
        return "me"

    with pytest.raises(RefusedError, match="A later run"):
        project.session().undo(Target(run=run.id), approve=approve)

    assert [item.result for item in project.session().runs()] == ["succeeded", "succeeded"]
    with pytest.raises(StateError, match="nothing to resume"):
        project.resume(run.id)


def test_an_undo_superseded_while_somebody_reads_is_refused(project: Project) -> None:
    """What a later run took over is no longer this run's to take back."""
    run = _kept(project)

    def approve(_: Plan) -> str:
        project.declare('Thing("x", text="old")\nThing("y")\nThing("z")')
        project.apply()
        return "me"

    with pytest.raises(StateError, match="took over"):
        project.session().undo(Target(run=run.id), approve=approve)
    assert set(_objects(project)) == {"x", "y", "z"}


def test_an_undo_waits_for_what_another_run_has_begun(project: Project) -> None:
    """While that is pending nothing is undone, and the run that was to be undone is not opened again."""
    project.declare('Thing("a")')
    first = project.apply()
    project.declare('Thing("a")\nSlow("x", size=10, opts=Options(timeout_s=35))')
    assert project.apply().result == "parked"

    with pytest.raises(StateError, match="still pending"):
        project.undo(first.id)
    assert [item.result for item in project.session().runs()] == ["parked", "succeeded"]
    assert set(_objects(project)) == {"a", "x"}

    assert project.undo(first.id).result == "undone"
    assert set(_objects(project)) == {"x"}
