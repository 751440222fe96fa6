"""What a run did and has not taken back yet, read from its records. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from purvey._state.record import Begun, Noted, Record, ResourceState, Succeeded


class Effect(msgspec.Struct, frozen=True):
    """One thing that a run did: the operation's begin, and its end.

    What changed the record alone (an adoption, a move, a declaration that says something else) is an effect, too; its `begun`
    is made up, with the verb ``adopt`` or ``note``. So is what went with its container, with the verb ``delete``.
    """

    begun: Begun
    after: ResourceState | None
    tried: bool = False
    """Whether an undo of it has begun."""


def effects(records: Iterable[Record]) -> list[Effect]:
    """What a run did and has not taken back yet, oldest first."""
    begun: dict[str, Begun] = {}
    found: dict[str, Effect] = {}
    for place, record in enumerate(records):
        if isinstance(record, Begun):
            begun[record.operation] = record
            if record.undoes in found:
                found[record.undoes] = msgspec.structs.replace(found[record.undoes], tried=True)
        elif isinstance(record, Succeeded) and record.operation in begun:  # Else it settled what an earlier run began.
            start = begun[record.operation]
            if start.undoes:
                found.pop(start.undoes, None)
            elif not record.unchanged:
                found[record.operation] = Effect(start, record.state)
        elif isinstance(record, Noted):
            _note(found, record, place)
    return list(found.values())


def _note(found: dict[str, Effect], record: Noted, place: int) -> None:
    if record.undoes:
        found.pop(record.undoes, None)
    elif record.what == "forgotten":
        for operation in [item for item, effect in found.items() if _is_at(effect, record)]:
            del found[operation]
            return
        if record.prior is not None:
            gone = _made_up(record, place, "delete", record.prior)
            found[gone.operation] = Effect(gone, None)
    elif record.state is not None and (record.what == "adopted" or record.prior is not None):
        start = _made_up(record, place, "adopt" if record.what == "adopted" else "note", record.state)
        found[start.operation] = Effect(start, record.state)


def _made_up(record: Noted, place: int, verb: str, node: ResourceState) -> Begun:
    """A begin for what changed the record alone."""
    return Begun(
        at=record.at, operation=f"{record.what} {record.address} {place}", address=record.address,
        generation=record.generation, verb=verb, token="", node=node, prior=record.prior,
    )  # fmt: skip


def _is_at(effect: Effect, record: Noted) -> bool:
    return (effect.begun.address, effect.begun.generation) == (record.address, record.generation)
