"""Queueing for a stack that another run holds."""

from __future__ import annotations

import pytest

from purvey._base.event import Event, Message
from purvey.errors import StateError
from tests.support.fixtures import project
from tests.support.project import Project

__all__ = ["project"]


def test_whoever_queues_is_told_so_once(project: Project) -> None:
    """With `wait` a run says for which run it waits, and goes on when that has ended."""
    project.declare('Thing("a")')
    project.apply()
    store = project.store()
    lease = store.acquire("main/dev", "OTHER")
    told: list[str] = []

    def react(event: Event) -> None:
        if isinstance(event, Message):
            told.append(event.text)
            store.release(lease)

    project.watcher.react = react
    run = project.apply(wait=True)

    assert run.result == "succeeded"
    assert [("Waiting" in text, "Run OTHER" in text) for text in told] == [(True, True)]


def test_without_wait_a_held_stack_is_busy(project: Project) -> None:
    """Nothing waits unasked; the advice has no option that not every command has."""
    project.declare('Thing("a")')
    project.apply()
    project.store().acquire("main/dev", "OTHER")

    with pytest.raises(StateError, match="Another run") as caught:
        project.apply()
    assert "--wait" not in caught.value.hint
