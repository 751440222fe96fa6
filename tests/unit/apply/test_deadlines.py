"""A question that the world does not answer keeps nobody for longer than a call may take."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from purvey._gate import question
from purvey.errors import ProviderError, RefusedError
from purvey.providers import Call, Observed
from tests.support.kinds import TaggedProvider, ThingProvider
from tests.support.points import dying
from tests.support.project import Project, actions


async def _never(*_: object) -> None:
    await asyncio.Event().wait()


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Questions have a hundredth of a second."""
    monkeypatch.setattr(question, "CALL_DEADLINE_S", 0.01)
    return monkeypatch


def test_a_read_keeps_nobody(project: Project, impatient: pytest.MonkeyPatch) -> None:
    """The object is left as it is, and is not asked about again."""
    project.declare('Thing("a", size=1)\nThing("b")')
    project.apply()
    impatient.setattr(ThingProvider, "read", _never)
    project.declare('Thing("a", size=2)\nThing("b")')

    assert actions(project.plan()) == {"a": "unreadable", "b": "unreadable"}
    assert project.clock.slept == []


def test_a_look_around_keeps_nobody(project: Project, impatient: pytest.MonkeyPatch) -> None:
    """What preflight and the search for what is there already are not told in time, the call itself finds out."""
    impatient.setattr(ThingProvider, "find", _never)
    impatient.setattr(ThingProvider, "preflight", _never)
    project.declare('Thing("a")')

    assert project.apply().result == "succeeded"


def test_what_may_be_there_to_adopt_is_not_made_a_second_time(project: Project, impatient: pytest.MonkeyPatch) -> None:
    """Where it cannot be told, nothing is begun."""
    project.declare('Tagged("a")')
    project.apply()
    project.session().state_remove(project.target(), "test.Tagged::a")
    impatient.setattr(TaggedProvider, "find", _never)
    project.declare('Tagged("a", opts=Options(adopt=True))')

    with pytest.raises(ProviderError) as caught:
        project.apply()
    assert (caught.value.code, caught.value.address) == ("timeout", "test.Tagged::a")
    assert project.world.log == ["create a"]


def test_the_time_of_a_question_begins_when_it_is_asked(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many wait for their turn: no more are asked at once than the engine does of anything."""
    asked: list[int] = [0, 0]
    find = TaggedProvider.find

    async def counted(self: TaggedProvider, call: Call, want: Any) -> Observed:
        """Count those that are asked at the same time."""
        asked[0] += 1
        asked[1] = max(asked)
        await _turns()
        asked[0] -= 1
        return await find(self, call, want)

    monkeypatch.setattr(TaggedProvider, "find", counted)
    project.declare("\n".join(f'Tagged("a{number}")' for number in range(50)))

    project.plan()
    assert asked == [0, 16]


def test_recovery_keeps_nobody(project: Project, impatient: pytest.MonkeyPatch) -> None:
    """What cannot be looked for stays in doubt, and the stack is free again."""
    project.declare('Tagged("a")')
    with dying("after the create in the world"):
        project.apply()
    find = TaggedProvider.find
    impatient.setattr(TaggedProvider, "find", _never)

    with pytest.raises(ProviderError) as caught:
        project.resume()
    assert caught.value.code == "timeout"
    impatient.setattr(TaggedProvider, "find", find)
    assert project.resume().result == "succeeded"
    assert project.world.log == ["create a"]


def test_an_expectation_keeps_nobody(project: Project, impatient: pytest.MonkeyPatch) -> None:
    """Where it cannot be told whose the world is, the answer is no."""
    (project.folder / "purvey.toml").write_text('[env.dev.expect]\nowner = "us"\n', encoding="utf-8")
    impatient.setattr(ThingProvider, "identity", _never)
    project.declare('Thing("a")')

    with pytest.raises(RefusedError) as caught:
        project.apply()
    assert "what it is in cannot be told: There was no answer" in str(caught.value)
    assert project.world.log == []


def test_an_import_keeps_nobody(project: Project, impatient: pytest.MonkeyPatch) -> None:
    """It fails, records nothing, and the stack is free again."""
    project.declare('Tagged("a")')
    impatient.setattr(TaggedProvider, "find", _never)

    with pytest.raises(ProviderError) as caught:
        project.session().state_import(project.script_path, "test.Tagged::a")
    assert caught.value.code == "timeout"
    assert project.apply().result == "succeeded"


async def test_a_kind_of_long_calls_has_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what a provider gives up itself is its own error."""
    monkeypatch.setattr(question, "CALL_DEADLINE_S", 0.0)

    async def slow() -> str:
        """Take a while."""
        await _turns()
        return "there"

    async def gives_up() -> None:
        """Fail with the error that is also that of a deadline."""
        raise TimeoutError("by itself")

    monkeypatch.setattr(ThingProvider, "long_calls", True)
    assert await question.bounded(slow(), ThingProvider()) == "there"
    with pytest.raises(TimeoutError, match="by itself"):
        await question.bounded(gives_up(), ThingProvider())


def test_a_search_that_failed_makes_nothing_twice(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be seen when the plan was made is looked for once more, before it is made."""
    project.declare('Tagged("a")')
    project.apply()
    project.session().state_remove(project.target(), "test.Tagged::a")
    find, failures = TaggedProvider.find, [ProviderError("unavailable", "Nobody answers")]

    async def fails_once(self: TaggedProvider, call: Call, want: Any) -> Observed:
        """Fail for the plan."""
        if failures:
            raise failures.pop()
        return await find(self, call, want)

    monkeypatch.setattr(TaggedProvider, "find", fails_once)
    project.declare('Tagged("a", opts=Options(adopt=True))')

    assert project.apply().result == "undone"
    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a"]
    project.require_sound()
