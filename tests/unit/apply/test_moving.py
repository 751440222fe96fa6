"""Moves and adoptions: an object has one owner at every moment, and nothing is replaced because it is called differently."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from purvey._session.target import Target
from purvey._state.moving import moved
from purvey._state.resource import ResourceState
from purvey._state.state import State, fold
from purvey.errors import ProviderError, RefusedError, ScriptError, StateError
from tests.support import world
from tests.support.project import Project, actions

ROOT = Path(__file__).resolve().parents[3]
MARKED = {"name": "a", "kind": "test.Tagged", "size": 4, "color": "red", "revision": 1, "token": "x"}


def test_a_move_across_scopes_replaces_nothing(project: Project) -> None:
    """A node that moves into a scope takes its object along, with what lives in it, and the next plan is empty."""
    project.declare('s = Shelf("s")\nBook("b", shelf=s)')
    project.apply()
    before = project.world.objects
    project.declare(
        """
        with scope("eu"):
            s = Shelf("s", opts=Options(moved_from="test.Shelf::s"))
            Book("b", shelf=s, opts=Options(moved_from="test.Book::b"))
        """
    )

    assert project.apply().result == "succeeded"

    assert project.world.objects == before
    assert sorted(project.state().current()) == ["eu/test.Book::b", "eu/test.Shelf::s"]
    assert project.plan().is_empty
    project.require_sound()


def test_two_nodes_never_share_one_record(project: Project) -> None:
    """`moved_from` an address that is still declared is an error that names both lines, not two nodes on one object."""
    project.declare('Thing("a")')
    project.apply()
    project.declare('Thing("a")\nThing("b", opts=Options(moved_from="test.Thing::a"))')

    with pytest.raises(ScriptError) as caught:
        project.plan()

    assert caught.value.code == "script.moved_from_declared"
    assert "main.py:" in caught.value.detail


def test_a_move_records_what_was_before(project: Project) -> None:
    """The records of a move hold the former record of the object and of each that followed it: what an undo puts back."""
    state = State(
        [
            ResourceState(address="k.A::a", kind="k.A", generation=3, id="1"),
            ResourceState(address="k.A::b", kind="k.A", generation=1, id="2", needs=("k.A::a",), digest="d"),
            ResourceState(address="k.A::c", kind="k.A", generation=1, id="3"),
        ]
    )

    records = moved(state, state.resources["k.A::a", 3], "k.A::z", 1.0)

    assert [record.prior for record in records] == [state.latest("k.A::a"), state.latest("k.A::b")]
    after = fold(records, state)
    back = fold(moved(after, after.resources["k.A::z", 1], "k.A::a", 2.0), after)
    assert [(item.address, item.needs, item.home) for item in back.current().values()] == [
        ("k.A::b", ("k.A::a",), ""), ("k.A::c", (), ""), ("k.A::a", (), ""),
    ]  # fmt: skip
    assert back.generations["k.A::a"] == 4


def test_a_move_costs_what_refers_to_the_object(project: Project) -> None:
    """Moving each of 4,000 objects, one of which all others need, takes calls in proportion to their number."""

    def calls(count: int) -> int:
        hub = ResourceState(address="k.A::hub", kind="k.A", generation=1, id="hub")
        rest = [
            ResourceState(address=f"k.A::{number}", kind="k.A", generation=1, id=str(number), needs=("k.A::hub",))
            for number in range(count)
        ]
        state = State([hub, *rest])
        made = 0

        def counted(_frame: object, _event: str, _argument: object) -> None:
            nonlocal made
            made += 1

        sys.setprofile(counted)
        for item in (hub, *rest):
            now = state.latest(item.address)
            assert now is not None
            for record in moved(state, now, f"{item.address}-moved", 1.0):
                state.apply(record)
        sys.setprofile(None)
        assert len(state.dependants("k.A::hub-moved")) == count
        return made

    assert calls(4000) < 9 * calls(500)


def test_an_adoption_of_another_stacks_object_is_refused(project: Project) -> None:
    """What a stack of this store has recorded is refused to another, which is told the owner and how to get it."""
    project.declare('Tagged("a")', name="first")
    project.session().apply(project.folder / "first.py", approve=project.approve)
    before = project.world.objects
    project.declare('Tagged("a", size=7, opts=Options(adopt=True))')

    with pytest.raises(RefusedError) as caught:
        project.apply()

    assert "belongs to first/dev::test.Tagged::a" in caught.value.detail
    assert "purvey state mv test.Tagged::a --stack first -e dev --to-stack main/dev" in caught.value.detail
    with pytest.raises(RefusedError) as caught:
        project.session().state_import(project.script_path, "test.Tagged::a")
    assert caught.value.code == "refused.owned"
    assert project.world.objects == before


def test_an_adoption_of_another_estates_object_is_refused(project: Project) -> None:
    """The mark of another estate on an object is believed, and named; the mark of this one only where a record agrees."""
    project.world.set("tag-9", **MARKED, mark="abcdefgh/shop/prod::test.Tagged::a")
    project.declare('Tagged("a", size=5, opts=Options(adopt=True))')

    with pytest.raises(RefusedError, match="belongs to abcdefgh/shop/prod::"):
        project.apply()

    assert project.world.objects["tag-9"]["size"] == 4
    project.world.set("tag-9", mark=f"{project.store().estate}/gone/dev::test.Tagged::a")
    assert project.apply().result == "succeeded"


def test_an_adoption_under_a_second_address_is_refused(project: Project) -> None:
    """An object of this very stack is not adopted under another address: that is what `moved_from` is for."""
    project.declare('with scope("x"):\n    Tagged("a")')
    project.apply()
    project.declare('with scope("x"):\n    Tagged("a")\nTagged("a", opts=Options(adopt=True))')

    with pytest.raises(RefusedError, match=re.escape("moved_from='x/test.Tagged::a'")):
        project.apply()


def test_an_adoption_shows_what_it_changes(project: Project) -> None:
    """The plan says adopt, with each field as found and as wished; where nothing is there it says create."""
    project.declare('Tagged("a", size=5, opts=Options(adopt=True))')
    assert actions(project.plan()) == {"a": "create"}
    project.world.set("tag-9", **MARKED)

    (change,) = project.plan().changes

    assert change.action == "adopt"
    assert [(field.path, field.before, field.after) for field in change.fields] == [("size", 4, 5)]


def test_an_object_is_imported_by_its_id(project: Project) -> None:
    """The declaration says what differs from the defaults and plans to no change; another name finds another object."""
    project.world.set("tag-9", **MARKED)
    project.declare("pass")

    with pytest.raises(ProviderError) as caught:
        project.session().state_import_ids("test.Tagged", ids=["tag-9"], name="b", script=project.script_path)
    assert caught.value.code == "not_found"
    done = project.session().state_import_ids("test.Tagged", ids=["tag-9"], name="a", script=project.script_path)

    assert done.text == '# from tests.support.kinds import Tagged\na = Tagged("a", size=4)\n'
    project.declare(done.text)
    assert project.plan().is_empty
    assert project.apply().result == "succeeded"
    assert project.world.log == []
    assert [item.adopted for item in project.state().current().values()] == [True]


CONTAINERS = 's = Shelf("s")\nBook("b", shelf=s, text="t")'


def both(project: Project) -> tuple[list[str], list[str]]:
    """What the two stacks have."""
    return sorted(project.state().current()), sorted(project.state("other/dev").current())


def test_a_container_moves_to_another_stack_with_its_contents(project: Project) -> None:
    """After one command the other stack's script plans nothing, this one has nothing, and the world is as it was."""
    project.declare(CONTAINERS)
    project.apply()
    before = project.world.objects

    project.session().state_hand_over(project.target(), "test.Shelf::s", "other", to="eu/test.Shelf::s")

    assert both(project) == ([], ["eu/test.Shelf::s", "test.Book::b"])
    there = project.declare('with scope("eu"):\n    s = Shelf("s")\nBook("b", shelf=s, text="t")', name="other")
    assert project.session().plan(there).is_empty
    assert project.session().apply(there, approve=project.approve).result == "succeeded"
    assert project.world.objects == before
    project.require_sound()
    project.declare("")
    assert project.plan().is_empty
    assert project.session().destroy(Target(stack="other"), approve=project.approve).result == "succeeded"
    assert project.world.objects == {}


