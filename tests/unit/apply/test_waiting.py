"""Waiting, retrying, stopping: the engine's business, on a clock that a test holds."""

from __future__ import annotations

import asyncio

import pytest

from purvey._base.event import Event, OperationEnded, OperationProgress, OperationRetried, OperationStarted
from tests.support.project import Project


def test_a_transient_error_is_retried(project: Project) -> None:
    """A throttled create is tried again after a back-off, and succeeds without a second object."""
    project.declare('Server("a")')
    project.world.fail("create", "a", "throttled", times=3)

    run = project.apply()

    assert run.result == "succeeded"
    assert [change.attempts for change in run.changes] == [4]
    assert project.world.log == ["create a"]
    retries = [event for event in project.watcher.events if isinstance(event, OperationRetried)]
    assert [event.attempt for event in retries] == [1, 2, 3]
    assert all(event.code == "throttled" for event in retries)


def test_retries_end(project: Project) -> None:
    """After six attempts the failure stands, and the attempts are told."""
    project.declare('Server("a")')
    project.world.fail("create", "a", "unavailable")

    run = project.apply()

    assert run.result == "undone"
    assert [(change.result, change.attempts, change.code) for change in run.changes] == [("failed", 6, "unavailable")]


def test_a_definite_error_is_not_retried(project: Project) -> None:
    """What cannot pass by itself is tried once."""
    project.declare('Server("a")')
    project.world.fail("create", "a", "denied")

    assert [change.attempts for change in project.apply().changes] == [1]


def test_an_ambiguous_error_is_retried_with_the_token(project: Project) -> None:
    """A cut connection after the effect makes no second object where the kind has a token."""
    project.declare('Server("a")')
    project.world.fail("create", "a", "timeout", times=2, may_exist=True, after=True)

    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a"]


def test_pending_is_waited_for(project: Project) -> None:
    """A provider answers "not yet", the engine waits, shows progress and asks again."""
    project.declare('Slow("a", size=4)\n')

    assert project.apply().result == "succeeded"
    texts = [event.text for event in project.watcher.events if isinstance(event, OperationProgress)]
    assert texts == ["warming up", "1 of 4", "2 of 4", "3 of 4"]
    assert project.clock.slept == [10.0] * 4


def test_a_timeout_parks_and_resume_goes_on(project: Project) -> None:
    """Pending past its time parks the run: nothing is undone, and a resume re-attaches without a second create."""
    project.declare('slow = Slow("a", size=8, opts=Options(timeout_s=35))\nThing("b", text=slow.label)')

    run = project.apply()

    assert (run.result, run.cause_address) == ("parked", "test.Slow::a")
    assert [entry["name"] for entry in project.world.objects.values()] == ["a"]
    assert project.resume().result == "succeeded"
    assert project.world.log == ["create a", "create b"]
    project.require_sound()


def test_a_resume_that_is_still_too_early_parks_again(project: Project) -> None:
    """A resume waits for the operation's own time and parks again, as often as it takes."""
    project.declare('Slow("a", size=200, opts=Options(timeout_s=35))')
    assert project.apply().result == "parked"

    results = [project.resume().result for _ in range(2)]

    assert results == ["parked", "parked"]
    assert project.world.log == ["create a"]


def test_ctrl_c_once_finishes_what_runs_and_starts_nothing(project: Project) -> None:
    """An interrupted run is resumable, and its resume does only what was not done."""
    project.declare("\n".join(f'a{n} = Thing("a{n}"{f", text=a{n - 1}.label" if n else ""})' for n in range(5)))
    session = project.session()

    def interrupt(event: Event) -> None:
        if isinstance(event, OperationEnded) and event.address.endswith("a1"):
            session.interrupt()

    project.watcher.react = interrupt
    run = session.apply(project.script_path, approve=project.approve)
    project.watcher.react = lambda event: None

    assert run.result == "interrupted"
    assert project.world.log == ["create a0", "create a1"]
    assert project.resume(run.id).result == "succeeded"
    assert project.world.log == [f"create a{n}" for n in range(5)]
    project.require_sound()


@pytest.mark.parametrize("look", ["observed", "prepare", "failing_already"])
def test_ctrl_c_waits_for_no_look(project: Project, monkeypatch: pytest.MonkeyPatch, look: str) -> None:
    """While nothing is under way, the run ends at once, whatever does not answer; a resume does all of it."""
    project.declare('Thing("a")')
    session = project.session()

    async def silent(*_: object, **__: object) -> None:
        """Somebody stops the run, and nobody ever answers."""
        session.interrupt()
        async with asyncio.timeout(60):
            await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(f"purvey._apply.run.{look}", silent)
        run = session.apply(project.script_path, approve=project.approve)

    assert (run.result, project.world.log) == ("interrupted", [])
    assert project.resume(run.id).result == "succeeded"
    assert project.world.log == ["create a"]


def test_ctrl_c_detaches_from_what_is_pending(project: Project) -> None:
    """An operation that waits is left as it is, and the resume re-attaches to it."""
    project.declare('Slow("a", size=50)')
    session = project.session()

    def interrupt(event: Event) -> None:
        if isinstance(event, OperationProgress) and event.text.startswith("2 of"):
            session.interrupt()

    project.watcher.react = interrupt
    assert session.apply(project.script_path, approve=project.approve).result == "interrupted"
    project.watcher.react = lambda event: None
    assert project.resume().result == "succeeded"
    assert project.world.log == ["create a"]


def test_a_new_apply_supersedes_an_unfinished_run(project: Project) -> None:
    """The unfinished run can then be neither resumed nor undone, and nothing is made twice."""
    project.declare('Slow("a", size=8, opts=Options(timeout_s=35))')
    first = project.apply()

    second = project.apply()

    assert (first.result, second.result) == ("parked", "succeeded")
    assert project.session().show(first.id).result == "superseded"
    assert project.world.log == ["create a"]
    project.require_sound()


def test_the_parallel_limit_is_kept(project: Project) -> None:
    """Never more operations are in flight than asked for."""
    project.declare("\n".join(f'Slow("a{n}", size=2)' for n in range(9)))
    flying: set[str] = set()
    most: list[int] = []

    def count(event: Event) -> None:
        if isinstance(event, OperationStarted):
            flying.add(event.operation)
        elif isinstance(event, OperationEnded):
            flying.discard(event.operation)
        most.append(len(flying))

    project.watcher.react = count
    assert project.apply(parallel=4).result == "succeeded"
    assert max(most) == 4


def test_ctrl_c_waits_for_no_retry(project: Project) -> None:
    """However long the world asked to wait: the run ends at once, and its resume calls again."""
    project.declare('Server("a")\nThing("b")')
    project.world.fail("create", "a", "throttled", times=1)
    session = project.session()

    def interrupt(event: Event) -> None:
        if isinstance(event, OperationRetried):
            session.interrupt()

    project.watcher.react = interrupt
    run = session.apply(project.script_path, approve=project.approve, parallel=1)
    project.watcher.react = lambda event: None

    assert (run.result, project.clock.slept, project.world.log) == ("interrupted", [], [])
    assert project.resume().result == "succeeded"
    assert project.world.log == ["create a", "create b"]
    project.require_sound()
