"""Finds what a call may have made whose answer nobody heard.

Such a call may have had its effect whatever a later one is told: it may be the one that took the last of a quota. So a refusal
is believed only where no call was lost before it, or where what that may have made is looked for and certainly is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from purvey._apply import patience
from purvey._apply.attempt import Act, Attempts
from purvey._apply.call import EngineCall
from purvey._apply.outcome import TRANSIENT, UNANSWERED
from purvey._base.address import parted
from purvey._base.limits import ATTEMPTS_MAX
from purvey._gate.question import bounded
from purvey._state.record import Begun
from purvey.errors import ProviderError
from purvey.providers import Absent, Done, Kind, Observed, Outcome, Present, Provider, Unreadable

if TYPE_CHECKING:
    from purvey._apply.perform import Performer


async def until_known(
    performer: Performer, begun: Begun, kind: Kind, attempts: Attempts, act: Act, call: EngineCall, want: Any
) -> Done | None:  # fmt: skip
    """Act until it is done; what may have been made without an answer is looked for before it is made once more, or given up.

    Raises:
        ProviderError: the failure that no further attempt can mend; `may_exist` says whether any call may have had its effect.
        Parked: it is still pending.
    """
    by_tag = begun.makes and kind.provider.recovers_by == "tag_at_create" and not kind.provider.forgets
    former = attempts.called_at
    makes = begun.makes or kind.provider.forgets  # What does not may be repeated: the same object is changed or removed again.
    repeats = kind.provider.recovers_by in ("token", "name") or not makes
    while True:
        try:
            return await attempts.until_done(
                partial(_numbered, act, attempts, call), lambda: kind.provider.ready(call, want), repeats=repeats
            )
        except ProviderError as error:
            passes = by_tag and error.may_exist and error.code in TRANSIENT and attempts.count < ATTEMPTS_MAX
            refused = not error.may_exist and _is_in_doubt(begun, kind, error.code, attempts, former)
            error.may_exist = error.may_exist or refused
            if not passes and not (refused and begun.makes and not call.id and _can_tell(kind, error.code)):
                raise
            called_at = attempts.called_at if refused else None
            seen = await _sought(performer, kind, call, want, called_at or performer.parts.clock.now())
            if isinstance(seen, Absent) and refused:
                error.may_exist = False
            if isinstance(seen, Unreadable) or not error.may_exist:
                raise
            attempts.count += 1
            if isinstance(seen, Present):
                await call.identified(seen.id)
                act = partial(completes(kind, want, seen), call)


async def _numbered(act: Act, attempts: Attempts, call: EngineCall) -> Outcome | None:
    """Act, as the attempt that it is."""
    call.attempt = attempts.number
    return await act()


def _is_in_doubt(begun: Begun, kind: Kind, code: str, attempts: Attempts, former: float | None) -> bool:
    """Whether a call before this one may have had its effect, although this one was answered with `code`.

    What an interrupted process may have done to an object on record is left to the look at the world that follows recovery; and
    where nothing is in the world that could be left behind, a refusal is the end.
    """
    if attempts.called_at is None or code == "already_exists":  # The object of the same operation would be no obstacle.
        return False
    if code in UNANSWERED:
        return True
    if kind.provider.forgets:
        return False
    return begun.makes or (attempts.called_at != former and code != "not_found")


def _can_tell(kind: Kind, code: str) -> bool:
    """Whether a refusal is final, and a look tells what there is all the same."""
    return code not in UNANSWERED and type(kind.provider).find is not Provider.find


async def _sought(performer: Performer, kind: Kind, call: EngineCall, want: Any, called_at: float) -> Observed:
    """As `seek`; a look that fails tells nothing."""
    try:
        return await seek(performer, kind, call, want, called_at)
    except ProviderError as error:
        return Unreadable(error.summary)


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
        found: Observed = await bounded(kind.provider.find(call, want), kind.provider)
        if not makes or not isinstance(found, Present):
            return found
        if found.owner != call.mark and not kind.provider.forgets:  # Somebody may have made one like it meanwhile.
            tells = kind.provider.recovers_by != "tag_at_create" and kind.provider.seen_within_s  # It has to, but may fail to.
            untold = not found.owner and not tells
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