def test_what_others_need_does_not_leave(project: Project) -> None:
    """An object that others of its stack need, or that lives in one of them, stays; the error lists the uses."""
    project.declare(f'{CONTAINERS}\nThing("t", text=s.key)')
    project.apply()
    target = project.target()

    with pytest.raises(StateError) as caught:
        project.session().state_hand_over(target, "test.Shelf::s", "other")
    assert (caught.value.code, caught.value.detail) == ("state.torn_apart", "test.Thing::t needs test.Shelf::s")
    with pytest.raises(StateError, match=re.escape("test.Book::b has test.Shelf::s")):
        project.session().state_hand_over(target, "test.Book::b", "other")
    project.session().state_hand_over(target, "test.Thing::t", "other")
    with pytest.raises(ScriptError, match="in that stack already"):
        project.session().state_hand_over(target, "test.Shelf::s", "main")
    project.declare('Shelf("s")', name="other")
    project.session().apply(project.folder / "other.py", approve=project.approve)
    with pytest.raises(StateError, match="is recorded in other/dev"):
        project.session().state_hand_over(target, "test.Shelf::s", "other")
    assert both(project) == (["test.Book::b", "test.Shelf::s"], ["test.Shelf::s"])


def test_a_busy_stack_neither_gives_nor_takes(project: Project) -> None:
    """While a run holds either lease nothing moves, and the message names the run."""
    project.declare('Thing("a")')
    project.apply()
    for busy in ("main/dev", "other/dev"):
        store = project.store()
        with store.hold(busy, "RUN-AT-IT"), pytest.raises(StateError, match="RUN-AT-IT") as caught:
            project.session().state_hand_over(project.target(), "test.Thing::a", "other")
        store.close()
        assert caught.value.code == "state.busy"
    assert both(project) == (["test.Thing::a"], [])


KILLED = """
import os, signal, sys
from pathlib import Path
from purvey import Session
from purvey._session.target import Target
from purvey._state.sqlite.connect import SqliteDatabase

left = int(sys.argv[2])

def count(statement):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def watched(database, connect=SqliteDatabase.connect):
    connection = connect(database)
    connection.set_trace_callback(count)
    return connection

SqliteDatabase.connect = watched
Session(Path(sys.argv[1])).state_hand_over(Target(stack="main"), "test.Shelf::s", "other")
"""


@pytest.mark.trials(sample=12, full=100)
def test_a_killed_move_leaves_each_object_in_one_stack(project: Project, rng: random.Random) -> None:
    """Killed at the n-th statement of the writer, all objects are in the one stack or all in the other."""
    project.declare(CONTAINERS)
    project.apply()
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}", world.VARIABLE: str(project.world.path)}

    child = subprocess.run(
        [sys.executable, "-c", KILLED, str(project.folder), str(rng.randrange(1, 60))], env=environment, cwd=ROOT, check=False,
        capture_output=True, text=True,
    )  # fmt: skip

    assert child.returncode in (0, -signal.SIGKILL), child.stderr
    everything = ["test.Book::b", "test.Shelf::s"]
    assert both(project) in ((everything, []), ([], everything))
    project.require_sound()
