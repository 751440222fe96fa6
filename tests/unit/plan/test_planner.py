"""Plans: what will happen to each node, why, in which order, and how it is undone."""

from __future__ import annotations

import pytest

from purvey._base.value import Masked, Unknown
from purvey._plan.plan import Change, Plan
from purvey.errors import RefusedError, ScriptError
from tests.support.project import Project, actions, names


def _change(plan: Plan, name: str) -> Change:
    (found,) = [change for change in plan.changes if change.address.endswith(f"::{name}")]
    return found


def test_a_first_plan_creates_in_dependency_order(project: Project) -> None:
    """Each operation names those it waits for; outputs are known after apply, or predicted where they follow from inputs."""
    project.declare("""
        b = Port("b", number=80)
        a = Thing("a", text=f"{b.address} {b.label}")
        return {"where": b.address, "label": a.label, "fixed": 1}
    """)

    plan = project.plan()

    assert names(plan) == ["create b", "create a"]
    assert plan.operations[1].needs == (plan.operations[0].id,)
    assert plan.outputs["where"] == "127.0.0.1:80"
    assert isinstance(plan.outputs["label"], Unknown)
    assert plan.outputs["fixed"] == 1
    assert (_change(plan, "a").undo, _change(plan, "a").cause.startswith("declared at main.py:")) == ("delete it", True)


def test_an_update_names_each_field_and_its_cause(project: Project) -> None:
    """Paths go down to the innermost difference; the cause says who changed it."""
    project.declare('Thing("a", size=1, data={"env": {"PORT": "1", "HOST": "h"}}, labels=["x", "y"])')
    project.apply()
    project.declare('Thing("a", size=2, data={"env": {"PORT": "2", "HOST": "h"}}, labels=["x", "z"])')

    change = _change(project.plan(), "a")

    assert change.action == "update"
    assert {(field.path, field.before, field.after, field.because) for field in change.fields} == {
        ("size", 1, 2, "script"), ("data.env.PORT", "1", "2", "script"), ("labels[1]", "y", "z", "script"),
    }  # fmt: skip
    assert (change.cause.startswith("changed at main.py:"), change.undo) == (True, "put the former values back")


def test_a_dropped_input_returns_to_its_default(project: Project) -> None:
    """A field that was declared and is not any more is planned back to the kind's default."""
    project.declare('Thing("a", size=5)')
    project.apply()
    project.declare('Thing("a")')

    (field,) = _change(project.plan(), "a").fields
    assert (field.path, field.before, field.after) == ("size", 5, 1)
    project.apply()
    assert [entry["size"] for entry in project.world.objects.values()] == [1]
    assert project.plan().is_empty


def test_a_replacement_says_why(project: Project) -> None:
    """Create before delete, the reasons named, and the new generation numbered."""
    project.declare('Thing("a")')
    project.apply()
    project.declare('Thing("a", color="blue", size=2)')

    plan = project.plan()
    change = _change(plan, "a")

    assert (change.action, change.generation, change.gap) == ("replace", 2, False)
    assert change.reasons == ("`color` cannot be changed in place",)
    assert change.undo == "keep the old one, delete the new one"
    assert ([item.verb for item in plan.operations], [item.verb for item in plan.deletions]) == (["create"], ["delete"])
    assert (plan.operations[0].prior, plan.deletions[0].generation) == (1, 1)


def test_replacing_a_container_replaces_its_contents(project: Project) -> None:
    """Contents are replaced with their container; their old objects are forgotten with the old one, and their data lost."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)\nLock("l", shelf=s)')
    project.apply()
    project.declare('s = Shelf("s", color="blue")\nBook("b", shelf=s)\nLock("l", shelf=s)')

    plan = project.plan()

    assert actions(plan) == {"s": "replace", "b": "replace", "l": "replace"}
    book, lock = _change(plan, "b"), _change(plan, "l")
    assert book.reasons == ("it lives in test.Shelf::s, which is replaced",)
    assert (book.holds_data, lock.gap) == (True, True)
    assert names(plan) == ["create s", "create b", "delete l", "create l", "forget b", "delete s"]
    assert project.apply().result == "succeeded"
    assert project.plan().is_empty
    project.require_sound()


def test_deleting_a_container_forgets_its_contents(project: Project) -> None:
    """Without calls, but for kinds that are deleted first."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)\nLock("l", shelf=s)')
    project.apply()
    project.declare("")

    plan = project.plan()

    assert actions(plan) == {"s": "delete", "b": "forget", "l": "delete"}
    shelf = next(item for item in plan.deletions if item.address == "test.Shelf::s")
    assert set(shelf.needs) == {item.id for item in plan.deletions if item is not shelf}
    assert (_change(plan, "s").final, _change(plan, "s").undo) == (True, "cannot be undone")


def test_claims_make_gaps(project: Project) -> None:
    """A new object that needs what the old one occupies comes after its deletion: shown as a gap."""
    project.declare('Port("p", number=80)')
    project.apply()
    project.declare('Port("p", number=80, color="blue")')

    plan = project.plan()

    assert (_change(plan, "p").gap, _change(plan, "p").undo) == (True, "make the old one again")
    assert names(plan) == ["delete p", "create p"]
    project.declare('Port("p", number=81, color="blue")')
    assert names(project.plan()) == ["create p", "delete p"]


