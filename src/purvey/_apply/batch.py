"""Operations on one machine, together: begun in one write, sent as one program, and each recorded as the machine tells its end.

Every operation is decided as it would be by itself, from what the machine answered last and from what those before it in the
batch will have done. What that leaves open ends the batch; it comes with the next one, when it is known. The machine compares
what it finds with what each operation was decided from, and stops where that differs: then it is asked and decided again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from purvey._apply.attempt import Parked
from purvey._apply.foresight import Foresight
from purvey._apply.outcome import as_provider_error
from purvey._apply.prepare import Prepared, prepared
from purvey._base.limits import CALL_DEADLINE_S
from purvey._hosts.change import Run
from purvey._hosts.fact import Unanswered
from purvey._hosts.step import Ending, Mismatch, can_guard
from purvey._state.ahead import Ahead
from purvey.errors import HostError, ProviderError, ScriptError, StateError
from purvey.providers import Done, NotKnownError, Outcome
from purvey.providers.host import went_through

if TYPE_CHECKING:
    from purvey._apply.perform import Performer
    from purvey._hosts.connector import Connector
    from purvey._hosts.fact import Answer, Fact
    from purvey._plan.plan import Operation

CONFLICTS_MAX: Final = 5
"""Times that a machine may be found changed just before an operation: somebody else keeps changing it."""

BATCH_MAX: Final = 500
"""Operations in one program: it stays below some megabytes, and a failure is seen before too many have begun."""


class Batch:
    """Performs operations of one plan on one machine.

    Args:
        performer: Performs the plan.
        operations: Operations on one machine, each after those that it needs.
    """

    def __init__(self, performer: Performer, operations: Sequence[Operation]) -> None:
        self._performer = performer
        self._operations = operations[:BATCH_MAX]
        self._ahead = Ahead(performer.parts.state)
        self._done: dict[str, bool] = {}
        self._ready: list[Prepared] = []

    async def perform(self) -> Mapping[str, bool]:
        """Perform as many as can be decided now, at least the first.

        Returns:
            True for each that is done, False for each that failed or is still pending; the others were not begun.
        """
        first = self._operations[0]
        try:
            await self._prepare()
        except (ProviderError, ScriptError, NotKnownError, StateError) as error:
            if self._ready:  # It comes up again, first in a batch of its own.
                pass
            elif first.id not in self._done:
                self._fail(first, error)
                self._done[first.id] = False
        if self._ready:
            await self._send()
        return self._done

    # Deciding.

    async def _prepare(self) -> None:
        """Decide one after the other, until one cannot be decided before those before it are done."""
        foresight: Foresight | None = None
        for position, operation in enumerate(self._operations):
            item = prepared(self._performer, operation, self._ahead)
            if item is None:  # It goes by itself.
                if position == 0:
                    self._done[operation.id] = await self._performer.perform(operation.id)
                return
            if foresight is None:
                foresight = Foresight(item.host.known)
            if not await self._decided(item, foresight, first=not self._ready):
                return

    async def _decided(self, item: Prepared, foresight: Foresight, *, first: bool) -> bool:
        """Decide what an operation does; False if that cannot be told before those before it are done."""
        operation = item.operation
        missing = [fact for fact in item.facts if fact not in foresight.of(operation)]
        if missing and first:
            foresight.learn((await item.host.ask(missing)).known)
        known = foresight.of(operation)
        try:
            chosen = await item.decide(known)
        except (NotKnownError, LookupError):
            if first:
                raise
            return False
        if chosen is None:
            self._performer.tell_started(operation)
            self._performer.tell_ended(operation, "unchanged", item.started, 1)
            self._done[operation.id] = True
            return True
        item.guard = _guard(item.facts, known)
        foresight.follow(operation, chosen.changes, (await item.host.machine()).user)
        after = item.foreseen()
        if after is not None:
            self._ahead.foresee(after)
        self._ready.append(item)
        return True

    # Performing.

    async def _send(self) -> None:
        """Begin all, send them, and record each end as it comes."""
        performer, ready = self._performer, self._ready
        await performer.record(*(item.begun for item in ready))
        host = ready[0].host
        attempts = performer.attempts(
            ready[0].operation.id, ready[0].operation.address, ready[0].kind, own_s=_time_s(ready),
            started=performer.parts.clock.monotonic(),
        )  # fmt: skip
        ends: asyncio.Queue[tuple[int, Ending] | None] = asyncio.Queue()
        recorder = asyncio.create_task(self._record_all(ends))

        fresh = self._is_fresh(host)

        async def act() -> Outcome | None:
            """Send what has not ended yet."""
            left = [number for number, item in enumerate(ready) if not item.has_ended]
            steps = [ready[number].step() for number in left]

            def told(number: int, ending: Ending | None) -> None:
                """See one begin or end."""
                if ending is not None:
                    ready[left[number]].has_ended = True
                    ends.put_nowait((left[number], ending))

            await host.perform(steps, fresh=fresh, told=told)
            return None

        performer.tell_started(ready[0].operation)
        try:
            await attempts.until_done(act, act, repeats=True)
        except Parked as parked:
            await self._stop_recording(ends, recorder)
            self._park(parked)
        except ProviderError as error:
            await self._stop_recording(ends, recorder)
            await self._out_of_reach(error)
        else:
            await self._stop_recording(ends, recorder)
            await self._close_rest()

    async def _stop_recording(self, ends: asyncio.Queue[tuple[int, Ending] | None], recorder: asyncio.Task[None]) -> None:
        ends.put_nowait(None)
        await recorder

    async def _record_all(self, ends: asyncio.Queue[tuple[int, Ending] | None]) -> None:
        while (told := await ends.get()) is not None:
            await self._record(*told)

    async def _record(self, number: int, ending: Ending) -> None:
        """Write down how one ended."""
        item, performer = self._ready[number], self._performer
        try:
            ended = went_through(item.provider, item.subject, ending)
        except ProviderError as error:
            for fact in item.facts:  # It is not what it was, whatever came of it.
                item.host.known.pop(fact, None)
            if not (isinstance(ending, Mismatch) and self._may_try_again(item)):
                await performer.failed(item.begun, error, 1, item.started)
                self._fail(item.operation, error, item.started)
                item.is_settled = True
            return
        item.call.id = item.work.id
        outputs = {**(item.work.outputs or {}), **item.provider.learnt(item.subject, item.work, ended)}
        done = Done(item.work.id, outputs) if item.work.outputs is not None else None
        await performer.succeeded(item.begun, item.kind, done, item.call, 1, item.started)
        item.is_settled = True
        performer.tell_ended(item.operation, "done", item.started, 1)
        self._done[item.operation.id] = True
        self._start_next(number)

    def _start_next(self, number: int) -> None:
        if number + 1 < len(self._ready):
            following = self._ready[number + 1]
            following.started = self._performer.parts.clock.monotonic()
            self._performer.tell_started(following.operation)

    async def _close_rest(self) -> None:
        """What was begun and not reached did certainly not happen."""
        error = HostError("conflict", "It was not begun on the machine, for something before it did not go through")
        for item in self._ready:
            if not item.is_settled:
                await self._performer.failed(item.begun, error, 1, item.started)

    def _park(self, parked: Parked) -> None:
        for item in self._ready:
            if not item.is_settled:
                self._performer.park(item.operation, parked, item.started, 1)
                self._done[item.operation.id] = False

    async def _out_of_reach(self, error: ProviderError) -> None:
        """The machine does not answer: what was begun and not told is in doubt where anything was sent, else not done."""
        told = False
        for item in self._ready:
            if item.is_settled:
                continue
            own = as_provider_error(error)
            await self._performer.failed(item.begun, own, 1, item.started)
            if not told:
                self._fail(item.operation, own, item.started)
            self._done[item.operation.id] = False
            told = True

    def _fail(self, operation: Operation, error: Exception, started: float | None = None) -> None:
        began = started if started is not None else self._performer.parts.clock.monotonic()
        self._performer.fail(operation, error, began, 1)
        self._done[operation.id] = False

    def _may_try_again(self, item: Prepared) -> bool:
        """Whether an operation that met a changed machine is decided once more."""
        conflicts = self._performer.conflicts
        conflicts[item.operation.id] += 1
        return conflicts[item.operation.id] < CONFLICTS_MAX

    def _is_fresh(self, host: Connector) -> bool:
        """Whether the machine may forget what it has done: nothing there is in doubt but what this batch has begun."""
        parts = self._performer.parts
        ours = {item.begun.operation for item in self._ready}
        where = self._ready[0].begun.node.where
        doubts = [item.begun for item in parts.state.in_doubt.values() if item.begun.node.where == where]
        return all(begun.operation in ours for begun in doubts) and parts.hosts.is_first(host)


def _guard(facts: Sequence[Fact], known: Mapping[Fact, Answer | Unanswered]) -> tuple[tuple[Fact, Answer], ...]:
    """What the machine itself can see to be still so."""
    found: list[tuple[Fact, Answer]] = []
    for fact in facts:
        if fact in known:
            answer = known[fact]
            if not isinstance(answer, Unanswered) and can_guard(answer):
                found.append((fact, answer))
    return tuple(found)


def _time_s(items: Sequence[Prepared]) -> float:
    """How long a batch may take: what its commands may, and one call's time for all the rest."""
    commands = [change.command.timeout_s for item in items for change in item.work.changes if isinstance(change, Run)]
    return CALL_DEADLINE_S + sum(commands)
