"""What nobody heard the answer of: it is waited for before it is taken back, and its end belongs to the run that began it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from typing import Any

import pytest

from purvey._apply import perform as performing
from purvey._base.event import Event, Message
from purvey._state.lease import HeldLease
from purvey.errors import Code, ProviderError, StateError
from purvey.providers import Provider, registry
from tests.support import kinds, points
from tests.support.points import dying
from tests.support.project import Project


def slow_once(patch: pytest.MonkeyPatch, provider: type[Provider[Any]], method: str) -> None:
    """Let the first call about `late` outlast its deadline, which is short, and that about `bad` end a little later."""
    patch.setattr(performing, "CALL_DEADLINE_S", 0.05)
    original = getattr(provider, method)
    first = [True]

    async def slow(self: Provider[Any], call: Any, *wishes: Any) -> Any:
        """Outlast the deadline, or come a little late."""
        if call.address.endswith("::late") and first.pop() if first else False:
            await asyncio.Event().wait()
        return await original(self, call, *wishes)

    patch.setattr(provider, method, slow)


@pytest.mark.parametrize(("kind", "provider"), [("Tagged", kinds.TaggedProvider), ("Thing", kinds.ThingProvider)])
def test_a_creation_that_may_still_land_is_waited_for(
    project: Project, monkeypatch: pytest.MonkeyPatch, kind: str, provider: type[Provider[Any]]
) -> None:  # fmt: skip
    """A run that takes itself back does not believe at once that its own call, cut off at its deadline, had no effect."""
    slow_once(monkeypatch, provider, "create")
    project.declare(f'{kind}("late")\nLock("bad")')
    project.world.fail("create", "bad")
    started = project.clock.now()

    assert project.apply().result == "undone"
    assert project.clock.now() - started >= provider.lands_within_s


def test_what_was_answered_is_not_waited_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was made, and then refused in so many words, is taken back at once: no call of it is on its way any more."""
    make = kinds.ThingProvider.create

    async def refused(self: kinds.ThingProvider, call: Any, want: Any) -> Any:
        """Make it, and then say that it is no good."""
        await make(self, call, want)
        raise ProviderError("failed", "It has taken itself back")

    monkeypatch.setattr(kinds.ThingProvider, "create", refused)
    project.declare('Thing("late")')
    started = project.clock.now()

    assert project.apply().result == "undone"
    assert project.clock.now() - started < kinds.ThingProvider.lands_within_s
    assert project.world.objects == {}
    project.require_sound()