def test_an_undeclared_object_makes_room_first(project: Project) -> None:
    """A renamed node that takes the place of a removed one waits for its deletion."""
    project.declare('Port("old", number=80)\nPort("other", number=90)')
    project.apply()
    project.declare('Port("new", number=80)')

    plan = project.plan()

    assert names(plan) == ["delete old", "create new", "delete other"]
    assert plan.operations[1].needs == (plan.operations[0].id,)
    assert project.apply().result == "succeeded"
    project.require_sound()


def test_two_nodes_with_one_claim_are_refused(project: Project) -> None:
    """Both addresses and both lines are named, also when one of them is recorded and unchanged."""
    project.declare('Port("a", number=80)')
    project.apply()
    project.declare('Port("a", number=80)\nPort("b", number=80)')

    with pytest.raises(ScriptError) as caught:
        project.plan()
    assert caught.value.code == "script.claim"
    for part in ("test.Port::a (main.py:", "test.Port::b (main.py:", "tcp://127.0.0.1:80"):
        assert part in caught.value.detail


FILE = 'files.File("all", path="/srv/x", content="x")'
LINE = 'files.Line("part", path="/srv/x", line="y")'
OTHERS = 'files.Line("more", path="/srv/x", match="^z", line="z")\nfiles.Block("block", path="/srv/x", content="b")'


def test_a_file_and_a_part_of_it_are_refused(project: Project) -> None:
    """Who owns the whole file and who owns a part of it undo each other's work; owners of parts do not."""
    for body in (f"{FILE}\n{LINE}", f"{LINE}\n{FILE}"):
        project.declare(f"from purvey.resources import files\n{body}")
        with pytest.raises(ScriptError) as caught:
            project.plan()
        assert caught.value.code == "script.claim"
        for part in ("files.File::all (main.py:", "wants all of path:/srv/x", "files.Line::part (main.py:"):
            assert part in caught.value.detail

    project.declare(f"from purvey.resources import files\n{LINE}\n{OTHERS}")
    assert names(project.plan()) == ["create part", "create more", "create block"]


def test_a_file_goes_before_a_part_of_it_is_made(project: Project) -> None:
    """A file that is replaced by a line in the same place is removed first, and the line is not removed with it."""
    path = str(project.folder / "x")
    body = "from purvey.resources import files\n"
    project.declare(f'{body}files.File("all", path="{path}", content="x")')
    assert project.apply().result == "succeeded"
    project.declare(f'{body}files.Line("part", path="{path}", line="y", create_mode="0644")')

    assert names(project.plan()) == ["delete all", "create part"]
    assert project.apply().result == "succeeded"
    assert (project.folder / "x").read_text() == "y\n"
    assert project.undo().result == "undone"
    assert (project.folder / "x").read_text() == "x"


def test_deletions_go_backwards(project: Project) -> None:
    """Dependants go before what they depend on, after everything that is made."""
    project.declare('a = Thing("a")\nb = Thing("b", text=a.label)\nThing("c", text=b.label)')
    project.apply()
    project.declare('Thing("new")')

    plan = project.plan()

    assert names(plan) == ["create new", "delete c", "delete b", "delete a"]
    by_name = {item.address[-1]: item for item in plan.deletions}
    assert (by_name["b"].needs, by_name["a"].needs) == ((by_name["c"].id,), (by_name["b"].id,))


def test_order_reaches_through_unchanged_nodes(project: Project) -> None:
    """An operation waits for what changes behind a node that stays as it is."""
    script = 'a = Thing("a", size={0})\nb = Thing("b", text=a.key)\nThing("c", text=b.key, size={0})'
    project.declare(script.format(1))
    project.apply()
    project.declare(script.format(2))

    plan = project.plan()

    assert actions(plan) == {"a": "update", "c": "update"}
    assert plan.operations[1].needs == (plan.operations[0].id,)
    assert plan.unchanged == 1


def test_stable_outputs_stay_known_while_their_node_changes(project: Project) -> None:
    """What uses an id does not change because the object's size does; what uses another output might."""
    script = 'a = Thing("a", size={0})\nThing("id", text=a.key)\nThing("other", text=a.label)'
    project.declare(script.format(1))
    project.apply()
    project.declare(script.format(2))

    plan = project.plan()

    assert actions(plan) == {"a": "update", "other": "update"}
    (field,) = _change(plan, "other").fields
    assert isinstance(field.after, Unknown)
    assert _change(plan, "other").cause == "something it uses changes"


def test_an_unknown_immutable_input_is_planned_as_a_replacement(project: Project) -> None:
    """With its cascade and its guards: the worst that can happen is what is approved."""
    script = 'a = Thing("a", size={0})\nb = Thing("b", color=a.label)\nThing("c", text=b.key)'
    project.declare(script.format(1))
    project.apply()
    project.declare(script.format(2))

    assert actions(project.plan()) == {"a": "update", "b": "replace", "c": "update"}


