"""Takes back operations in doubt instead of finishing them, before the rest of a run is undone.

What may have been made is deleted, which is a success where nothing is there; what was changed gets its former values. A
deletion and a step are finished instead, for only then is it known what there is to take back; the rest of the undo does that.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

from purvey._apply import patience
from purvey._apply.attempt import Parked
from purvey._apply.call import EngineCall
from purvey._apply.executor import Stop
from purvey._apply.parts import Parts
from purvey._apply.perform import Failure, Performer
from purvey._apply.recover import attempts_for, settle
from purvey._apply.redacting import clean_error
from purvey._apply.seek import seek, until_known
from purvey._state.record import Failed
from purvey._state.state import InDoubt
from purvey.errors import ProviderError
from purvey.providers import Kind, Outcome, Present, Unreadable


def settling_ones(parts: Parts, doubts: Iterable[InDoubt]) -> tuple[dict[str, InDoubt], list[InDoubt]]:
    """Of what is in doubt, first the updates that make what they need take effect, which go back after that; then the rest."""
    settling: dict[str, InDoubt] = {}
    rest: list[InDoubt] = []
    for doubt in doubts:
        if doubt.begun.verb == "update" and parts.kinds.get(doubt.begun.node.kind).provider.settles:
            settling[doubt.begun.operation] = doubt
        else:
            rest.append(doubt)
    return settling, rest


async def abandon(performer: Performer, doubts: Sequence[InDoubt], person: Stop) -> None:
    """Take back each operation; one that cannot be taken back stays in doubt, and the performer notes the failure.

    Args:
        performer: Performs the undo.
        doubts: The operations.
        person: Ends the waiting for what may still land; what is taken back already is finished.
    """
    for doubt in doubts:
        begun = doubt.begun
        kind = performer.parts.kinds.get(begun.node.kind)
        try:
            if begun.verb == "delete" or (kind.provider.forgets and kind.provider.recovers_by != "nothing"):
                await settle(performer, doubt)
                continue
            await _take_back(performer, doubt, kind, person)
        except Parked as parked:
            performer.parked.append((begun.address, parked.progress))
            continue
        except ProviderError as error:
            clean_error(error, performer.parts.redactor)
            performer.failures.append(Failure(begun.address, error.code, error.summary, error.detail, error.hint))
            continue
        cause = doubt.failed
        await performer.record(
            Failed(
                at=performer.parts.clock.now(), operation=begun.operation, address=begun.address, generation=begun.generation,
                code=cause.code if cause else "failed", summary="It was in doubt, and was taken back",
                detail=cause.detail if cause else "",
            )
        )  # fmt: skip


async def _take_back(performer: Performer, doubt: InDoubt, kind: Kind, person: Stop) -> None:
    begun = doubt.begun
    deadline_s = attempts_for(performer, doubt, kind).job.deadline_s
    await patience.until_quiet(performer, doubt, deadline_s)
    await patience.until_landed(performer, doubt, kind, patience.last_call(performer, doubt, deadline_s), person)
    recovers_by = kind.provider.recovers_by
    if recovers_by == "nothing" or begun.verb == "undo":
        raise ProviderError("failed", f"Its interrupted {begun.verb} cannot be settled", hint="See `purvey state settle`.")
    have = performer.parts.record_view(begun.node)
    call = performer.parts.call(
        begun.address, begun.node.name, begun.node, object_id=doubt.id or begun.node.id, token=begun.token, undoes=begun.token
    )
    call.attempt = int(performer.parts.clock.now())  # No other process has tried it under this number: nobody counts these.
    by_name = recovers_by == "name" and not kind.provider.seen_within_s  # Deletes by name; no look is needed before.
    if not by_name and begun.verb == "create" and not call.id:
        call.id = await _made_id(performer, doubt, kind, call, have)
        if not call.id:
            return

    async def act() -> Outcome | None:
        return await _undo(performer, doubt, kind, call, have)

    async def ready() -> Outcome | None:
        return await kind.provider.ready(call, have)

    await attempts_for(performer, doubt, kind).until_done(act, ready, repeats=not kind.provider.forgets)


async def _made_id(performer: Performer, doubt: InDoubt, kind: Kind, call: EngineCall, have: Any) -> str:
    """The id of what an interrupted create may have made; empty where nothing is there."""
    provider = kind.provider
    if provider.recovers_by == "token":  # The same token answers with the same object, which only then can be named.
        attempts = attempts_for(performer, doubt, kind)
        try:
            done = await until_known(performer, doubt.begun, kind, attempts, partial(provider.create, call, have), call, have)
        except ProviderError as error:
            if error.may_exist:
                raise
            return ""
        return done.id if done is not None else ""
    deadline_s = attempts_for(performer, doubt, kind).job.deadline_s
    found = await seek(performer, kind, call, have, patience.last_call(performer, doubt, deadline_s))
    if isinstance(found, Unreadable):
        raise ProviderError("unavailable", "It cannot be told whether it was made", detail=found.reason, may_exist=True)
    return found.id if isinstance(found, Present) else ""


async def _undo(performer: Performer, doubt: InDoubt, kind: Kind, call: EngineCall, have: Any) -> Outcome | None:
    begun = doubt.begun
    if begun.verb == "create" or begun.prior is None:
        return await kind.provider.delete(call, have)
    return await kind.provider.undo(call, have, performer.parts.former_view(begun.prior))
