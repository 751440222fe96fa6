"""Removes what is no longer wanted: from the world, or, where nothing there is ours to remove, from the record alone."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from purvey._state.record import Noted

if TYPE_CHECKING:
    from purvey._apply.attempt import Attempts
    from purvey._apply.call import EngineCall
    from purvey._apply.perform import Performer
    from purvey._plan.plan import Operation
    from purvey._state.resource import ResourceState


async def delete(performer: Performer, operation: Operation, attempts: Attempts) -> str:
    """Remove an object from the world."""
    parts = performer.parts
    prior = parts.state.resources.get((operation.address, operation.generation))
    if prior is None:
        return "unchanged"
    kind = parts.kinds.get(prior.kind)
    have = parts.record_view(prior)

    def act(call: EngineCall) -> Awaitable[Any]:
        """Call the provider, through the gate."""
        return kind.provider.delete(call, have)

    await performer.effect(operation, "delete", prior, prior, kind, attempts, act, have)
    return "done"


async def forget(performer: Performer, operation: Operation) -> str:
    """Drop the record of an object, unless it goes in one write with what it lives in.

    Where a new one was made in place of one that was gone, that is all there is to tell.
    """
    parts = performer.parts
    record = parts.state.resources.get((operation.address, operation.generation))
    if record is None or _goes_along(performer, record):
        return "unchanged"
    now = parts.clock.now()
    await performer.record(Noted(at=now, what="forgotten", address=operation.address, generation=operation.generation))
    return "done" if parts.state.latest(operation.address) is None else "unchanged"


def _goes_along(performer: Performer, record: ResourceState) -> bool:
    """Whether an object lives in one that the plan deletes, or in one that goes along with that."""
    state = performer.parts.state
    outer: ResourceState | None = record
    while outer is not None and outer.container:
        container = state.latest(outer.container)
        key = (outer.container, outer.follows.get(outer.container, container.generation if container is not None else 0))
        outer = state.resources.get(key)
        if outer is not None and key in performer.deleted:
            return True
    return False
