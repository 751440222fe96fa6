"""What lives in a container goes with it. Pure."""

from __future__ import annotations

from purvey._state.record import Begun, Noted, ResourceState
from purvey._state.state import State


def gone_with(state: State, begun: Begun, at: float) -> list[Noted]:
    """That the contents of a container are gone, innermost first, when it was deleted to make room.

    Told before the deletion's own end, in one write with it, so that the undo, which goes backwards, makes the container again
    before what was in it. Deletions at the end of a run need no such notes: their plan has the contents, too.

    Args:
        state: What is recorded before the deletion's end.
        begun: The begin of any operation.
        at: Seconds since the epoch.
    """
    if begun.verb != "delete" or begun.final:
        return []
    return [
        Noted(at=at, what="forgotten", address=item.address, generation=item.generation, prior=item)
        for item in _contents(state, begun.node)
    ]


def _contents(state: State, container: ResourceState) -> list[ResourceState]:
    """Everything inside one generation of a container, innermost first."""
    found: list[ResourceState] = []
    waiting = [container]
    while waiting:
        outer = waiting.pop()
        inside = [
            item
            for item in state.dependants(outer.address)
            if item.container == outer.address and item.follows.get(outer.address, outer.generation) == outer.generation
        ]
        found += inside
        waiting += inside
    return found[::-1]
