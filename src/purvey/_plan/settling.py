"""Where the undo of an update belongs that made other changes take effect. Pure.

An undo goes backwards, so a service that was reloaded for its file would be taken back first, and would read the new file
again. It is taken back after the file instead, and the file, for its part, after all that would have had to go before the
service: so both keep their place among the rest, as in a change that goes from machine to machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from purvey._plan.effects import Effect
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey.providers import Registry


def settled_last(
    done: Sequence[Effect], waits: Sequence[set[int]], kinds: Registry
) -> Sequence[set[int]]:  # fmt: skip
    """`waits` turned round where an update made what it needs take effect: that goes back first, then takes effect again.

    Args:
        done: The effects, oldest first.
        waits: For each, the places of those that are taken back before it.
        kinds: The kinds.
    """
    settling = [
        place for place, effect in enumerate(done)
        if effect.begun.verb == "update" and kinds.get(effect.begun.node.kind).provider.settles
    ]  # fmt: skip
    return _Turned(done, waits, settling, kinds).waits if settling else waits


class _Turned:
    """What waits for what, with the settling ones turned round.

    Attributes:
        waits: For each effect, the places of those that are taken back before it.
    """

    def __init__(self, done: Sequence[Effect], waits: Sequence[set[int]], settling: Sequence[int], kinds: Registry) -> None:
        self.waits = [set(found) for found in waits]
        self._done = done
        self._below: dict[int, set[int]] = {place: set() for place in settling}
        self._turned: dict[int, set[int]] = {place: set() for place in settling}
        for place, found in enumerate(waits):
            for settled in found & self._below.keys():
                if done[place].begun.address != done[settled].begun.address:
                    self._below[settled].add(place)
        self._turn_causes(kinds)
        while sum(self._turn_between(settled) for settled in settling):
            pass
        self._keep_places(waits)

    def _turn_causes(self, kinds: Registry) -> None:
        """Turn round what each was updated for, with all that the run did there before."""
        at: dict[str, list[int]] = {}
        for place, effect in enumerate(self._done):
            at.setdefault(effect.begun.address, []).append(place)
        for settled, below in self._below.items():
            effect = self._done[settled]
            inputs = kinds.get(effect.begun.node.kind).provider.settles_for
            told = set(_told(effect, inputs))
            for address in {self._done[place].begun.address for place in below}:
                if not inputs or any(told.intersection(_said(self._done[place])) for place in at[address]):
                    for place in at[address]:
                        if place < settled:
                            self._turn(settled, place)

    def _turn(self, settled: int, place: int) -> None:
        self.waits[place].discard(settled)
        self.waits[settled].add(place)
        self._turned[settled].add(place)

    def _turn_between(self, settled: int) -> bool:
        """Turn round what lies between: what a cause waits for goes before the settling one, too. Whether there was any."""
        open_ones = self._below[settled] - self._turned[settled]
        waiting = list(self._turned[settled]) if open_ones else []
        reached = {settled, *waiting}
        while waiting:
            further = self.waits[waiting.pop()] - reached
            reached |= further
            waiting += further
        for place in open_ones & reached:
            self._turn(settled, place)
        return not open_ones.isdisjoint(reached)

    def _keep_places(self, before: Sequence[set[int]]) -> None:
        """Let what was turned round wait for what its settling one waited for, wherever that can go first."""
        rank = self._ranks()
        for settled, turned in self._turned.items():
            for place in turned:
                self.waits[place].update(other for other in before[settled] if rank[other] < rank[place])

    def _ranks(self) -> dict[int, int]:
        """The places in one valid order: the latest first, but for what that waits for, which is right before it."""
        rank: dict[int, int] = {}
        waiting = list(range(len(self.waits)))
        while waiting:
            place = waiting[-1]
            first = [] if place in rank else sorted(other for other in self.waits[place] if other not in rank)
            if not first:
                rank.setdefault(waiting.pop(), len(rank))
            waiting += first
        return rank


def _told(effect: Effect, inputs: Sequence[str]) -> Iterator[str]:
    """The revisions that an update was told in some inputs, and those that it had been told before."""
    records: tuple[ResourceState | None, ...] = (effect.begun.prior, effect.begun.node, effect.after)
    for record in records:
        values: Mapping[str, Any] = thawed(record.inputs) if record is not None else {}
        for name in inputs:
            yield from (value for value in values.get(name) or () if isinstance(value, str))


def _said(effect: Effect) -> Iterator[str]:
    """The revisions that an effect made, and that there were before: what others can be told of it."""
    for record in (effect.begun.prior, effect.after):
        if record is not None:
            yield from (value for value in thawed(record.outputs).values() if isinstance(value, str) and value)
