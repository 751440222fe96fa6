"""The plan of an undo, from records alone: what waits for what, what is final, and what is put back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from purvey import Input, Resource
from purvey._base.compare import FieldChange
from purvey._base.value import NodeLink
from purvey._plan.effects import Effect
from purvey._plan.plan import Plan
from purvey._plan.undo import undo_plan
from purvey._state.record import Begun
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.errors import RefusedError
from purvey.providers import registry
from tests.support.kinds import ThingProvider


class HostProvider(ThingProvider):
    """Says what its objects occupy, and tells what it was asked."""

    asked: list[tuple[str, Any, Any]]

    def claims(self, want: Any) -> tuple[str, ...]:
        """A place, which may be another object's."""
        return (f"place:{want.place if isinstance(want.place, str) else want.place.place}",)

    def undoable(self, verb: str, have: Any, want: Any) -> bool:
        """Not where nothing remains of it."""
        asked.append((verb, have and have.place, want and want.place))
        return bool(have is None or have.place != "final")


asked: list[tuple[str, Any, Any]] = []


@pytest.fixture(autouse=True)
def kinds() -> Iterator[None]:
    """Kinds of these tests alone."""

    class Host(Resource, kind="plan.Host", provider=HostProvider):
        place: Any = Input(default="here")
        size: int = Input(default=1)

    class Once(Resource, kind="plan.Once", provider=StuckProvider):
        size: int = Input(default=1)

    asked.clear()
    yield
    for name in (Host._kind.name, Once._kind.name):
        registry._kinds.pop(name)


class StuckProvider(ThingProvider):
    """Cannot be taken back."""

    def undoable(self, verb: str, have: Any, want: Any) -> bool:
        """Never."""
        return False


def thing(
    name: str, *needs: str, kind: str = "test.Thing", generation: int = 1, run: str = "RUN", **inputs: Any
) -> ResourceState:  # fmt: skip
    """A record."""
    return ResourceState(
        address=f"{kind}::{name}", kind=kind, generation=generation, id=name,
        needs=tuple(f"test.Thing::{need}" for need in needs), run=run,
        inputs={key: msgspec.to_builtins(value) for key, value in inputs.items()},
    )  # fmt: skip


def did(verb: str, after: ResourceState | None, before: ResourceState | None = None) -> Effect:
    """What a run did."""
    node = after or before
    assert node is not None
    begun = Begun(
        at=1.0, operation=f"{verb} {node.address.rpartition('::')[2]}", address=node.address, generation=node.generation,
        verb=verb, token="t", node=node, prior=before, run="RUN",
    )  # fmt: skip
    return Effect(begun, after)


def plan_of(done: list[Effect], *others: ResourceState, only: tuple[str, ...] = ()) -> Plan:
    """The undo of what was done, beside other objects."""
    state = State([*others, *(effect.after for effect in done if effect.after is not None)])
    return undo_plan("shop/dev", "RUN", done, state, registry, only, later=())


def waits(plan: Plan) -> dict[str, set[str]]:
    """What each undo waits for, as ``verb name`` of what is undone."""
    by_id = {item.id: item.undoes for item in plan.operations}
    return {item.undoes: {by_id[need] for need in item.needs} for item in plan.operations}


BETWEEN = {
    "directly": ((), "a"),
    "through one": ((thing("m", "a"),), "m"),
    "through a chain": ((thing("m", "n"), thing("n", "o"), thing("o", "a")), "m"),
    "through a fork": ((thing("m", "n", "o"), thing("n", "o"), thing("o", "a")), "m"),
    "through a circle": ((thing("m", "n"), thing("n", "m", "a")), "m"),
    "past what is not recorded": ((thing("m", "gone", "a"),), "m"),
}


@pytest.mark.parametrize("between", BETWEEN)
def test_an_undo_waits_for_what_was_built_on_it(between: str) -> None:
    """Also through objects that the run did not touch, however many and however they hang together."""
    others, need = BETWEEN[between]
    done = [did("create", thing("a")), did("create", thing("b", need)), did("create", thing("c"))]

    assert waits(plan_of(done, *others)) == {"create c": set(), "create b": set(), "create a": {"create b"}}


def test_an_undo_waits_through_several_ways() -> None:
    """What lies between is looked through once for all that stands on it, and ends at what was touched."""
    made = {"a": (), "b": ("m",), "c": ("m", "b"), "d": ("n",)}
    plan = plan_of([did("create", thing(name, *needs)) for name, needs in made.items()], thing("m", "n"), thing("n", "a"))

    assert waits(plan) == {
        "create a": {"create b", "create c", "create d"}, "create b": {"create c"}, "create c": set(), "create d": set()
    }  # fmt: skip


