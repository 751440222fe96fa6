"""Drift: what differs in the world is named, and an apply repairs exactly that."""

from __future__ import annotations

from typing import Any

import pytest

from purvey._report.lines import line_of
from purvey.errors import ProviderError, RefusedError
from purvey.providers import Call, Observed
from tests.support.kinds import ThingProvider
from tests.support.project import Project, actions


def _key(project: Project, name: str) -> str:
    return next(key for key, entry in project.world.objects.items() if entry.get("name") == name)


def test_drift_names_each_difference_and_apply_repairs_it(project: Project) -> None:
    """A changed field and a lost object are found; what is as recorded is not mentioned."""
    project.declare('Thing("a", size=1)\nThing("b")\nThing("c")')
    project.apply()
    project.world.set(_key(project, "a"), size=9)
    project.world.remove(_key(project, "b"))

    drift = project.session().drift(project.script_path)

    assert actions(drift) == {"a": "update", "b": "create"}
    assert {item.address: item.cause for item in drift.changes}["test.Thing::b"] == "it is gone"
    before = len(project.world.log)
    project.apply()
    assert sorted(project.world.log[before:]) == ["create b", "update a"]
    assert project.session().drift(project.script_path).changes == ()
    project.require_sound()


def test_what_is_made_again_is_not_told_as_removed(project: Project) -> None:
    """The record of what is gone goes without a word: no line, no phase, no part of the run's story is about a removal."""
    project.declare('Thing("a")\nThing("b")')
    project.apply()
    project.world.remove(_key(project, "b"))
    project.watcher.events.clear()

    run = project.apply()

    lines = [line_of(event) for event in project.watcher.events]
    assert [line.split()[:2] for line in lines if "test.Thing::b" in line] == [["created", "test.Thing::b"]]
    assert not [line for line in lines if line.startswith("delete")]
    assert [(change.address, change.action) for change in run.changes] == [("test.Thing::b", "create")]
    assert [item.generation for item in project.state().resources.values() if item.address == "test.Thing::b"] == [2]
    assert project.undo().result == "undone"
    project.require_sound()


def test_drift_and_plan_write_nothing(project: Project) -> None:
    """Neither makes a store nor changes one."""
    project.declare('Thing("a")')
    project.plan()
    assert not (project.folder / ".purvey").exists()


def test_ignored_drift_is_somebody_elses(project: Project) -> None:
    """A difference in an ignored input is neither drift nor repaired, and a change of the script still applies."""
    project.declare('Thing("a", size=1, opts=Options(ignore=["size"]))')
    project.apply()
    project.world.set(_key(project, "a"), size=9)

    assert project.session().drift(project.script_path).changes == ()
    assert project.plan().is_empty
    project.declare('Thing("a", size=2, opts=Options(ignore=["size"]))')
    project.apply()
    assert project.world.objects[_key(project, "a")]["size"] == 2


def test_what_cannot_be_read_is_left_as_it_is(project: Project) -> None:
    """Unreadable is never absent: nothing is created a second time, and the plan says so."""
    project.declare('Thing("a")\nThing("b")')
    project.apply()
    project.world.fail("read", "a")

    plan = project.plan()

    assert actions(plan) == {"a": "unreadable"}
    assert plan.is_empty
    assert any("the world is dark" in warning for warning in plan.warnings)
    project.apply()
    assert project.world.log == ["create a", "create b"]


def test_what_was_in_something_that_is_gone_is_made_again_although_it_cannot_be_read(project: Project) -> None:
    """What lived in a lost object went with it: a machine that is not there answers nobody."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)')
    project.apply()
    project.world.remove(_key(project, "s"))
    project.world.fail("read", "b")

    plan = project.plan()

    assert actions(plan) == {"s": "create", "b": "replace"}
    assert project.apply().result == "succeeded"


BUNDLE = """
from collections.abc import Sequence
from typing import Any
from purvey import Input, Output, Resource
from tests.support.kinds import ThingProvider

class Bundle(Resource, kind="own.Bundle", provider=ThingProvider):
    parts: Sequence[Any] = Input(default=())
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()

@stack
def main(size: int = 1):
    Bundle("b", parts=["x", Thing("t", size=size)])
