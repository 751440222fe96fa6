"""Operations that a run has given to a machine and the machine has never begun: they are not in doubt, if the machine says so.

The begin of each operation of a batch is on disk before the batch is sent, and the machine writes down by itself which it
begins. A run that is killed or interrupted leaves the rest of its batch behind: what the machine knows nothing of did not
happen, and is not done now only to find that out. A machine that knows of none of them says nothing: its memory may be younger
than they are.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec

from purvey._apply.prepare import together
from purvey._base.event import Message
from purvey.errors import HostError, ProviderError
from purvey.providers import NotKnownError

if TYPE_CHECKING:
    from purvey._apply.perform import Performer
    from purvey._hosts.connector import Connector
    from purvey._state.record import Begun, Failed
    from purvey._state.state import InDoubt


async def without_unbegun(doubts: Sequence[InDoubt], performer_of: Callable[[InDoubt], Performer]) -> list[InDoubt]:
    """Those of the operations in doubt that were begun; the end of the others is written down.

    Args:
        doubts: Operations in doubt.
        performer_of: Writes into the journal of the run that began an operation.
    """
    machines: dict[Connector, list[InDoubt]] = {}
    for doubt in doubts:
        host = _machine(performer_of(doubt), doubt)
        if host is not None:
            machines.setdefault(host, []).append(doubt)
    never: set[str] = set()
    for host, there in machines.items():
        unbegun = await _unbegun(host, there) if len(there) > 1 else []
        for doubt in unbegun:
            performer = performer_of(doubt)
            started = performer.parts.clock.monotonic()
            await performer.record(not_begun(performer, doubt.begun, "the run was interrupted", started))
        if unbegun:
            _tell(performer_of(there[0]), there[0].begun.node.where, len(unbegun))
        never |= {doubt.begun.operation for doubt in unbegun}
    return [doubt for doubt in doubts if doubt.begun.operation not in never]


def not_begun(performer: Performer, begun: Begun, why: str, started: float) -> Failed:
    """The record of an operation that did certainly not happen, and is no failure."""
    error = HostError("conflict", "It was not begun on the machine", detail=f"It was not begun, for {why}.")
    return msgspec.structs.replace(performer.failure(begun, error, 1, started), unbegun=True)


def _machine(performer: Performer, doubt: InDoubt) -> Connector | None:
    """The machine of an operation that went together with others; None for one that went by itself."""
    begun = doubt.begun
    if begun.node.how is None or together(performer, begun.node.kind) is None:
        return None
    with contextlib.suppress(NotKnownError, ProviderError):  # Whoever settles it says so.
        return performer.parts.call(begun.address, begun.node.name, begun.node, token=begun.token).host
    return None


async def _unbegun(host: Connector, doubts: Sequence[InDoubt]) -> list[InDoubt]:
    begun: frozenset[str] | None = None
    with contextlib.suppress(ProviderError):  # As above.
        begun = await host.begun()
    found = [doubt for doubt in doubts if begun is not None and doubt.begun.token not in begun]
    return found if len(found) < len(doubts) else []


def _tell(performer: Performer, where: str, count: int) -> None:
    parts = performer.parts
    many = f"{count} operations that were interrupted were" if count > 1 else "an operation that was interrupted was"
    parts.tell(Message(at=parts.clock.now(), run=parts.run, level="info", text=f"{where}: {many} never begun there"))
