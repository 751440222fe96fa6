"""Recovery: settles operations that began and did not end, before anything else is decided.

The effect may have happened or not. What the kind declares decides how that is found out: a kind that recovers by token or by
name is called again with the same token and name, which finishes what is half done and changes nothing that is complete; one
that tags at creation is looked for first, for as long as it may still appear; for one with nothing the run stops and says what
to look for. Before any of this, the calls of a former holder who may only be asleep are waited out.
"""

from __future__ import annotations

import shlex
from collections.abc import Awaitable, Callable
from typing import Any

from purvey._apply import patience
from purvey._apply.attempt import Attempts
from purvey._apply.call import EngineCall
from purvey._apply.perform import Performer
from purvey._apply.seek import completes, seek, waits
from purvey._gate.question import bounded
from purvey._state.record import Begun, Failed, Succeeded
from purvey._state.state import InDoubt
from purvey.errors import ProviderError, StateError
from purvey.providers import Absent, Kind, Present, Unreadable
from purvey.providers.host import HostProvider

Write = Callable[..., Awaitable[None]]
Act = Callable[[EngineCall], Awaitable[Any]]


async def settle(performer: Performer, doubt: InDoubt) -> str:
    """Settle one operation in doubt.

    Args:
        performer: Writes into the journal of the run that began it, so that an undo of that run finds its end.
        doubt: The operation.

    Returns:
        A sentence for the person who watches.

    Raises:
        StateError: ``state.in_doubt`` if its kind gives no way to find out.
        ProviderError: what stopped it, with the operation's address and what a person can do.
    """
    try:
        return await _settle(performer, doubt)
    except ProviderError as error:
        begun = doubt.begun
        error.address, error.source = begun.address, begun.node.source
        mend = (
            "Mend what failed there and try again: it is settled as it was begun, whatever the script says by now. A run that "
            f"passes over it goes on (--exclude {shlex.quote(begun.address)}). Or look yourself."
        )
        error.hint = "\n\n".join(part for part in (error.hint, f"{mend} {_ways(performer, doubt)}") if part)
        raise


async def _settle(performer: Performer, doubt: InDoubt) -> str:
    begun = doubt.begun
    kind = performer.parts.kinds.get(begun.node.kind)
    await patience.until_quiet(performer, doubt, attempts_for(performer, doubt, kind).job.deadline_s)
    recovers_by = kind.provider.recovers_by
    if begun.verb == "delete" or recovers_by in ("token", "name"):
        return await _repeat(performer, doubt, kind)
    if recovers_by == "nothing":
        raise _in_doubt(performer, doubt)
    if kind.provider.forgets and begun.verb == "undo" and not begun.makes:
        return await _look_whether_gone(performer, doubt, kind)
    if begun.makes or kind.provider.forgets:  # A step's second run is not the first one's continuation.
        return await _look_for(performer, doubt, kind)
    return await _repeat(performer, doubt, kind)


async def _repeat(performer: Performer, doubt: InDoubt, kind: Kind) -> str:
    """Call again with the same token and name."""
    want = performer.parts.record_view(doubt.begun.node)
    return await _finish(performer, doubt, kind, _act(performer, doubt.begun, kind, want), want, doubt.id)


async def _finish(performer: Performer, doubt: InDoubt, kind: Kind, act: Act, want: Any, object_id: str) -> str:
    """Act once more, wait until it is complete, and record the end."""
    begun = doubt.begun
    try:
        await performer.finish(begun, kind, attempts_for(performer, doubt, kind), act, want, object_id=object_id)
    except ProviderError as error:
        if error.may_exist:
            raise
        provider = kind.provider
        is_over = isinstance(provider, HostProvider) and provider.runs_once(want)
        return f"{begun.address}: the interrupted {begun.verb} {'failed' if is_over else 'did not happen'} ({error.summary})"
    return f"{begun.address}: the interrupted {begun.verb} is complete"


def _act(performer: Performer, begun: Begun, kind: Kind, want: Any) -> Act:
    provider = kind.provider
    if begun.makes:
        return lambda call: provider.create(call, want)
    if begun.verb == "update":
        assert begun.prior is not None  # What is changed was there.
        have = performer.parts.record_view(begun.prior)
        return lambda call: provider.update(call, have, want)
    if begun.verb == "undo":
        prior, former = begun.prior, performer.parts.former_view
        return lambda call: provider.undo(call, want, former(prior) if prior is not None else None)
    return lambda call: provider.delete(call, want)


