"""Performs validation probes: asks until they pass or their time is up, and notes what they saw."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import msgspec

from purvey._apply.attempt import Attempts, Parked
from purvey._apply.redacting import clean_error
from purvey._state.record import Noted
from purvey._state.resource import ResourceState
from purvey.errors import ProviderError

if TYPE_CHECKING:
    from purvey._apply.perform import Performer
    from purvey._plan.plan import Operation


async def check(performer: Performer, operation: Operation, attempts: Attempts) -> str:
    """Ask a check until it passes.

    Raises:
        ProviderError: ``check_failed``, with what the check saw last as its detail.
    """
    parts = performer.parts
    node = performer.plan.nodes[operation.address]
    kind = parts.kinds.get(node.kind)
    values = parts.opened_inputs(node)
    want = parts.view(kind, node.address, values)
    call = parts.call(node.address, node.address, node)

    def look() -> Awaitable[Any]:
        """Look once."""
        return kind.provider.create(call, want)

    try:
        done = await attempts.until_done(look, look, repeats=True)
    except Parked as parked:
        if parked.interrupted:
            raise
        error = ProviderError("check_failed", "A check did not pass in time", detail=parked.progress)
        _with_title(error, values.get("title"))
        await _failed(performer, operation, error, attempts)
        raise error from None
    except ProviderError as error:
        _with_title(error, values.get("title"))
        await _failed(performer, operation, error, attempts)
        raise
    wanted = performer.wanted(node, kind, values, operation.generation, "")
    record = msgspec.structs.replace(wanted, outputs=performer.outputs(kind, done))
    await performer.record(_noted(performer, operation, record, attempts))
    return "done"


def _with_title(error: ProviderError, title: object) -> None:
    """Say first what the script says that passing means: people know that better than a path or a port."""
    if isinstance(title, str) and title:
        error.detail = "\n".join(part for part in (f"Not so: {title}", error.detail) if part)


async def _failed(performer: Performer, operation: Operation, error: ProviderError, attempts: Attempts) -> None:
    clean_error(error, performer.parts.redactor)
    noted = _noted(performer, operation, None, attempts)
    await performer.record(msgspec.structs.replace(noted, ok=False, detail=error.detail or error.summary))


def _noted(performer: Performer, operation: Operation, state: ResourceState | None, attempts: Attempts) -> Noted:
    clock = performer.parts.clock
    return Noted(
        at=clock.now(), what="checked", address=operation.address, generation=operation.generation, state=state,
        seconds=round(clock.monotonic() - attempts.job.started, 3), attempts=attempts.count,
    )  # fmt: skip
