"""Calls whose answer is lost, and that are simply made again, because they make no second object."""

from __future__ import annotations

import pytest

from purvey.errors import ProviderError
from tests.support import points
from tests.support.project import Project


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", ["Tagged", "Server", "Thing"])
def test_a_deletion_without_an_answer_is_made_again(project: Project, kind: str, after: bool) -> None:
    """Whatever its kind recovers by: what is gone already is success, so that nothing is left in doubt."""
    project.declare(f'{kind}("late")')
    project.apply()
    project.world.fail("delete", "late", "unavailable", may_exist=True, after=after, times=1)

    assert project.destroy().result == "succeeded"
    assert project.world.objects == {}
    assert project.store().load("main/dev").in_doubt == {}


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_check_without_an_answer_is_asked_again(project: Project, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """It changes nothing, so a cut connection is no verdict on what it looks at; after deletions, too."""
    project.declare('Probe("ok", of=Thing("a", color="red"))')
    project.apply()
    looks: list[str] = []

    def called(label: str) -> None:
        looks.extend([label] if label == "in a check" else [])
        if label == "in a check" and len(looks) in (times, times + 1):
            raise ProviderError("unavailable", "The connection was cut", may_exist=True)

    monkeypatch.setattr(points, "called", called)
    project.declare('Probe("ok", of=Thing("a", color="blue"))')

    assert project.apply().result == "succeeded"
    assert len(looks) > times + 1


def test_a_check_that_asks_for_an_hour_s_patience_is_not_waited_for(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    """A single look is a look, not a wait."""
    project.declare('Probe("ok", of=Thing("a", color="red"))')
    project.apply()
    looks: list[str] = []

    def called(label: str) -> None:
        looks.extend([label] if label == "in a check" else [])
        if label == "in a check" and len(looks) == 3:  # The one after the deletions.
            raise ProviderError("throttled", "Too many", retry_after_s=3600.0)

    monkeypatch.setattr(points, "called", called)
    project.declare('Probe("ok", of=Thing("a", color="blue"))')
    project.apply()

    assert len(looks) == 3
    assert max(project.clock.slept, default=0.0) < 3600


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", ["Tagged", "Server", "Thing"])
@pytest.mark.parametrize("verb", ["update", "delete"])
def test_taking_back_without_an_answer_is_done_again(project: Project, kind: str, verb: str, after: bool) -> None:
    """What was made is removed, and what was changed is changed back, however often its answer is lost."""
    change = "text='t'" if kind == "Server" else "size=2"
    if verb == "update":
        project.declare(f'{kind}("late")')
        project.apply()
    before = len(project.world.objects)
    project.declare(f'late = {kind}("late", {change})\nThing("bad", opts=Options(after=[late]))')
    project.world.fail("create", "bad")
    # The change itself is the first update, and taking it back the second.
    project.world.fail(verb, "late", "unavailable", may_exist=True, after=after, times=2 if verb == "update" else 1)

    assert project.apply().result == "undone"
    assert len(project.world.objects) == before
    assert project.store().load("main/dev").in_doubt == {}
