"""What is done once for each record or object costs the same whatever there is beside it; counted in calls, not in time."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import pytest

from purvey._plan.effects import effects
from purvey._plan.planner import _freed
from purvey._state.record import Begun, Noted, Record, Succeeded
from purvey._state.resource import ResourceState
from purvey._state.state import State


def thing(number: int, generation: int = 1, needs: tuple[str, ...] = ()) -> ResourceState:
    """One of many objects."""
    return ResourceState(address=f"test.Thing::{number}", kind="test.Thing", generation=generation, id=str(number), needs=needs)


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, built-in ones included."""
    count = 0

    def tell(_frame: object, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(tell)
    try:
        work()
    finally:
        sys.setprofile(before)
    return count


def forgotten(count: int) -> Callable[[], object]:
    """A run that made objects, and forgot them again, the last one first."""
    records: list[Record] = []
    for number in range(count):
        node = thing(number)
        records += [
            Begun(at=0, operation=f"o{number}", address=node.address, generation=1, verb="create", token="", node=node),
            Succeeded(at=0, operation=f"o{number}", address=node.address, generation=1, state=node),
        ]
    for number in reversed(range(count)):
        records.append(Noted(at=0, what="forgotten", address=f"test.Thing::{number}", generation=1))
    assert effects(records) == []
    return lambda: effects(records)


def freed(count: int) -> Callable[[], object]:
    """A chain of objects, of which the lowest must go first."""
    gone = {(f"test.Thing::{n}", 1): thing(n, needs=(f"test.Thing::{n - 1}",) if n else ()) for n in reversed(range(count))}
    assert len(_freed(gone, {"test.Thing::0"})) == count
    return lambda: _freed(gone, {"test.Thing::0"})


@pytest.mark.parametrize("work", [forgotten, freed])
def test_twice_as_much_is_twice_the_work(work: Callable[[int], Callable[[], object]]) -> None:
    """Not four times."""
    assert calls(work(400)) < 2.5 * calls(work(200))


class Scanned(dict[Any, Any]):
    """Counts how often it is gone through."""

    scans = 0

    def items(self) -> Any:
        """Its items."""
        self.scans += 1
        return super().items()


def test_an_object_is_dropped_without_a_look_at_the_others() -> None:
    """Also where one of them has an older object beside it."""
    state = State([thing(0), thing(0, 2), *map(thing, range(1, 50))])
    state.resources = scanned = Scanned(state.resources)

    for number in range(1, 50):
        state.apply(Noted(at=0, what="forgotten", address=f"test.Thing::{number}", generation=1))

    assert (scanned.scans, len(scanned)) == (0, 2)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_the_newest_of_what_is_left_is_the_latest(order: tuple[int, ...]) -> None:
    """In whatever order objects of an address come and go; a copy knows the same."""
    for doomed in order:
        state = State([thing(0, generation) for generation in order]).copy()
        state.apply(Noted(at=0, what="forgotten", address="test.Thing::0", generation=doomed))
        rest = sorted(set(order) - {doomed})
        assert state.latest("test.Thing::0") == thing(0, rest[1])
        assert state.older() == [thing(0, rest[0])]
        for generation in reversed(rest):
            assert state.latest("test.Thing::0") == thing(0, generation)
            state.apply(Noted(at=0, what="forgotten", address="test.Thing::0", generation=generation))
        assert (state.latest("test.Thing::0"), state.older(), state.current()) == (None, [], {})