def test_ctrl_c_ends_the_wait_for_what_may_still_land(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The undo is interrupted while it only waits, and a resume goes on with it."""
    slow_once(monkeypatch, kinds.ThingProvider, "create")
    project.declare('Thing("late")\nLock("bad")')
    project.world.fail("create", "bad")
    session = project.session()

    def react(event: Event) -> None:
        """Ctrl-C as soon as the wait is told."""
        if isinstance(event, Message) and "may still have its effect" in event.text:
            session.interrupt()

    project.watcher.react = react
    started = project.clock.now()
    run = session.apply(project.script_path, approve=project.approve)

    assert run.result == "interrupted"
    assert project.clock.now() - started < kinds.ThingProvider.lands_within_s
    monkeypatch.setattr(performing, "CALL_DEADLINE_S", 120.0)
    assert project.resume().result == "undone"
    assert project.world.objects == {}
    project.require_sound()


def test_an_update_that_may_still_land_is_waited_for(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The former value is put back only when the update that was cut off can no longer come after it."""
    project.declare('Thing("late")')
    project.apply()
    slow_once(monkeypatch, kinds.ThingProvider, "update")
    project.declare('Thing("late", text="new")\nLock("bad")')
    project.world.fail("create", "bad")
    started = project.clock.now()

    assert project.apply().result == "undone"
    assert project.clock.now() - started >= kinds.ThingProvider.lands_within_s


def test_what_another_run_settled_is_the_first_one_s(project: Project) -> None:
    """A run that was killed in a create is settled by one that nobody approves; an undo of the first takes the object away."""
    project.declare('Thing("a")')
    with dying("after the create in the world"):
        project.apply()
    killed = project.session().runs()[0].id
    project.declare('Thing("a")\nThing("b")')
    with pytest.raises(Exception, match="main/dev"):
        project.session().apply(project.script_path, approve=lambda _: None)
    assert [record.run for record in project.state().resources.values()] == [killed]

    assert project.undo(killed).result == "undone"
    assert project.world.objects == {}
    assert project.state().resources == {}
    project.require_sound()


def test_what_a_person_settled_is_the_first_one_s(project: Project) -> None:
    """What somebody says was made, with its id, is taken back when the resumed run fails."""
    project.declare('x = Lost("x")\nThing("bad", text=x.key)')
    with dying("after the create in the world"):
        project.apply()
    (made,) = project.world.objects
    project.session().state_settle(project.target(), "test.Lost::x", happened=True, object_id=made)
    project.world.fail("create", "bad")
    killed = next(run.id for run in project.session().runs() if run.verb == "apply")

    assert project.resume(killed).result == "undone"
    assert project.world.objects == {}
    project.require_sound()


@pytest.mark.parametrize("again", [False, True])
def test_what_the_world_calls_an_object_is_asked(project: Project, again: bool) -> None:
    """Of one that was made, and of one that an undo made again: it is not what the deleted one was called."""
    project.write("""
    from tests.support.kinds import LostProvider
    from purvey import Input, Output, Resource

    class Gap(Resource, kind="own.Gap", provider=LostProvider, delete_first=True):
        color: str = Input(default="red", immutable=True)
        key: str = Output(stable=True)
        revision: int = Output()
        label: str = Output()

    @stack
    def main(color: str = "red"):
        Gap("g", color=color)
    """)
    if again:
        project.apply()
        project.world.fail("create", "g", times=1)
        project.apply(parameters={"color": "blue"}, on_failure="keep")
    with dying("after the create in the world"):
        project.session().undo(project.target(), approve=project.approve) if again else project.apply()
    (made,) = project.world.objects
    registry._kinds.pop("own.Gap")
    settle = project.session().state_settle

    with pytest.raises(StateError) as caught:
        settle(project.target(), "own.Gap::g", happened=True)
    assert (caught.value.code, caught.value.hint) == ("state.id_unknown", "Look it up, and say it:\n\n    --id ID")
    settle(project.target(), "own.Gap::g", happened=True, object_id=made)

    assert [record.id for record in project.state().resources.values()] == [made]
    project.require_sound()


def test_a_gap_that_another_run_settled_does_not_trap_it(project: Project) -> None:
    """A run finds that the one before has deleted a container to make room; when it fails it can be undone and go on."""
    rack = """
from tests.support.cabinet import Cabinet, Tray

@stack
def main(color: str = "red", bad: bool = False):
    tray = Tray("t", cabinet=Cabinet("r", color=color))
    if bad:
        Thing("bad", text=tray.key)
"""
    project.write(rack)
    project.apply()
    with dying("after the delete in the world"):
        project.apply(parameters={"color": "blue"})
    project.world.fail("create", "bad")

    assert project.apply(parameters={"color": "blue", "bad": True}).result == "undone"
    project.require_sound()
    project.world.mend()
    assert project.apply(parameters={"color": "blue"}).result == "succeeded"
    assert sorted(entry["name"] for entry in project.world.objects.values()) == ["r", "t"]


def test_another_s_object_is_not_taken_for_what_was_made(project: Project) -> None:
    """Somebody makes one of the same name while a creation is in doubt: it is neither recorded nor, later, removed."""
    project.declare('Tagged("x")')
    with dying("before the create in the world"):
        project.apply()
    theirs = {"name": "x", "kind": "test.Tagged", "mark": "another/estate", "tag": "theirs", "color": "red", "size": 1}
    project.world.set("theirs", revision=1, **theirs)

    with pytest.raises(Exception, match="cannot succeed"):
        project.resume()

    assert project.state().resources == {}
    assert list(project.world.objects) == ["theirs"]


def test_an_object_of_unknown_owner_is_left_to_a_person(project: Project) -> None:
    """Where a kind does not tell whose an object is, purvey neither takes it nor makes another: it asks."""
    project.declare('Tagged("x")')
    with dying("before the create in the world"):
        project.apply()
    project.world.set("whose", name="x", kind="test.Tagged", color="red", size=1, revision=1)

    with pytest.raises(Exception, match="cannot be settled"):
        project.resume()

    assert len(project.state().in_doubt) == 1
    assert list(project.world.objects) == ["whose"]


REFUSALS = ["quota_exceeded", "invalid", "not_found"]
BY = {"Thing": kinds.ThingProvider, "Server": kinds.TokenProvider}


@contextmanager
def refusing(provider: type[Provider[Any]], method: str, codes: Iterable[Code]) -> Iterator[None]:
    """Let the first call through, and refuse those after it as long as there are codes."""
    original = getattr(provider, method)
    answers = chain([None], codes)

    async def once(self: Provider[Any], call: Any, *wishes: Any) -> Any:
        """Refuse the calls after the first, while there are codes."""
        code = next(answers, None)
        if code is not None:
            raise ProviderError(code, "A second one is refused")
        return await original(self, call, *wishes)

    setattr(provider, method, once)
    try:
        yield
    finally:
        setattr(provider, method, original)


def require_all_recorded(project: Project) -> None:
    """What is in the world is on record, and nothing is in doubt."""
    assert project.state().in_doubt == {}
    assert [record.id for record in project.state().resources.values()] == list(project.world.objects)
    project.require_sound()


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("kind", BY)
def test_a_refusal_after_a_lost_answer_is_not_believed(
    project: Project, monkeypatch: pytest.MonkeyPatch, kind: str, code: Code
) -> None:  # fmt: skip
    """The first call made it and took the last of the quota; that a second one is refused says nothing about the first."""
    monkeypatch.setattr(BY[kind], "find", Provider.find)
    project.declare(f'{kind}("late")')
    project.world.fail("create", "late", "timeout", may_exist=True, after=True, times=1)
    with refusing(BY[kind], "create", repeat(code)):
        result = project.apply().result

    if kind == "Thing":  # It is deleted by its name.
        assert (result, project.world.objects) == ("undone", {})
    else:
        assert (result, len(project.state().in_doubt)) == ("partial", 1)
    assert project.apply().result == "succeeded"
    assert len(project.world.objects) == 1
    require_all_recorded(project)


@pytest.mark.parametrize("code", REFUSALS)
@pytest.mark.parametrize("kind", BY)
def test_what_a_lost_call_made_is_found(project: Project, kind: str, code: Code) -> None:
    """Where a kind can find, a refusal after a lost answer leads to a look, and what is there is what was made."""
    project.declare(f'{kind}("late")')
    project.world.fail("create", "late", "timeout", may_exist=True, after=True, times=1)
    with refusing(BY[kind], "create", repeat(code)):
        assert project.apply().result == "succeeded"
    require_all_recorded(project)


@pytest.mark.parametrize("kind", BY)
def test_a_refusal_is_believed_once_nothing_is_found(project: Project, kind: str) -> None:
    """When what the lost call may have made can no longer appear, it has not happened, and nothing is in doubt."""
    project.declare(f'{kind}("late")')
    project.world.fail("create", "late", "timeout", may_exist=True, times=1)
    started = project.clock.now()
    with refusing(BY[kind], "create", repeat("quota_exceeded")):
        assert project.apply().result == "undone"
    assert project.clock.now() - started >= BY[kind].lands_within_s
    assert project.world.objects == {}
    require_all_recorded(project)


@pytest.mark.parametrize("finds", [True, False])
@pytest.mark.parametrize("kind", BY)
def test_recovery_does_not_believe_a_refusal(
    project: Project, monkeypatch: pytest.MonkeyPatch, kind: str, finds: bool
) -> None:  # fmt: skip
    """A creation that was killed and is refused when it is called again is found, or stays in doubt until it is not refused."""
    if not finds:
        monkeypatch.setattr(BY[kind], "find", Provider.find)
    project.declare(f'{kind}("late")')
    with refusing(BY[kind], "create", repeat("quota_exceeded")):
        with dying("after the create in the world"):
            project.apply()
        if finds:
            assert project.resume().result == "succeeded"
        else:
            with pytest.raises(ProviderError, match="refused"):
                project.resume()
    if not finds:
        assert len(project.state().in_doubt) == 1
        assert project.resume().result == "succeeded"
    require_all_recorded(project)


def test_an_undo_finds_what_a_refused_call_made(project: Project) -> None:
    """Where the same token does not answer with the id of what is to be taken back, a look does."""
    project.declare('Server("late")')
    project.world.fail("create", "late", "timeout", may_exist=True, after=True, times=1)
    with refusing(kinds.TokenProvider, "create", ["denied", "quota_exceeded"]):
        assert project.apply().result == "undone"
    assert project.world.objects == {}
    require_all_recorded(project)


def test_an_update_that_was_lost_is_taken_back(project: Project) -> None:
    """Its second call is refused; the undo puts the former value back, whether or not the first one had its effect."""
    project.declare('Thing("late", text="was")')
    project.apply()
    project.declare('Thing("late", text="is")')
    project.world.fail("update", "late", "timeout", may_exist=True, after=True, times=1)
    with refusing(kinds.ThingProvider, "update", ["invalid"]):
        assert project.apply().result == "undone"
    assert [entry["text"] for entry in project.world.objects.values()] == ["was"]
    require_all_recorded(project)


@pytest.mark.parametrize("code", ["state.write_failed", "state.locked"])
def test_a_store_that_is_away_in_a_call_hides_nothing(project: Project, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """The store does not answer between the effect and the id, and then does again: what was made is in doubt, and found."""
    check, away = HeldLease.check, iter([StateError(code, "The store is away")])
    made: list[str] = []

    def late(lease: HeldLease) -> None:
        if made and (error := next(away, None)) is not None:
            raise error
        check(lease)

    monkeypatch.setattr(points, "called", lambda label: made.append(label) if label.startswith("after the create") else None)
    monkeypatch.setattr(HeldLease, "check", late)
    project.declare('Thing("a")')
    with pytest.raises(StateError, match="away"):
        project.apply()
    assert len(project.state().in_doubt) == 1

    assert project.apply().result == "succeeded"
    assert list(project.world.objects) == [record.id for record in project.state().resources.values()]
    project.require_sound()
