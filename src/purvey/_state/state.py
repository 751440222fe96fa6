"""State: the fold of records, and nothing else. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from purvey._base.value import Value
from purvey._state.record import Begun, Failed, Identified, Noted, OutputsSet, Record, Succeeded
from purvey._state.resource import ResourceState

Key = tuple[str, int]
"""Address and generation: a replacement has two live objects for a while."""


class InDoubt:
    """An operation that has begun and not ended: the effect may have happened or not.

    Attributes:
        begun: Its first record.
        id: The id that was recorded meanwhile; empty if none.
        failed: The failure that left it open, if one was recorded.
    """

    __slots__ = ("begun", "failed", "id")

    def __init__(self, begun: Begun, object_id: str = "", failed: Failed | None = None) -> None:
        self.begun = begun
        self.id = object_id
        self.failed = failed


class State:
    """What one stack and environment has in the world, as far as the record knows.

    Attributes:
        resources: Every object by address and generation.
        in_doubt: Operations without an end, by operation id.
        outputs: The stack's outputs, masked.
        reads: The stacks whose outputs its script read.
        generations: The highest generation that each address ever had.
    """

    __slots__ = ("_dependants", "_latest", "_older", "generations", "in_doubt", "outputs", "reads", "resources")

    def __init__(self, resources: Iterable[ResourceState] = ()) -> None:
        self.resources: dict[Key, ResourceState] = {}
        self.in_doubt: dict[str, InDoubt] = {}
        self.outputs: dict[str, Value] = {}
        self.reads: tuple[str, ...] = ()
        self.generations: dict[str, int] = {}
        self._latest: dict[str, ResourceState] = {}
        self._older: dict[str, dict[int, ResourceState]] = {}  # Only where an address has more than one object.
        self._dependants: dict[str, dict[Key, None]] | None = None
        for state in resources:
            self._put(state)

    def latest(self, address: str) -> ResourceState | None:
        """The newest object at an address; None if there is none."""
        return self._latest.get(address)

    def current(self) -> dict[str, ResourceState]:
        """The newest object at each address."""
        return self._latest

    def older(self) -> list[ResourceState]:
        """Objects that a newer generation has replaced and that are still there, oldest first."""
        if not self._older:
            return []
        return [state for state in self.resources.values() if self._latest[state.address] is not state]

    def dependants(self, address: str) -> list[ResourceState]:
        """Every object that needs what is at `address`, or lives in it; the first question costs as much as there is."""
        if self._dependants is None:
            self._dependants = {}
            for state in self.resources.values():
                self._connect(state)
        return [self.resources[key] for key in self._dependants.get(address, ())]

    def copy(self) -> State:
        """An independent state with the same content."""
        twin = State()
        twin.resources = dict(self.resources)
        twin.in_doubt = dict(self.in_doubt)
        twin.outputs = dict(self.outputs)
        twin.reads = self.reads
        twin.generations = dict(self.generations)
        twin._latest = dict(self._latest)
        twin._older = {address: dict(older) for address, older in self._older.items()}
        return twin

    def apply(self, record: Record) -> None:
        """Take one record into account; the only way in which a state changes."""
        if isinstance(record, Begun):
            self.in_doubt[record.operation] = InDoubt(record)
            self._reserve(record.address, record.generation)
        elif isinstance(record, Identified):
            doubt = self.in_doubt[record.operation]
            self.in_doubt[record.operation] = InDoubt(doubt.begun, record.id)
        elif isinstance(record, Succeeded):
            self.in_doubt.pop(record.operation, None)
            self._set(record.address, record.generation, record.state)
        elif isinstance(record, Failed):
            doubt = self.in_doubt.pop(record.operation)
            if record.may_exist:
                self.in_doubt[record.operation] = InDoubt(doubt.begun, doubt.id, record)
        elif isinstance(record, Noted):
            self._note(record)
        elif isinstance(record, OutputsSet):
            self.outputs = record.values
            self.reads = record.reads

    def _note(self, record: Noted) -> None:
        if record.what == "moved":
            moved = self._latest.get(record.was)  # Older objects of the address stay where they are, until they are deleted.
            if moved is not None:
                self._drop((record.was, moved.generation))
        if record.state is not None or record.what == "forgotten":
            self._set(record.address, record.generation, record.state)

    def _set(self, address: str, generation: int, state: ResourceState | None) -> None:
        self._reserve(address, generation)
        if state is None:
            self._drop((address, generation))
        else:
            self._put(state)

    def _reserve(self, address: str, generation: int) -> None:
        if generation > self.generations.get(address, 0):
            self.generations[address] = generation

    def _put(self, state: ResourceState) -> None:
        key = (state.address, state.generation)
        if self._dependants is not None:
            self._disconnect(key)
            self._connect(state)
        self.resources[key] = state
        newest = self._latest.get(state.address)
        if newest is None or newest.generation <= state.generation:
            self._latest[state.address] = state
            if newest is not None and newest.generation != state.generation:
                self._older.setdefault(state.address, {})[newest.generation] = newest
        else:
            self._older.setdefault(state.address, {})[state.generation] = state
        if state.generation > self.generations.get(state.address, 0):
            self.generations[state.address] = state.generation

    def _connect(self, state: ResourceState) -> None:
        assert self._dependants is not None  # Only called while it is kept.
        for need in {*state.needs, state.container} - {"", state.address}:
            self._dependants.setdefault(need, {})[state.address, state.generation] = None

    def _disconnect(self, key: Key) -> None:
        """Forget what the object at `key` refers to; the opposite of `_connect`."""
        state = self.resources.get(key)
        if self._dependants is None or state is None:
            return
        for need in {*state.needs, state.container} - {"", state.address}:
            self._dependants[need].pop(key, None)

    def _drop(self, key: Key) -> None:
        self._disconnect(key)
        self.resources.pop(key, None)
        address, generation = key
        older = self._older.get(address, {})
        if address in self._latest and self._latest[address].generation == generation:
            if older:
                self._latest[address] = older.pop(max(older))
            else:
                del self._latest[address]
        else:
            older.pop(generation, None)
        if not older:
            self._older.pop(address, None)


def fold(records: Iterable[Record], start: State | None = None) -> State:
    """The state after `records`, from `start` (left as it is) or from nothing."""
    state = start.copy() if start is not None else State()
    for record in records:
        state.apply(record)
    return state
