"""Edits of the record, targets, protection, readers: what a user can do without touching the world, and what is refused."""

from __future__ import annotations

import pytest

from purvey._graph import Selection
from purvey.errors import ProviderError, RefusedError, ScriptError, StateError
from purvey.providers import registry
from tests.support.project import Project, actions


def test_moving_a_record_makes_a_rename_no_replacement(project: Project) -> None:
    """After `state mv` the renamed node plans nothing, and what depended on it follows."""
    project.declare('a = Thing("a")\nThing("b", text=a.label)')
    project.apply()
    before = project.world.objects

    project.session().state_move(project.target(), "test.Thing::a", "test.Thing::new")
    project.declare('a = Thing("new")\nThing("b", text=a.label)')

    assert project.plan().is_empty
    project.apply()
    assert project.world.objects == before
    project.require_sound()


@pytest.mark.parametrize("change", ["", ", size=5"])
def test_moved_from_makes_a_rename_no_replacement(project: Project, change: str) -> None:
    """`Options(moved_from=...)` takes the object over, with or without a change of it, and for good."""
    project.declare('Thing("a")')
    project.apply()
    (key,) = project.world.objects
    project.declare(f'Thing("new"{change}, opts=Options(moved_from="test.Thing::a"))')

    assert [item.moved_from for item in project.plan().changes] == ["test.Thing::a"]
    assert project.apply().result == "succeeded"
    assert list(project.world.objects) == [key]
    assert list(project.state().current()) == ["test.Thing::new"]
    project.declare(f'Thing("new"{change})')
    assert project.plan().is_empty
    project.require_sound()


def test_forgetting_a_record_leaves_the_object(project: Project) -> None:
    """`state rm` drops the record; the object stays in the world."""
    project.declare('Thing("a")')
    project.apply()

    project.session().state_remove(project.target(), "test.Thing::a")

    assert project.state().resources == {}
    assert len(project.world.objects) == 1


def test_a_container_with_contents_is_not_forgotten(project: Project) -> None:
    """The record of contents needs its container's."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)')
    project.apply()

    with pytest.raises(StateError) as caught:
        project.session().state_remove(project.target(), "test.Shelf::s")
    assert caught.value.code == "state.has_contents"


def test_importing_an_object(project: Project) -> None:
    """What exists already is recorded under a declared node, and the next plan changes only what differs."""
    project.world.set("tag-9", name="a", kind="test.Tagged", size=4, color="red", revision=1, token="x")
    project.declare('Tagged("a", size=4)')

    found = project.session().state_import(project.script_path, "test.Tagged::a")

    assert found.id == "tag-9"
    assert project.plan().is_empty
    with pytest.raises(StateError):
        project.session().state_import(project.script_path, "test.Tagged::a")
    with pytest.raises(ScriptError):
        project.session().state_import(project.script_path, "test.Tagged::z")


def test_importing_what_is_not_there(project: Project) -> None:
    """There is nothing to record."""
    project.declare('Tagged("a")')

    with pytest.raises(ProviderError) as caught:
        project.session().state_import(project.script_path, "test.Tagged::a")
    assert caught.value.code == "not_found"


def test_an_existing_object_is_a_conflict_unless_adopted(project: Project) -> None:
    """An object in the way is refused before the first write; with `adopt` it is taken over and never deleted by an undo."""
    project.world.set("tag-9", name="a", kind="test.Tagged", size=4, color="red", revision=1, token="x")
    project.declare('Tagged("a", size=5)\nThing("b")')
    with pytest.raises(RefusedError) as caught:
        project.apply()
    assert "tag-9 exists already" in caught.value.detail
    assert project.world.log == []

    project.declare('a = Tagged("a", size=5, opts=Options(adopt=True))\nThing("b", text=a.label)')
    assert actions(project.plan())["a"] == "adopt"
    project.world.fail("create", "b")
    assert project.apply().result == "undone"
    assert project.world.objects["tag-9"]["size"] == 4
    project.world.mend()
    assert project.apply().result == "succeeded"
    assert project.world.objects["tag-9"]["size"] == 5
    project.require_sound()


def test_settling_by_hand(project: Project) -> None:
    """A kind with nothing to recover by stops the next run, and a person's word lets it go on."""
    project.declare('Lost("a")')
    project.world.fail("create", "a", may_exist=True)
    project.apply(on_failure="keep")
    with pytest.raises(StateError) as caught:
        project.apply()
    assert caught.value.code == "state.in_doubt"
    assert "purvey state settle test.Lost::a --stack main -e dev --not-done" in caught.value.hint
    project.world.mend()

    project.session().state_settle(project.target(), "test.Lost::a", happened=False)

    assert project.apply().result == "succeeded"
    assert project.world.log == ["create a"]
    project.require_sound()


def test_protected_objects_are_not_destroyed(project: Project) -> None:
    """Destroy refuses with the script's line, also when the option's line was removed without an apply."""
    path = project.declare('Thing("a", opts=Options(protect=True))\nThing("b")')
    project.apply()
    line = path.read_text().splitlines().index('    Thing("a", opts=Options(protect=True))') + 1

    with pytest.raises(RefusedError) as caught:
        project.destroy()
    assert (caught.value.code, f"main.py:{line}" in caught.value.detail) == ("refused.protected", True)

    project.declare('Thing("b")')
    with pytest.raises(RefusedError):
        project.apply()
    project.declare('Thing("a", opts=Options(protect=False))\nThing("b")')
    project.apply()
    assert project.destroy().result == "succeeded"
    assert project.world.objects == {}


