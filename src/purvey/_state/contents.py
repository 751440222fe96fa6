"""What lives in a container goes with it. Pure."""

from __future__ import annotations

from collections.abc import Callable

from purvey._state.record import Begun, Noted
from purvey._state.resource import ResourceState
from purvey._state.state import State


def gone_with(state: State, begun: Begun, at: float, stays: Callable[[ResourceState], bool]) -> list[Noted]:
    """That the contents of a container are gone, innermost first, when it was deleted.

    Told before the deletion's own end, in one write with it: before, they are there. Where the container made room, each note
    has the object, so that the undo, which goes backwards, makes the container again before what was in it.

    Args:
        state: What is recorded before the deletion's end.
        begun: The begin of any operation.
        at: Seconds since the epoch.
        stays: Whether an object has to be deleted by itself, also when its container is.
    """
    if begun.verb != "delete" and begun.undoes_verb != "create":
        return []
    comes_back = begun.verb == "delete" and not begun.final
    return [
        Noted(at=at, what="forgotten", address=item.address, generation=item.generation, prior=item if comes_back else None)
        for item in _contents(state, begun.node, stays)
    ]


def _contents(state: State, container: ResourceState, stays: Callable[[ResourceState], bool]) -> list[ResourceState]:
    """Everything inside one generation of a container, innermost first."""
    found: list[ResourceState] = []
    waiting = [container]
    while waiting:
        outer = waiting.pop()
        inside = [
            item
            for item in state.dependants(outer.address)
            if item.container == outer.address
            and not stays(item)
            and item.follows.get(outer.address, outer.generation) == outer.generation
        ]
        found += inside
        waiting += inside
    return found[::-1]
