"""A question that the world does not answer keeps nobody for longer than a call may take."""

from __future__ import annotations

import asyncio

import pytest

from purvey._apply import attempt
from purvey._gate import preflight
from purvey.errors import ProviderError
from tests.support.kinds import TaggedProvider, ThingProvider
from tests.support.project import Project, actions


async def _never(*_: object) -> None:
    await asyncio.Event().wait()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Calls have a hundredth of a second."""
    monkeypatch.setattr(attempt, "CALL_DEADLINE_S", 0.01)
    monkeypatch.setattr(preflight, "CALL_DEADLINE_S", 0.01)
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


def test_an_import_keeps_nobody(project: Project, impatient: pytest.MonkeyPatch) -> None:
    """It fails, records nothing, and the stack is free again."""
    project.declare('Tagged("a")')
    impatient.setattr(TaggedProvider, "find", _never)

    with pytest.raises(ProviderError) as caught:
        project.session().state_import(project.script_path, "test.Tagged::a")
    assert caught.value.code == "timeout"
    assert project.apply().result == "succeeded"
