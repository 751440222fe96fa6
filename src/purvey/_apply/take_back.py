"""Takes back what a run did to one object, and puts its record back with it."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import msgspec

from purvey._apply.attempt import Attempts
from purvey._apply.call import EngineCall
from purvey._state.record import Noted
from purvey._state.resource import ResourceState
from purvey.errors import InternalError

if TYPE_CHECKING:
    from purvey._apply.perform import Performer
    from purvey._plan.effects import Effect
    from purvey._plan.plan import Operation


async def take_back(performer: Performer, operation: Operation, attempts: Attempts) -> str:
    """Undo one effect.

    What was made is deleted (a step runs its undo), what was changed gets its former values, what was deleted to make room is
    made again. The end of the operation puts the former record back.
    """
    effect = performer.undone[operation.undoes]
    begun = effect.begun
    if begun.verb == "note":
        return await _put_back(performer, effect)
    if begun.verb == "delete":
        await _make_again(performer, operation, attempts, effect)
        return "done"
    parts = performer.parts
    now = parts.state.resources.get((begun.address, begun.generation))
    if now is None:
        return "unchanged"
    kind = parts.kinds.get(now.kind)
    have = parts.record_view(now)
    before = parts.former_view(begun.prior) if begun.prior is not None else None

    def act(call: EngineCall) -> Awaitable[Any]:
        """Call the provider, through the gate."""
        return kind.provider.undo(call, have, before)

    await performer.effect(
        operation, "undo", now, begun.prior, kind, attempts, act, before if before is not None else have, undone=begun,
    )  # fmt: skip
    return "done"


async def _put_back(performer: Performer, effect: Effect) -> str:
    """Give an object its former record, and so its former address, if it still has the one that the run gave it."""
    begun, prior = effect.begun, effect.begun.prior
    assert prior is not None  # Only records that had one before are effects.
    now = performer.parts.state.resources.get((begun.address, begun.generation))
    if now is None or not effect.still_says(now):
        return "unchanged"
    is_moved = prior.address != begun.address
    await performer.record(
        Noted(
            at=performer.parts.clock.now(), what="moved" if is_moved else "refreshed", address=prior.address,
            generation=prior.generation, state=prior, was=begun.address if is_moved else "", undoes=begun.operation,
        )
    )  # fmt: skip
    return "done"


async def _make_again(performer: Performer, operation: Operation, attempts: Attempts, effect: Effect) -> None:
    """Make an object again that was deleted to make room; it keeps its generation, for it is the one that dependants know."""
    prior: ResourceState | None = effect.begun.prior
    if prior is None:
        raise InternalError(f"The deletion of {effect.begun.address} was recorded without the object.")
    parts = performer.parts
    kind = parts.kinds.get(prior.kind)
    want = parts.former_view(prior)

    def act(call: EngineCall) -> Awaitable[Any]:
        """Call the provider, through the gate."""
        return kind.provider.create(call, want)

    await performer.effect(
        operation, "undo", msgspec.structs.replace(prior, id=""), prior, kind, attempts, act, want, undone=effect.begun,
    )  # fmt: skip