def test_only_what_was_built_on_it_is_taken_back_with_it() -> None:
    """The scope follows the same ways, through what the run did not touch."""
    done = [did("create", thing("a")), did("create", thing("b", "m")), did("create", thing("c"))]
    plan = plan_of(done, thing("m", "a"), only=("test.Thing::a",))

    assert set(waits(plan)) == {"create a", "create b"}


def host(name: str, place: Any, **more: Any) -> ResourceState:
    """An object that has a place alone."""
    return thing(name, kind="plan.Host", place=place, **more)


def test_a_deletion_is_undone_after_what_took_its_place() -> None:
    """The place that counts is the one that the object had, and the one that the other got; others wait for nothing."""
    gone = did("delete", None, host("gone", "x"))
    taker = did("create", host("taker", "x"))
    plan = plan_of([gone, did("create", thing("a")), taker, did("create", host("other", "y"))])

    assert waits(plan) == {"delete gone": {"create taker"}, "create taker": set(), "create a": set(), "create other": set()}


def test_a_place_may_be_another_objects() -> None:
    """What an object occupies may follow from an object that it refers to."""
    there = host("there", "x")
    gone = did("delete", None, host("gone", "x"))
    plan = plan_of([gone, did("create", host("taker", NodeLink(there.address)))], there)

    assert waits(plan)["delete gone"] == {"create taker"}


def test_the_place_is_that_of_the_end() -> None:
    """What an operation was begun with counts only where it has no end; of a deletion, what was there counts."""
    before, after = host("gone", "x"), host("taker", "x")
    gone, taker = did("delete", None, before), did("create", after)
    moved = [
        Effect(_begun_with(gone.begun, host("gone", "elsewhere")), None),
        Effect(_begun_with(taker.begun, host("taker", "elsewhere")), after),
    ]

    assert waits(plan_of(moved))["delete gone"] == {"create taker"}


def _begun_with(begun: Begun, node: ResourceState) -> Begun:
    return Begun(
        at=begun.at, operation=begun.operation, address=begun.address, generation=begun.generation, verb=begun.verb,
        token=begun.token, node=node, prior=begun.prior, run=begun.run,
    )  # fmt: skip


def test_a_provider_is_asked_with_what_was_and_what_is() -> None:
    """Whether it can be taken back depends on the verb and on both sides."""
    plan = plan_of([did("update", host("a", "new"), host("a", "old")), did("create", host("b", "made"))])

    assert asked == [("create", None, "made"), ("update", "old", "new"), ("create", None, "made")]
    assert not any(change.final for change in plan.changes)
    assert plan_of([did("update", host("a", "new"), host("a", "final"))]).changes[0].final


@pytest.mark.parametrize("verb", ["adopt", "note"])
def test_what_changed_the_record_alone_can_always_be_taken_back(verb: str) -> None:
    """Whatever its kind can do in the world."""
    before, after = thing("a", kind="plan.Once", size=1), thing("a", kind="plan.Once", size=2)

    assert [item.undoes for item in plan_of([did(verb, after, before)]).operations] == [f"{verb} a"]
    assert plan_of([did("update", after, before)]).operations == ()


def test_the_fields_are_those_that_are_put_back() -> None:
    """An input that was not given then or is not given now has its default."""
    update = did("update", thing("a", size=2, text="new"), thing("a", text="old", color="blue"))

    assert plan_of([update]).changes[0].fields == (
        FieldChange("size", 2, 1),
        FieldChange("text", "new", "old"),
        FieldChange("color", "red", "blue"),
    )


@pytest.mark.parametrize(
    ("built", "refused"),
    [
        (did("update", thing("b", size=2), thing("b", "a", size=1)), True),
        (did("update", thing("b", size=2), thing("b", "c", size=1)), False),
        (did("create", thing("b", "a")), False),
        (did("create", thing("a", generation=2)), True),
    ],
)
def test_an_undo_ends_at_what_was_deleted_for_good(built: Effect, refused: bool) -> None:
    """What stood on it, or took its address, cannot go back; what has nothing to do with it can."""
    gone = did("delete", None, thing("a"))
    gone = msgspec.structs.replace(gone, begun=msgspec.structs.replace(gone.begun, final=True))

    if not refused:
        assert [item.undoes for item in plan_of([built, gone], thing("c")).operations] == [built.begun.operation]
        return
    with pytest.raises(RefusedError) as caught:
        plan_of([built, gone])
    assert (caught.value.code, caught.value.findings) == ("refused.deletions_done", ("test.Thing::a is deleted",))


def test_what_only_says_more_is_taken_back_under_what_refers_to_it() -> None:
    """A protection, say: an object that a later run built on it stays where it is."""
    note = did("note", thing("a", size=1), thing("a", size=1))
    later = thing("b", "a", run="LATER")
    state = State([later, *(effect.after for effect in [note] if effect.after is not None)])

    plan = undo_plan("shop/dev", "RUN", [note], state, registry, later=("LATER",))

    assert [item.undoes for item in plan.operations] == ["note a"]
