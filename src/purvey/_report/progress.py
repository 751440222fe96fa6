"""How far a run is: the fold of its events, and nothing else.

What remains is told as the length of the longest chain of operations that wait for each other, because no number of workers
makes a run shorter than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter

import msgspec

from purvey._base.event import (
    Event,
    OperationEnded,
    OperationProgress,
    OperationRetried,
    OperationStarted,
    PhaseStarted,
    Planned,
    RunEnded,
    RunStarted,
)
from purvey._report.words import gist


class Running(msgspec.Struct):
    """An operation in flight; `note` is what it waits for, or why it is tried again."""

    address: str
    verb: str
    since: float
    note: str = ""
    retried: bool = False


class Progress:
    """How far a run is.

    Attributes:
        title: ``apply shop/dev``.
        phase: What the run is at.
        started: When it began, in seconds since the epoch.
        total: Operations planned so far, those of earlier stages included.
        done: Operations that ended, well or not.
        failed: Those that did not end well.
        running: Those in flight, by operation id, oldest first.
    """

    def __init__(self) -> None:
        self.title = ""
        self.phase = ""
        self.started = 0.0
        self.total = 0
        self.done = 0
        self.failed = 0
        self.running: dict[str, Running] = {}
        self._chains = _Chains({})

    @property
    def chain(self) -> int:
        """Operations on the longest chain that is left, those in flight included."""
        return self._chains.longest

    def take(self, event: Event) -> None:
        """Take an event into account."""
        if isinstance(event, OperationStarted):
            self.running[event.operation] = Running(event.address, event.verb, event.at)
        elif isinstance(event, OperationEnded):
            self._ended(event)
        elif isinstance(event, OperationProgress | OperationRetried):
            self._noted(event)
        elif isinstance(event, Planned):
            self.total += len(event.operations)
            self._chains = _Chains(event.operations)
        elif isinstance(event, PhaseStarted):
            self.phase = f"{event.phase} {event.detail}".strip()
        elif isinstance(event, RunStarted):
            self.title, self.started = f"{event.verb} {event.stack}", event.at
        elif isinstance(event, RunEnded):
            self.running.clear()

    def _ended(self, event: OperationEnded) -> None:
        self.running.pop(event.operation, None)
        self.done += 1
        self.failed += event.result == "failed"
        self._chains.end(event.operation)

    def _noted(self, event: OperationProgress | OperationRetried) -> None:
        running = self.running.get(event.operation)
        if running is None:
            return
        running.retried = isinstance(event, OperationRetried)
        running.note = note_of(event)


def note_of(event: OperationProgress | OperationRetried) -> str:
    """What an operation waits for: the provider's account, or why it is tried again."""
    if isinstance(event, OperationProgress):
        return event.text
    return f"attempt {event.attempt} {event.code}: {gist(event.detail)}; again in {event.again_s:.1f} s"


class _Chains:
    """The longest chain of unfinished operations, kept up in constant time per operation."""

    def __init__(self, operations: Mapping[str, Sequence[str]]) -> None:
        self._height = dict.fromkeys(operations, 1)
        for operation in reversed(_in_order(operations)):
            above = self._height[operation] + 1
            for need in operations[operation]:
                if self._height.get(need, above) < above:
                    self._height[need] = above
        self.longest = max(self._height.values(), default=0)
        self._counts = [0] * (self.longest + 1)
        for height in self._height.values():
            self._counts[height] += 1

    def end(self, operation: str) -> None:
        """Note that an operation is over."""
        height = self._height.pop(operation, 0)
        if height:
            self._counts[height] -= 1
        while self.longest and not self._counts[self.longest]:
            self.longest -= 1


def _in_order(operations: Mapping[str, Sequence[str]]) -> list[str]:
    """The operations, each after its needs; most plans are in this order already."""
    seen: set[str] = set()
    for operation, needs in operations.items():
        if any(need in operations and need not in seen for need in needs):
            inner = {item: [need for need in of if need in operations] for item, of in operations.items()}
            return list(TopologicalSorter(inner).static_order())
        seen.add(operation)
    return list(operations)