async def _look_whether_gone(performer: Performer, doubt: InDoubt, kind: Kind) -> str:
    """See whether an interrupted undo of a step has had its effect; only if not, run it again."""
    begun = doubt.begun
    want = performer.parts.record_view(begun.node)
    call = performer.parts.call(begun.address, begun.node.name, begun.node, object_id=doubt.id, token=begun.token)
    if not isinstance(await bounded(kind.provider.find(call, want), kind.provider), Absent):
        return await _repeat(performer, doubt, kind)
    await performer.record(
        Succeeded(
            at=performer.parts.clock.now(), operation=begun.operation, address=begun.address, generation=begun.generation,
            state=begun.prior,
        )
    )  # fmt: skip
    return f"{begun.address}: the interrupted undo had happened; it is recorded now"


async def _look_for(performer: Performer, doubt: InDoubt, kind: Kind) -> str:
    """Find what an interrupted create (or another run of a step) may have made."""
    begun = doubt.begun
    parts = performer.parts
    want = parts.record_view(begun.node)
    if doubt.id and waits(kind):
        return await _finish(performer, doubt, kind, lambda call: kind.provider.ready(call, want), want, doubt.id)
    call = parts.call(begun.address, begun.node.name, begun.node, object_id=doubt.id, token=begun.token)
    deadline_s = attempts_for(performer, doubt, kind).job.deadline_s
    called_at = patience.last_call(performer, doubt, deadline_s)
    found = await seek(performer, kind, call, want, called_at, makes=begun.makes)
    if isinstance(found, Unreadable):
        raise _in_doubt(performer, doubt)
    if not isinstance(found, Present):
        await performer.record(
            Failed(
                at=parts.clock.now(), operation=begun.operation, address=begun.address, generation=begun.generation,
                code="not_found", summary=f"The interrupted {begun.verb} did not happen",
            )
        )  # fmt: skip
        return f"{begun.address}: the interrupted {begun.verb} did not happen"
    return await _finish(performer, doubt, kind, completes(kind, want, found), want, found.id)


def attempts_for(performer: Performer, doubt: InDoubt, kind: Kind) -> Attempts:
    """The attempts of an operation that an earlier process began."""
    parts, begun = performer.parts, doubt.begun
    attempts = performer.attempts(
        f"recover {begun.address}",
        begun.address,
        kind,
        own_s=begun.timeout_s or None,
        started=parts.clock.monotonic(),
    )
    attempts.called_at = patience.last_call(performer, doubt, attempts.job.deadline_s)
    if kind.provider.settles and doubt.failed is not None:  # A machine would tell that failure again.
        attempts.earlier = doubt.failed.attempts
    return attempts


def needs_id(doubt: InDoubt, kind: Kind) -> bool:
    """Whether only the world knows what it calls the object that may have been made; the record would have to guess."""
    return doubt.begun.makes and not doubt.id and not kind.provider.forgets and kind.provider.recovers_by != "name"


def _in_doubt(performer: Performer, doubt: InDoubt) -> StateError:
    begun = doubt.begun
    return StateError(
        "state.in_doubt",
        "An interrupted operation cannot be settled by purvey",
        detail=f"The {begun.verb} of {begun.address} began and its end is not recorded. Its kind ({begun.node.kind}) has "
        "neither a token nor a name nor a check by which purvey could find out whether it happened, so it does not guess.",
        hint=f"Look yourself. {_ways(performer, doubt)}",
        address=begun.address,
        source=begun.node.source,
    )


def _ways(performer: Performer, doubt: InDoubt) -> str:
    """How a person tells what became of an operation."""
    begun = doubt.begun
    name, env = performer.parts.stack.split("/")
    settle = f"purvey state settle {shlex.quote(begun.address)} --stack {name} -e {env}"
    done = "--done --id ID" if needs_id(doubt, performer.parts.kinds.get(begun.node.kind)) else "--done"
    return (
        f"If it happened, or you have finished it by hand:\n\n    {settle} {done}\n\n"
        f"If it did not happen:\n\n    {settle} --not-done"
    )