def test_secrets_are_compared_by_digest(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same secret is no change, another one is; neither appears in the plan."""
    monkeypatch.setenv("PASSWORD", "correct-horse")
    project.declare('Safe("a", text=secret("env:PASSWORD"), size=1)')
    project.apply()
    assert project.plan().is_empty

    monkeypatch.setenv("PASSWORD", "battery-staple")
    plan = project.plan()

    (field,) = _change(plan, "a").fields
    assert (field.path, type(field.before), type(field.after)) == ("text", Masked, Masked)
    assert "battery" not in repr(plan)
    project.apply()
    assert [entry["text"] for entry in project.world.objects.values()] == ["opened 14"]
    assert project.plan().is_empty


def test_checks_run_when_something_below_them_changes(project: Project) -> None:
    """Also through a node that stays as it is; otherwise they are left alone."""
    script = (
        'a = Thing("a", size={0})\nb = Thing("b", text=a.key)\nProbe("p", of=b)\nThing("far")\nProbe("q", absent="nothing")'
    )
    project.declare(script.format(1))
    assert actions(project.plan())["p"] == "check"
    project.apply()
    assert project.plan().changes == ()
    project.declare(script.format(2))
    assert actions(project.plan()) == {"a": "update", "p": "check"}


def test_a_kept_run_leaves_nothing_behind_for_the_next_plan(project: Project) -> None:
    """What an earlier run changed and did not pass on is passed on by the next: values, checks and steps alike."""
    script = """
    @step
    def go(what: str) -> None:
        here().note("go")

    @stack
    def main(size: int = 1, color: str = "red"):
        a = Thing("a", size=size, color=color)
        b = Thing("b", text=a.label)
        go.options(after=[a])("s", "x")
        Probe("p", of=b)
    """
    project.write(script)
    project.apply()
    project.world.fail("update", "b")
    assert project.apply(parameters={"size": 2, "color": "blue"}, on_failure="keep", parallel=1).result == "kept"
    project.world.mend()

    plan = project.plan(size=2, color="blue")

    waiting = {"s": "update"} if project.world.log.count("go") == 1 else {}
    assert actions(plan) == {"b": "update", "p": "check", "a": "delete"} | waiting  # The old `a` is still there, and is told.
    project.apply(parameters={"size": 2, "color": "blue"})
    assert project.world.log.count("go") == 2
    assert project.plan(size=2, color="blue").changes == ()
    project.require_sound()


def test_options_follow_the_script_without_an_effect(project: Project) -> None:
    """Protection, `retain` and order are recorded anew although nothing is called."""
    project.declare('a = Thing("a")\nThing("b")')
    project.apply()
    project.declare('a = Thing("a", opts=Options(retain=True))\nThing("b", opts=Options(protect=True, after=[a]))')
    project.apply()

    state = project.state()
    a, b = state.latest("test.Thing::a"), state.latest("test.Thing::b")
    assert a is not None
    assert b is not None
    assert (a.retain, b.protect, b.needs) == (True, True, ("test.Thing::a",))
    assert project.world.log == ["create a", "create b"]
    with pytest.raises(RefusedError):
        project.destroy()
    project.declare('Thing("b")')
    assert actions(project.plan()) == {"a": "forget"}


def test_a_moved_container_keeps_its_contents(project: Project) -> None:
    """A rename of what others live in changes none of them."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)')
    project.apply()
    project.declare('s = Shelf("new", opts=Options(moved_from="test.Shelf::s"))\nBook("b", shelf=s)')

    assert project.apply().result == "succeeded"
    assert project.world.log == ["create s", "create b"]
    assert project.plan().changes == ()
    project.require_sound()


@pytest.mark.parametrize("kind", ["Thing", "Lock"])
def test_a_moved_object_can_be_replaced_in_the_same_run(project: Project, kind: str) -> None:
    """The old object goes, whatever its address was."""
    project.declare(f'{kind}("a")')
    project.apply()
    project.declare(f'{kind}("new", color="blue", opts=Options(moved_from="test.{kind}::a"))')

    assert project.apply().result == "succeeded"
    assert [(entry["name"], entry["color"]) for entry in project.world.objects.values()] == [("new", "blue")]
    assert project.plan().changes == ()
    assert list(project.state().current()) == [f"test.{kind}::new"]
    project.require_sound()


def test_a_lost_object_is_made_again(project: Project) -> None:
    """With what depends on it; the old record goes without a call."""
    project.declare('a = Thing("a")\nThing("b", text=a.key)')
    project.apply()
    project.world.remove(next(key for key, entry in project.world.objects.items() if entry["name"] == "a"))

    plan = project.plan()

    assert actions(plan) == {"a": "create", "b": "update"}
    assert _change(plan, "a").cause == "it is gone"
    assert project.apply().result == "succeeded"
    assert "delete a" not in project.world.log
    assert project.plan().changes == ()
    project.require_sound()


def test_changing_the_kind_of_an_object(project: Project) -> None:
    """Another kind is another address: the old object is deleted after the new one is there."""
    project.declare('Thing("a")')
    project.apply()
    project.declare('Server("a")')

    assert names(project.plan()) == ["create a", "delete a"]
