"""Finds what a call may have made whose answer nobody heard."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from purvey._apply import patience
from purvey._apply.call import EngineCall
from purvey._base.address import parted
from purvey.providers import Absent, Done, Kind, Observed, Outcome, Present, Provider, Unreadable

if TYPE_CHECKING:
    from purvey._apply.perform import Performer


async def seek(
    performer: Performer, kind: Kind, call: EngineCall, want: Any, called_at: float, *, makes: bool = True
) -> Observed:  # fmt: skip
    """What was made under `call`; absent only when it can no longer appear.

    Args:
        performer: Performs for the present holder.
        kind: The kind.
        call: The operation's gate.
        want: The wish.
        called_at: When the last call was made that may have made it.
        makes: Whether it was a creation; what is recorded already is then not what it made.

    Raises:
        Parked: if the run is asked to stop meanwhile.
    """

    async def look() -> Observed:
        """One look."""
        found: Observed = await kind.provider.find(call, want)
        if not makes or not isinstance(found, Present):
            return found
        if found.owner != call.mark and not kind.provider.forgets:  # Somebody may have made one like it meanwhile.
            untold = not found.owner and kind.provider.recovers_by == "tag_at_create"
            return Unreadable(f"{found.id} is there, and its kind does not tell whose it is") if untold else Absent()
        return Absent() if _is_recorded(performer, kind, found.id) else found

    return await patience.found(performer, parted(call.address)[1], kind, called_at, look)


def completes(kind: Kind, want: Any, found: Present) -> Callable[[EngineCall], Awaitable[Outcome]]:
    """The act that ends the creation of what was found, which may have to be waited for."""
    seen = Done(found.id, {name: value for name, value in found.values.items() if name in kind.outputs})

    async def complete(call: EngineCall) -> Outcome:
        """What was found, once it is complete."""
        return await kind.provider.ready(call, want) if waits(kind) else seen

    return complete


def waits(kind: Kind) -> bool:
    """Whether the kind's objects take a while to be made."""
    return type(kind.provider).ready is not Provider.ready


def _is_recorded(performer: Performer, kind: Kind, object_id: str) -> bool:
    """Whether an object found is one that is known: the old one of a replacement carries the new one's tags."""
    records = performer.parts.state.resources.values()
    return any(record.id == object_id and record.kind == kind.name for record in records)