"""


def test_a_node_in_a_list_is_noticed_when_it_changes(project: Project) -> None:
    """What holds it is looked at once more when it has changed, and left alone if that does not matter."""
    project.write(BUNDLE)
    project.apply()

    assert actions(project.plan(size=2)) == {"t": "update", "b": "update"}
    project.apply(parameters={"size": 2})
    assert project.world.log == ["create t", "create b", "update t"]
    assert project.plan(size=2).is_empty


def test_without_a_refresh_the_record_is_believed(project: Project) -> None:
    """`refresh=False` reads nothing."""
    project.declare('Thing("a", size=1)')
    project.apply()
    project.world.set(_key(project, "a"), size=9)

    assert project.session().plan(project.script_path, refresh=False).is_empty
    assert not project.plan().is_empty


def test_a_replaced_object_that_vanished_meanwhile(project: Project) -> None:
    """An object that is lost and declared with another immutable input is simply made."""
    project.declare('Thing("a")')
    project.apply()
    project.world.remove(_key(project, "a"))
    project.declare('Thing("a", color="blue")')

    run = project.apply()

    assert run.result == "succeeded"
    assert project.world.log == ["create a", "create a"]
    project.require_sound()


def test_replace_when_follows_a_reference(project: Project) -> None:
    """An object is replaced when the value it watches changes, and only then."""
    script = 'a = Thing("a", text="{text}", size={size})\nThing("b", opts=Options(replace_when=[a.label, "{when}"]))'
    project.declare(script.format(text="", size=1, when="x"))
    project.apply()
    assert project.plan().is_empty
    project.declare(script.format(text="y", size=1, when="x"))
    project.apply()
    assert [entry for entry in project.world.log if entry.endswith(" b")] == ["create b"]

    project.declare(script.format(text="y", size=2, when="x"))
    project.apply()
    assert [entry for entry in project.world.log if entry.endswith(" b")] == ["create b", "create b", "delete b"]
    assert project.plan().is_empty
    project.declare(script.format(text="y", size=2, when="z"))
    assert actions(project.plan()) == {"b": "replace"}
    project.require_sound()


def test_a_planned_replacement_shrinks(project: Project) -> None:
    """An immutable input that turns out as it was cancels the replacement and the deletion of the old object."""
    project.declare('a = Thing("a")\nThing("b", color=a.label)')
    project.apply()
    before = _key(project, "b")
    project.declare('a = Thing("a", text="other")\nThing("b", color=a.label)')
    assert actions(project.plan()) == {"a": "update", "b": "replace"}

    assert project.apply().result == "succeeded"
    assert _key(project, "b") == before
    assert project.world.log == ["create a", "create b", "update a"]
    assert project.plan().is_empty
    project.require_sound()


def test_an_unknown_secret_backend_is_told(project: Project) -> None:
    """A secret that cannot be read is a finding before the first write."""
    project.declare('Safe("a", text=secret("env:NOT_SET_ANYWHERE"))\nThing("b")')
    with pytest.raises(RefusedError, match="NOT_SET_ANYWHERE"):
        project.apply()

    assert project.world.objects == {}


def test_what_cannot_change_in_place_and_was_changed_by_others_is_replaced(project: Project) -> None:
    """Drift of an immutable field is planned as a replacement, and performed as one."""
    project.declare('Thing("x", color="red")')
    project.apply()
    (old,) = project.world.objects
    project.world.set(old, color="green")

    assert project.apply().result == "succeeded"
    assert [entry["color"] for entry in project.world.objects.values()] == ["red"]
    project.require_sound()
    assert project.plan().is_empty


def test_an_undone_repair_is_repaired_again(project: Project) -> None:
    """An undo puts back what somebody else had made of the object; that is not what the script says, so it is planned again."""
    project.declare('Thing("a", size=1)')
    project.apply()
    project.world.set(_key(project, "a"), size=9)
    project.apply()
    assert project.undo().result == "undone"
    assert [entry["size"] for entry in project.world.objects.values()] == [9]

    assert actions(project.plan()) == {"a": "update"}
    project.apply()

    assert [entry["size"] for entry in project.world.objects.values()] == [1]


def test_a_run_before_an_undone_repair_can_be_undone(project: Project) -> None:
    """What an undo put back, as others had made it, is nobody's declaration, and in the way of no earlier undo."""
    project.declare('Thing("a", size=1)')
    project.apply()
    project.declare('Thing("a", size=2)')
    second = project.apply()
    project.world.set(_key(project, "a"), size=9)
    project.declare('Thing("a", size=3)')
    third = project.apply()

    assert project.undo(third.id).result == "undone"
    assert project.undo(second.id).result == "undone"
    assert [entry["size"] for entry in project.world.objects.values()] == [1]


@pytest.mark.parametrize("times", [1, 2])
def test_a_read_that_was_not_answered_is_asked_again(project: Project, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """A throttled look is no reason to leave drift as it is."""
    project.declare('Thing("a", size=1)')
    project.apply()
    project.world.set(_key(project, "a"), size=9)
    original, asked = ThingProvider.read, []

    async def read(self: ThingProvider, call: Call, have: Any) -> Observed:
        """Give no answer the first times."""
        asked.append(call.address)
        if len(asked) <= times:
            raise ProviderError("throttled", "Too many")
        return await original(self, call, have)

    monkeypatch.setattr(ThingProvider, "read", read)
    project.apply()

    assert [entry["size"] for entry in project.world.objects.values()] == [1]
