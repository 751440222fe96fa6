"""Undo and recovery where runs follow each other, objects stand on each other, and processes die half-way."""

from __future__ import annotations

import itertools

import pytest

from purvey._plan.plan import Plan
from purvey.errors import RefusedError
from tests.support.project import Project

KINDS = '''
from purvey import Input, Output, Resource
from purvey.errors import ProviderError
from purvey.providers import Done, Pending
from tests.support.kinds import TaggedProvider, ThingProvider, TokenProvider

class Dies(BaseException):
    """The process ends here."""

def die(name):
    if here().fault("die", name) is not None:
        raise Dies

class CupProvider(ThingProvider):
    def claims(self, want):
        return (f"place:{want.place}",)

class Cup(Resource, kind="own.Cup", provider=CupProvider):
    place: str = Input()
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()
'''


def _waits(plan: Plan) -> dict[str, set[str]]:
    """What each undo waits for, by verb and name."""
    short = {item.id: f"{item.id.split()[1]} {item.address.rpartition('::')[2]}" for item in plan.operations}
    return {short[item.id]: {short[need] for need in item.needs} for item in plan.operations}


def _undo_plan(project: Project) -> Plan:
    return project.session().undo_plan(project.target())


# Later runs.


def test_a_deletion_is_not_undone_over_a_new_object(project: Project) -> None:
    """What was deleted and made again by a later run is not made a second time."""
    project.declare('Lock("c", color="red")')
    project.apply()
    project.declare('a = Lock("c", color="blue")\nProbe("bad", of=a.key)')
    project.world.fail("check", "bad")
    gap = project.apply(on_failure="keep")
    project.declare('Lock("c", color="green")')
    project.apply()

    with pytest.raises(RefusedError) as caught:
        project.undo(gap.id)
    assert caught.value.code == "refused.touched_since"
    assert len(project.world.objects) == 1


@pytest.mark.parametrize("later", ['Thing("c", color="blue", size=2)', ""])
def test_an_object_replaced_or_deleted_since_is_not_undone(project: Project, later: str) -> None:
    """An undo that finds another object, or none, is refused; it does not do nothing and call that undone."""
    project.declare('Thing("c", size=1)')
    project.apply()
    project.declare('Thing("c", size=2)')
    run = project.apply()
    project.declare(later)
    project.apply()
    before = project.world.log

    with pytest.raises(RefusedError) as caught:
        project.undo(run.id)
    assert caught.value.code == "refused.touched_since"
    assert project.world.log == before


# Deletions for good.


def test_the_undo_of_a_destroy_is_refused(project: Project) -> None:
    """An undo ends where deletions began."""
    project.declare('s = Shelf("s")\nLock("l", shelf=s)')
    project.apply()
    project.destroy()

    with pytest.raises(RefusedError) as caught:
        project.undo()
    assert caught.value.code == "refused.deletions_done"
    assert sorted(caught.value.findings) == ["test.Lock::l is deleted", "test.Shelf::s is deleted"]
    assert (caught.value.summary, caught.value.detail, caught.value.hint) == (
        "The run has deleted objects for good",
        "What it deleted after its checks had passed cannot be made again by an undo.",
        "Apply the former script: it makes them anew.",
    )
    assert project.world.objects == {}


def test_the_undo_of_a_finished_replacement_is_refused(project: Project) -> None:
    """The old object is gone, so the new one is not taken away too."""
    project.declare('Thing("a", color="red")')
    project.apply()
    project.declare('Thing("a", color="blue")')
    project.apply()

    with pytest.raises(RefusedError) as caught:
        project.undo()
    assert caught.value.code == "refused.deletions_done"
    assert [entry["color"] for entry in project.world.objects.values()] == ["blue"]


def test_what_has_nothing_to_do_with_a_deletion_is_undone(project: Project) -> None:
    """The deletion is labelled final, and the run ends partial."""
    project.declare('Thing("old")')
    project.apply()
    project.declare('Thing("new")')
    project.apply()

    assert [(change.address, change.final) for change in _undo_plan(project).changes] == [
        ("test.Thing::old", True),
        ("test.Thing::new", False),
    ]
    run = project.undo()
    assert (run.result, project.world.objects) == ("partial", {})
    project.require_sound()


def test_a_protected_object_outlives_the_undo_with_what_it_stands_on(project: Project) -> None:
    """Protected means that no undo deletes it either."""
    project.declare("""
        below = Thing("below")
        kept = Thing("kept", text=below.key, opts=Options(protect=True))
        Thing("bad", text=kept.key)
    """)
    project.world.fail("create", "bad")

    assert project.apply().result == "partial"
    assert {entry["name"] for entry in project.world.objects.values()} == {"below", "kept"}
    project.require_sound()


# Order.


def test_an_undo_waits_through_untouched_nodes(project: Project) -> None:
    """What was changed last is undone first, also where an unchanged node is between."""
    body = """
        low = Thing("low", size={size})
        middle = Thing("middle", text=low.key)
        Thing("high", text=middle.key, size={size})
        Probe("bad", of=middle.key)
    """
    project.declare(body.format(size=1))
    project.apply()
    project.declare(body.format(size=2))
    project.apply()

    assert _waits(_undo_plan(project)) == {"update high": set(), "update low": {"update high"}}


def test_a_place_is_free_before_its_former_holder_returns(project: Project) -> None:
    """What took the place of a deleted object is gone before the old one is made again."""
    project.write(f"""{KINDS}
@stack
def main(new: bool = False):
    cup = Cup("new" if new else "old", place="x")
    if new:
        Probe("bad", of=cup.key)
""")
    project.apply()
    project.world.fail("check", "bad")
    project.apply(parameters={"new": True}, on_failure="keep")

    assert _waits(_undo_plan(project)) == {"create new": set(), "delete old": {"create new"}}
    assert project.undo().result == "undone"
    assert [entry["name"] for entry in project.world.objects.values()] == ["old"]


def test_an_undo_waits_for_those_claims_only_that_it_needs(project: Project) -> None:
    """A hundred objects that make way for as many: each waits for the one that took its place, not for all of them."""
    project.write(f"""{KINDS}
@stack
def main(color: str = "red", bad: bool = False):
    cups = [Cup(f"c{{n}}", place=f"p{{n}}", color=color) for n in range(100)]
    if bad:
        Thing("bad", opts=Options(after=cups))
""")
    project.apply()
    project.world.fail("create", "bad")
    project.apply(parameters={"color": "blue", "bad": True}, on_failure="keep")

    waits = _waits(_undo_plan(project))
    assert waits["delete c7"] == {"create c7"}
    assert sum(map(len, waits.values())) == 100
    assert project.undo().result == "undone"
    assert {entry["color"] for entry in project.world.objects.values()} == {"red"}


def test_a_container_is_made_again_before_its_contents(project: Project) -> None:
    """Deletions are undone in the reverse of their order."""
    project.write(f"""{KINDS}
class Room(Resource, kind="own.Room", provider=ThingProvider, delete_first=True):
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()

class Bed(Resource, kind="own.Bed", provider=ThingProvider, delete_first=True):
    room: Room = Input()
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()

@stack
def main(color: str = "red"):
    bed = Bed("bed", room=Room("room", color=color), color=color)
    Probe("bad", of=bed.key)
""")
    project.apply()
    project.world.fail("check", "bad")
    project.apply(parameters={"color": "blue"}, on_failure="keep")

    waits = _waits(_undo_plan(project))
    order = project.world.log[2:]
    assert len(order) == 4
    for earlier, later in itertools.pairwise(order):
        assert later in waits[earlier], (waits, order)
