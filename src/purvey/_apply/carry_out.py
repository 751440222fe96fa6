"""Carries out the operations of a plan: those on one machine together, and where an undo comes to what is in doubt, that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from purvey._apply.abandon import abandon
from purvey._apply.batch import BATCH_MAX
from purvey._apply.executor import Lanes, Stop, execute
from purvey._apply.perform import Performer
from purvey._base.event import Planned
from purvey._base.limits import HOSTS_AT_ONCE
from purvey._plan.effects import Effect
from purvey._plan.plan import Operation
from purvey._state.state import InDoubt


async def carry_out(
    operations: Sequence[Operation], performer: Performer, stop: Stop, go_on: Callable[[str], bool], parallel: int
) -> None:
    """Perform operations in the order of their needs, those on one machine together."""
    _tell(performer, operations)
    needs = {operation.id: operation.needs for operation in operations}
    despite = {operation.id: operation.despite for operation in operations if operation.despite}
    lanes = Lanes(performer.lane, performer.perform_together, HOSTS_AT_ONCE, BATCH_MAX)
    await execute(needs, performer.perform, parallel=parallel, stop=stop, go_on=go_on, lanes=lanes, despite=despite)
    performer.tell_rest()


async def carry_out_undo(
    operations: Sequence[Operation], performer: Performer, stop: Stop, doubts: Mapping[str, InDoubt], person: Stop,
    parallel: int,
) -> None:  # fmt: skip
    """Perform an undo, which goes on where something fails, and take back what is in doubt where it comes to it.

    Args:
        operations: What there is to undo.
        performer: Performs it.
        stop: See `execute`.
        doubts: What is in doubt, by the operation that is in its place. What nothing comes to is taken back at the end.
        person: Ends the waiting for what may still land.
        parallel: See `execute`.
    """
    _tell(performer, [operation for operation in operations if operation.undoes not in doubts])
    at = {operation.id: doubts[operation.undoes] for operation in operations if operation.undoes in doubts}
    performer.undone = {**performer.undone, **{name: Effect(doubt.begun, None) for name, doubt in doubts.items()}}
    left = dict(doubts)

    async def work(operation: str) -> bool:
        """Perform one, or take back what is in doubt there."""
        if operation not in at:
            return await performer.perform(operation)
        doubt = left.pop(at[operation].begun.operation)
        await abandon(performer, [doubt], person)
        return doubt.begun.operation not in performer.parts.state.in_doubt

    def lane(operation: str) -> str:
        """The machine on which it goes together with others."""
        return "" if operation in at else performer.lane(operation)

    needs = {operation.id: operation.needs for operation in operations}
    lanes = Lanes(lane, performer.perform_together, HOSTS_AT_ONCE, BATCH_MAX)
    await execute(needs, work, parallel=parallel, stop=stop, go_on=lambda _: True, lanes=lanes)
    performer.tell_rest()
    await abandon(performer, list(left.values()), person)


def _tell(performer: Performer, operations: Sequence[Operation]) -> None:
    parts = performer.parts
    needs = {operation.id: operation.needs for operation in operations}
    parts.tell(Planned(at=parts.clock.now(), run=parts.run, operations=needs, stage=performer.plan.stage))
