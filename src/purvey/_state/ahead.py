"""A state as it will be, for deciding what comes after work that has not been done yet. Pure."""

from __future__ import annotations

from purvey._state.resource import ResourceState
from purvey._state.state import State


class Ahead(State):
    """A state, and the objects that are about to be in it; it sees every change of the state that it looks ahead of.

    Args:
        real: The state.
    """

    __slots__ = ("_foreseen",)

    def __init__(self, real: State) -> None:
        for name in State.__slots__:
            setattr(self, name, getattr(real, name))
        self._foreseen: dict[str, ResourceState] = {}

    def latest(self, address: str) -> ResourceState | None:
        """See `State.latest`: what is foreseen is newer than what is there."""
        return self._foreseen.get(address) or super().latest(address)

    def foresee(self, record: ResourceState) -> None:
        """Take an object for made; its outputs may hold what is not known yet."""
        self._foreseen[record.address] = record
