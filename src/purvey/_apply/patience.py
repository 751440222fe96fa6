"""How long the engine waits before it believes that a call had no effect, or that what it has made is gone.

A call that nobody waits for any more may still land: its process is asleep, or its server is slow, or what it made is not to be
seen yet. So three things are waited for. A former holder of the lease that is not known to have ended may still make the calls
whose begin it wrote down, until the deadline of each. An object that is not found is believed absent only when the last call
that may have made it has had the time that its kind gives such calls (`Provider.lands_within_s`) and what they made
(`Provider.seen_within_s`). And an object that was made a moment ago and is not to be seen is not believed gone before the
latter has passed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from purvey._apply.attempt import Parked
from purvey._apply.executor import Stop
from purvey._apply.parts import Parts
from purvey._base.event import Message
from purvey._base.limits import LOOK_S
from purvey._state.resource import ResourceState
from purvey._state.state import InDoubt
from purvey.providers import Absent, Kind, Observed

if TYPE_CHECKING:
    from purvey._apply.perform import Performer

FIRST_LOOK_S: Final = 0.1
"""Seconds before the second look; each later one waits twice as long as the one before it."""

Look = Callable[[], Awaitable[Observed]]


async def until_quiet(performer: Performer, doubt: InDoubt, deadline_s: float) -> None:
    """Return when no call of a former holder can begin or go on any more for this operation.

    Args:
        performer: Performs for the present holder.
        doubt: The operation.
        deadline_s: How long one call of it may take.

    Raises:
        Parked: if the run is asked to stop meanwhile.
    """
    until = performer.parts.former.hung_until + deadline_s
    text = "the run before may still be calling; waiting {left:.0f} s for its call to end"
    await _wait_out(performer, doubt, until, text, performer.stop)


def last_call(performer: Performer, doubt: InDoubt, deadline_s: float) -> float:
    """When the last call for an operation in doubt may have been cut off, in seconds since the epoch.

    Args:
        performer: Performs for the present holder.
        doubt: The operation.
        deadline_s: How long one call of it may take: so long after the beginning of its last call a sleeper is cut off.
    """
    former = performer.parts.former
    hung = former.hung_until + deadline_s if former.hung_until else 0.0
    failed = doubt.failed.at if doubt.failed is not None and not doubt.failed.answered else 0.0
    return max(former.calls_until, hung, failed, performer.parts.unanswered.get(doubt.begun.operation, 0.0))


async def until_landed(performer: Performer, doubt: InDoubt, kind: Kind, cut_at: float, stop: Stop) -> None:
    """Return when what was cut off at `cut_at` can have no effect any more, so that it may be taken back.

    Raises:
        Parked: if the run is asked to stop meanwhile.
    """
    text = f"its {doubt.begun.verb} may still have its effect; waiting {{left:.0f}} s before it is taken back"
    await _wait_out(performer, doubt, cut_at + kind.provider.lands_within_s, text, stop)


async def _wait_out(performer: Performer, doubt: InDoubt, until: float, text: str, stop: Stop) -> None:
    parts, address = performer.parts, doubt.begun.address
    left = until - parts.clock.now()
    if left > 0:
        _tell(parts, f"{address}: {text.format(left=left)}")
    while parts.clock.now() < until:
        _heed(stop, address)
        await stop.pause(parts.clock.sleep(min(LOOK_S, max(until - parts.clock.now(), 0.001))))


async def found(performer: Performer, address: str, kind: Kind, called_at: float, look: Look) -> Observed:
    """What `look` finds; absent only when what was called before can no longer appear.

    Args:
        performer: Performs for the present holder.
        address: The node whose object is looked for.
        kind: Its kind.
        called_at: When the last call was made that may have made it.
        look: Asks the world.

    Raises:
        Parked: if the run is asked to stop meanwhile.
    """
    until = called_at + kind.provider.lands_within_s + kind.provider.seen_within_s
    return await _look_until(performer.parts, address, until, look, performer.stop)


async def still_there(parts: Parts, kind: Kind, record: ResourceState, look: Look) -> Observed:
    """What `look` finds of a recorded object; absent only when it can no longer be that it is not to be seen yet.

    Args:
        parts: The run's tools.
        kind: The object's kind.
        record: The object.
        look: Asks the world.
    """
    return await _look_until(parts, record.address, record.made_at + kind.provider.seen_within_s, look, Stop())


def is_young(parts: Parts, kind: Kind, record: ResourceState) -> bool:
    """Whether an object was made so short a time ago that not to see it says nothing."""
    return parts.clock.now() < record.made_at + kind.provider.seen_within_s


async def _look_until(parts: Parts, address: str, until: float, look: Look, stop: Stop) -> Observed:
    pause_s = FIRST_LOOK_S
    while True:
        left = until - parts.clock.now()  # Before the look, so that the last look is after the time.
        seen = await look()
        if left <= 0 or not isinstance(seen, Absent):
            return seen
        if pause_s == FIRST_LOOK_S:
            _tell(parts, f"{address}: not to be seen; looking for {left:.0f} s more, for it may still appear")
        _heed(stop, address)
        await stop.pause(parts.clock.sleep(min(pause_s, left)))
        pause_s = min(2 * pause_s, LOOK_S)


def _heed(stop: Stop, address: str) -> None:
    if stop.is_asked():
        raise Parked(address, "it is in doubt", interrupted=True)


def _tell(parts: Parts, text: str) -> None:
    parts.tell(Message(at=parts.clock.now(), run=parts.run, level="info", text=text))
