"""What a run has left that could not be taken back whole, or not remove all that is old, and what it never began. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from purvey._plan.effects import Effect
from purvey._plan.plan import Operation, Plan
from purvey._state.record import Failed, Left, Record, Unmade
from purvey._state.resource import ResourceState

if TYPE_CHECKING:
    from purvey._apply.perform import Performer
    from purvey._state.state import InDoubt


def unmade(performer: Performer, records: Sequence[Record]) -> tuple[Unmade, ...]:
    """What failed and no record tells of, for nothing of it was begun; a check is told by its own record."""
    told = {item.address for item in records if isinstance(item, Failed)}
    return tuple(
        Unmade(address=item.address, verb=item.verb, code=item.code, detail=item.detail or item.summary)
        for item in performer.failures
        if item.address not in told and item.verb not in ("", "check")
    )


class Ledger:
    """Writes down what is left.

    Args:
        performer: Has performed what there was to perform.
        doubts: The operations in doubt that the run has to do with.
    """

    def __init__(self, performer: Performer, doubts: Sequence[InDoubt]) -> None:
        self._resources = performer.parts.state.resources
        self._failed = {item.address: item.detail or item.summary for item in performer.failures}
        self._pending = dict(performer.parked)
        self._in_doubt = tuple(
            Left(
                address=doubt.begun.address, generation=doubt.begun.generation, id=doubt.id or doubt.begun.node.id,
                verb=doubt.begun.undoes_verb or doubt.begun.verb, why="in doubt",
                detail=self._failed.get(doubt.begun.address, ""),
            )
            for doubt in doubts
        )  # fmt: skip

    def of_undo(self, plan: Plan, done: Sequence[Effect]) -> tuple[Left, ...]:
        """What an undo has left; `done` is what the run did and has not taken back by now."""
        final = {(change.address, change.generation) for change in plan.changes if change.final}
        planned = {operation.undoes for operation in plan.operations}
        lines = []
        for effect in done:
            key = (effect.begun.address, effect.begun.generation)
            if effect.begun.operation in planned or key in final:
                lines.append(self._line(key, effect.after or effect.begun.node, effect.begun.verb, final=key in final))
        return self._with_doubts(lines)

    def of_removal(self, deletions: Sequence[Operation]) -> tuple[Left, ...]:
        """Which of the objects that were to be removed are still recorded."""
        keys = [(item.address, item.generation) for item in deletions]
        return self._with_doubts([self._line(key, self._resources[key], "removal") for key in keys if key in self._resources])

    def _line(self, key: tuple[str, int], record: ResourceState, verb: str, *, final: bool = False) -> Left:
        address, generation = key
        failed = address in self._failed
        why = "final" if final else "failed" if failed else "pending" if address in self._pending else "waiting"
        detail = "" if final else self._failed.get(address, self._pending.get(address, ""))
        return Left(address=address, generation=generation, id=record.id, verb=verb, why=why, detail=detail)

    def _with_doubts(self, lines: Sequence[Left]) -> tuple[Left, ...]:
        doubtful = {item.address for item in self._in_doubt}
        return (*self._in_doubt, *(item for item in lines if item.address not in doubtful))
