"""What a run did and has not taken back yet, read from its records. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from purvey._base.address import parted
from purvey._base.value import thaw
from purvey._state.record import Begun, Noted, Record, Succeeded
from purvey._state.resource import ResourceState

_MOVED_TO: Final = "moved to "
"""How journals say where an object was handed over to that know no `Noted.to`."""


class Effect(msgspec.Struct, frozen=True):
    """One thing that a run did: the operation's begin, and its end.

    What changed the record alone (an adoption, a move, a declaration that says something else) is an effect, too; its `begun`
    is made up, with the verb ``adopt`` or ``note``. So is what went with its container, with the verb ``delete``.
    """

    begun: Begun
    after: ResourceState | None
    tried: bool = False
    """Whether an undo of it has begun."""

    elsewhere: str = ""
    """Of a hand-over: the full address under which another stack has the object now, or had it before."""

    @property
    def moves(self) -> bool:
        """Whether it changed the record alone, because an address changed: the object's, or one that it refers to."""
        prior, after = self.begun.prior, self.after
        if self.begun.verb != "note" or prior is None or after is None:
            return False
        return (prior.address, prior.container, prior.needs) != (after.address, after.container, after.needs)

    @property
    def renames(self) -> bool:
        """Whether it is a move of the object itself, to another address of its stack."""
        return self.moves and self.begun.prior is not None and self.begun.prior.address != self.begun.address

    def still_says(self, now: ResourceState) -> bool:
        """Whether an object's record says what this made it say; what was seen in the world since does not count."""
        seen: dict[str, Any] = {"id": "", "inputs": {}, "outputs": {}, "made_at": 0.0, "replace_when": None}
        if not now.digest:  # An undo put back what others had made of it, which no declaration says.
            seen["digest"] = ""
        after = self.after
        if after is None or thaw(after.how) != thaw(
            now.how
        ):  # One of them comes from a journal, where secrets are told as data.
            return False
        seen["how"] = None
        return msgspec.structs.replace(after, **seen) == msgspec.structs.replace(now, **seen)


def effects(records: Iterable[Record]) -> list[Effect]:
    """What a run did and has not taken back yet, oldest first."""
    begun: dict[str, Begun] = {}
    found = _Found()
    for place, record in enumerate(records):
        if isinstance(record, Begun):
            begun[record.operation] = record
            if record.undoes in found.effects:
                found.effects[record.undoes] = msgspec.structs.replace(found.effects[record.undoes], tried=True)
        elif isinstance(record, Succeeded) and record.operation in begun:  # Else it settled what an earlier run began.
            start = begun[record.operation]
            if start.undoes:
                found.effects.pop(start.undoes, None)
            elif not record.unchanged:
                found.add(Effect(start, record.state))
        elif isinstance(record, Noted):
            _note(found, record, place)
    return list(found.effects.values())


def is_undone(records: Iterable[Record], only: Sequence[str]) -> bool:
    """Whether the undo of a part is complete: then a run that has not ended goes on."""
    return bool(only) and not any(effect.begun.address in only for effect in effects(records))


def standing(records: Iterable[Record]) -> list[str]:
    """Where a run did something that is still so, and could be taken back."""
    found = [item for item in effects(records) if not item.begun.final and (item.begun.verb != "note" or item.moves)]
    return list(dict.fromkeys(item.begun.address for item in found))


class _Found:
    """Effects by operation, and by object; whatever was taken back meanwhile is in the first alone."""

    def __init__(self) -> None:
        self.effects: dict[str, Effect] = {}
        self._at: dict[tuple[str, int], list[str]] = {}

    def add(self, effect: Effect) -> None:
        self.effects[effect.begun.operation] = effect
        self._at.setdefault((effect.begun.address, effect.begun.generation), []).append(effect.begun.operation)

    def drop(self, key: tuple[str, int]) -> list[Effect]:
        """Take out the effects on one object, oldest first."""
        return [self.effects.pop(operation) for operation in self._at.pop(key, ()) if operation in self.effects]


def _note(found: _Found, record: Noted, place: int) -> None:
    elsewhere = _elsewhere(record)
    if record.undoes:
        found.effects.pop(record.undoes, None)
    elif elsewhere:
        node = record.state or record.prior
        assert node is not None  # What is handed over is told by either stack.
        found.add(Effect(_made_up(record, place, "note", node), record.state, elsewhere=elsewhere))
    elif record.what == "forgotten":
        _forget(found, record, place)
    elif record.state is not None and (record.what == "adopted" or record.prior is not None):
        start = _made_up(record, place, "adopt" if record.what == "adopted" else "note", record.state)
        found.add(Effect(start, record.state))


def _elsewhere(record: Noted) -> str:
    """Where another stack has an object that was handed over, or had it; empty where none was."""
    if record.what == "moved":
        return record.was if parted(record.was)[0] else ""
    if record.what == "forgotten" and record.detail.startswith(_MOVED_TO):
        return record.detail.removeprefix(_MOVED_TO)
    return record.to


def _forget(found: _Found, record: Noted, place: int) -> None:
    """What the run did to the object is gone with it; where it is to come back, it comes back as the run had found it."""
    dropped = found.drop((record.address, record.generation))
    prior = record.prior
    if dropped and prior is not None:
        oldest = dropped[0]
        if oldest.moves:  # It comes back under the address that it was moved to; from there it is moved back.
            found.add(oldest)
        prior = oldest.after if oldest.moves else oldest.begun.prior
        prior = None if oldest.begun.verb in ("create", "adopt") else prior
    if prior is not None:
        gone = _made_up(msgspec.structs.replace(record, prior=prior), place, "delete", prior)
        found.add(Effect(gone, None))


def _made_up(record: Noted, place: int, verb: str, node: ResourceState) -> Begun:
    """A begin for what changed the record alone."""
    return Begun(
        at=record.at, operation=f"{record.what} {record.address} {place}", address=record.address,
        generation=record.generation, verb=verb, token="", node=node, prior=record.prior,
    )  # fmt: skip
