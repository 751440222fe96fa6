"""A state as it will be, for deciding what comes after work that has not been done yet. Pure."""

from __future__ import annotations

from purvey._state.resource import ResourceState
from purvey._state.state import Key, State


class Ahead(State):
    """A state, and the objects that are about to be in it; it sees every change of the state that it looks ahead of.

    Args:
        real: The state.
    """

    __slots__ = ("_foreseen", "_gone")

    def __init__(self, real: State) -> None:
        for name in State.__slots__:
            setattr(self, name, getattr(real, name))
        self._foreseen: dict[str, ResourceState | None] = {}
        self._gone: set[Key] = set()

    def latest(self, address: str) -> ResourceState | None:
        """See `State.latest`: what is foreseen is newer than what is there."""
        return self._foreseen[address] if address in self._foreseen else super().latest(address)

    def at(self, address: str, generation: int) -> ResourceState | None:
        """The object of that generation, as it will be; None if there will be none."""
        foreseen = self._foreseen.get(address)
        if foreseen is not None and foreseen.generation == generation:
            return foreseen
        return self.resources.get((address, generation)) if (address, generation) not in self._gone else None

    def foresee(self, record: ResourceState) -> None:
        """Take an object for made or changed; its outputs may hold what is not known yet."""
        self._foreseen[record.address] = record

    def lose(self, record: ResourceState) -> None:
        """Take an object for removed."""
        address = record.address
        self._gone.add((address, record.generation))
        latest = self.latest(address)
        if latest is not None and latest.generation == record.generation:
            older = [number for number in self._older.get(address, ()) if (address, number) not in self._gone]
            self._foreseen[address] = self.resources[address, max(older)] if older else None