def test_a_stack_with_readers_is_not_destroyed(project: Project) -> None:
    """Reading another stack's outputs keeps it until the reader is gone or reads no more."""
    project.declare('a = Thing("a")\nreturn {"key": a.key}')
    project.apply()
    reader = project.declare('Thing("r", text=stack_output("main", "dev")["key"])', name="reader")
    project.session().apply(reader, approve=project.approve)
    (key,) = [key for key, entry in project.world.objects.items() if entry["name"] == "a"]
    assert [entry["text"] for entry in project.world.objects.values() if entry["name"] == "r"] == [key]

    with pytest.raises(RefusedError) as caught:
        project.destroy()
    assert caught.value.code == "refused.has_readers"

    project.declare('Thing("r")', name="reader")
    project.session().apply(reader, approve=project.approve)
    assert project.destroy().result == "succeeded"


def test_reading_a_stack_that_is_not_there(project: Project) -> None:
    """The error says which, and nothing is declared on nothing."""
    project.declare('Thing("r", text=stack_output("other", "prod")["key"])')

    with pytest.raises(ScriptError) as caught:
        project.plan()
    assert (caught.value.code, "other/prod" in caught.value.detail) == ("script.no_such_stack", True)


def test_targets_and_excludes(project: Project) -> None:
    """A targeted run changes only what it covers, and says what it passed over."""
    project.declare('Thing("a")\nThing("b")\nServer("c")')

    plan = project.session().plan(project.script_path, selection=Selection(targets=("test.Server",)))
    assert (actions(plan), set(plan.skipped)) == ({"c": "create"}, {"test.Thing::a", "test.Thing::b"})
    project.apply(selection=Selection(targets=("*::a", "test.Server")))
    assert sorted(entry["name"] for entry in project.world.objects.values()) == ["a", "c"]

    project.declare("")
    project.apply(selection=Selection(excludes=("c",)))
    assert sorted(entry["name"] for entry in project.world.objects.values()) == ["c"]
    project.require_sound()


def test_the_budget_for_deletions(project: Project) -> None:
    """An environment's `max_deletes` refuses a plan that goes beyond it, before the first write."""
    (project.folder / "purvey.toml").write_text("[env.dev]\nmax_deletes = 1\n")
    project.declare('Thing("a")\nThing("b")')
    project.apply()
    project.declare("")

    with pytest.raises(RefusedError) as caught:
        project.apply()
    assert caught.value.code == "refused.max_deletes"
    assert len(project.world.objects) == 2


def test_undoing_a_run_by_request(project: Project) -> None:
    """The last run is taken back as a whole; a second undo has nothing left to do."""
    project.declare('Thing("a", size=1)')
    project.apply()
    project.declare('a = Thing("a", size=2)\nThing("b", text=a.label)')
    run = project.apply()

    assert project.undo(run.id).result == "undone"
    assert [(entry["name"], entry["size"]) for entry in project.world.objects.values()] == [("a", 1)]
    project.require_sound()


def test_undoing_an_older_run_is_refused_when_touched_since(project: Project) -> None:
    """What a later run changed is not silently taken back."""
    project.declare('Thing("a", size=1)')
    first = project.apply()
    project.declare('Thing("a", size=2)')
    second = project.apply()

    with pytest.raises(RefusedError) as caught:
        project.undo(first.id)
    assert (caught.value.code, second.id in caught.value.detail) == ("refused.touched_since", True)
    assert project.undo(second.id).result == "undone"
    assert project.undo(first.id).result == "undone"
    assert project.world.objects == {}


def test_destroy_removes_everything_in_order(project: Project) -> None:
    """Dependants go before what they depend on; contents of a container go with it, without a call."""
    project.declare("""
        s = Shelf("s")
        b = Book("b", shelf=s)
        Thing("t", text=b.label)
    """)
    project.apply()

    run = project.destroy()

    assert run.result == "succeeded"
    assert project.world.log[3:] == ["delete t", "delete s"]
    assert project.state().resources == {}


def test_destroy_without_the_script(project: Project) -> None:
    """Kinds that the script defines come from the archived copy, however many edits of the record came after it."""
    project.write("""
    from tests.support.kinds import ThingProvider
    from purvey import Input, Output, Resource

    class Own(Resource, kind="own.Thing", provider=ThingProvider):
        size: int = Input(default=1)
        key: str = Output(stable=True)
        revision: int = Output()
        label: str = Output()

    @stack
    def main():
        Own("mine")
    """)
    project.apply()
    for number in range(21):
        project.session().state_move(project.target(), f"own.Thing::{number or 'mine'}", f"own.Thing::{number + 1}")
    project.script_path.unlink()
    registry._kinds.pop("own.Thing")

    assert project.destroy().result == "succeeded"
    assert project.world.objects == {}


def test_undo_without_the_script(project: Project) -> None:
    """What was deleted to make room comes back, although nothing that is recorded has its kind."""
    project.write("""
    from tests.support.kinds import ThingProvider
    from purvey import Input, Output, Resource

    class Gap(Resource, kind="own.Gap", provider=ThingProvider, delete_first=True):
        color: str = Input(default="red", immutable=True)
        key: str = Output(stable=True)
        revision: int = Output()
        label: str = Output()

    @stack
    def main(color: str = "red"):
        Gap("g", color=color)
    """)
    project.apply()
    project.world.fail("create", "g", times=1)
    assert project.apply(parameters={"color": "blue"}, on_failure="keep").result == "kept"
    assert project.state().resources == {}
    project.script_path.unlink()
    registry._kinds.pop("own.Gap")

    assert project.undo().result == "undone"
    assert [entry["color"] for entry in project.world.objects.values()] == ["red"]
