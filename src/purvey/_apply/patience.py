"""How long recovery waits before it believes that a call which was cut off has had no effect.

A call that nobody waits for any more may still land: its process is asleep, or its server is slow, or what it made is not to be
seen yet. So two things are waited for. A former holder of the lease that is not known to have ended may still make the calls
whose begin it wrote down, until the deadline of each. And an object that is not found is believed absent only when the last
call that may have made it has had the time that its kind gives such calls (`Provider.lands_within_s`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from purvey._apply.attempt import Parked
from purvey._apply.perform import Performer
from purvey._base.event import Message
from purvey._state.state import InDoubt
from purvey.providers import Absent, Kind, Observed

LOOK_S: Final = 2.0
"""Seconds between two looks at what may still appear."""


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
    left = until - performer.parts.clock.now()
    if left > 0:
        text = f"{doubt.begun.address}: the run before may still be calling; waiting {left:.0f} s for its call to end"
        _tell(performer, text)
    while performer.parts.clock.now() < until:
        await _pause(performer, doubt, until)


async def found(
    performer: Performer, doubt: InDoubt, kind: Kind, look: Callable[[], Awaitable[Observed]]
) -> Observed:  # fmt: skip
    """What `look` finds; absent only when what was called before can no longer appear.

    Args:
        performer: Performs for the present holder.
        doubt: The operation whose effect is looked for.
        kind: Its kind.
        look: Asks the world.

    Raises:
        Parked: if the run is asked to stop meanwhile.
    """
    last_call = max(performer.parts.former.calls_until, doubt.failed.at if doubt.failed is not None else 0.0)
    until = last_call + kind.provider.lands_within_s
    told = False
    while True:
        late = performer.parts.clock.now() >= until  # Before the look, so that the last look is after the time.
        seen = await look()
        if late or not isinstance(seen, Absent):
            return seen
        if not told:
            left = until - performer.parts.clock.now()
            _tell(performer, f"{doubt.begun.address}: not to be seen; looking for {left:.0f} s more, for it may still appear")
            told = True
        await _pause(performer, doubt, until)


def _tell(performer: Performer, text: str) -> None:
    performer.parts.tell(Message(at=performer.parts.clock.now(), run=performer.parts.run, level="info", text=text))


async def _pause(performer: Performer, doubt: InDoubt, until: float) -> None:
    if performer.stop.is_asked():
        raise Parked(doubt.begun.address, f"its {doubt.begun.verb} is in doubt", interrupted=True)
    clock = performer.parts.clock
    await clock.sleep(min(LOOK_S, max(until - clock.now(), 0.001)))
