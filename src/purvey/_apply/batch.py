"""Operations on one machine, together: begun in one write, sent as one program, and each recorded as the machine tells its end.

Every operation is decided as it would be by itself, from what the machine answered last and from what those before it in the
batch will have done. What that leaves open ends the batch; it comes with the next one, when it is known. The machine compares
what it finds with what each operation was decided from, and stops where that differs: then it is asked and decided again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from purvey._apply.attempt import Parked
from purvey._apply.foresight import Foresight
from purvey._apply.outcome import as_provider_error
from purvey._apply.prepare import Prepared, prepared
from purvey._apply.sending import HALT_S, Sending
from purvey._apply.unbegun import not_begun
from purvey._hosts.fact import Ask, Unanswered
from purvey._hosts.step import Broken, Ended, Mismatch, can_guard
from purvey._state.ahead import Ahead
from purvey._state.journal import OF_ONE_OBJECT
from purvey.errors import ProviderError, StateError
from purvey.providers import Done, NotKnownError
from purvey.providers.host import went_through

if TYPE_CHECKING:
    from purvey._apply.perform import Performer
    from purvey._hosts.connector import Connector
    from purvey._hosts.fact import Answer, Fact
    from purvey._hosts.step import Ending
    from purvey._plan.plan import Operation
    from purvey._state.record import Record

    Known = dict[Fact, Answer | Unanswered]

CONFLICTS_MAX: Final = 5
"""Times that a machine may be found changed just before an operation: somebody else keeps changing it."""

LOST_S: Final = 60.0
"""Seconds in which a machine that did not answer is not sought again for the next object on it."""

LONG_S: Final = 2.0
"""Seconds after which people want to know what something does that has not ended."""

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
        self._operations = operations
        self._ahead = Ahead(performer.parts.state)
        self._done: dict[str, bool] = {}
        self._ready: list[Prepared] = []
        self._unchanged: list[Prepared] = []
        self._notes: list[Record] = []
        self._at_work: Prepared
        self._watch: asyncio.Task[None] | None = None

    async def perform(self) -> Mapping[str, bool]:
        """Perform as many as can be decided now, at least the first.

        Returns:
            True for each that is done, False for each that failed or is still pending; the others were not begun.
        """
        first = self._operations[0]
        started = self._performer.parts.clock.monotonic()
        try:
            await self._prepare()
        except Parked as parked:
            if not self._has_decided:
                self._performer.park(first, parked, started, 1)
                self._done[first.id] = False
        except Exception as error:  # noqa: BLE001 - whatever a provider raises, it is its operation that failed.
            if not self._has_decided:  # Else it comes up again, first in a batch of its own.
                self._fail(first, error, started)
        if self._has_decided and await self._begin():
            await self._send()
        return self._done

    @property
    def _has_decided(self) -> bool:
        return bool(self._ready or self._unchanged or self._done)

    # Deciding.

    async def _prepare(self) -> None:
        """Decide one after the other, until one cannot be decided before those before it are done."""
        foresight: Foresight | None = None
        host: Connector | None = None
        for position, operation in enumerate(self._operations):
            item = prepared(self._performer, operation, self._ahead)
            if item is None:  # It goes by itself.
                if position == 0:
                    self._done[operation.id] = await self._performer.perform(operation.id)
                return
            if foresight is None or host is None:
                host = item.host
                await self._ask(item)
                foresight = Foresight(host.known)
            if item.host is not host or not await self._decided(item, foresight):
                return

    async def _ask(self, first: Prepared) -> None:
        """Ask for all that has to be known and is not, in one go; what the machine has to say of itself, too."""
        host, performer = first.host, self._performer
        wanted = dict.fromkeys(first.facts)
        if any(fact not in host.known for fact in wanted):
            for operation in self._operations[1:]:
                with contextlib.suppress(Exception):  # It is decided, and fails, when it is its turn.
                    item = prepared(performer, operation, self._ahead)
                    if item is not None and item.host is host:
                        wanted.update(dict.fromkeys(item.facts))
        missing = [fact for fact in wanted if fact not in host.known]

        async def ask() -> None:
            """Ask once."""
            if missing:
                await host.ask(missing)
            await host.machine()

        if missing:
            self._refuse_lost(host)
        attempts = performer.attempts(
            first.operation.id, first.operation.address, first.kind, own_s=None, started=first.started
        )  # fmt: skip
        try:
            await attempts.until_done(ask, ask, repeats=True)
        except ProviderError as error:
            if error.code == "unavailable" and not error.may_exist:
                performer.lost[host] = performer.parts.clock.monotonic(), error
            raise

    def _refuse_lost(self, host: Connector) -> None:
        """Fail at once on a machine that was sought a moment ago, again and again, for another of the objects on it.

        Raises:
            ProviderError: why it could not be reached then.
        """
        since, error = self._performer.lost.get(host, (0.0, None))
        if error is not None and self._performer.parts.clock.monotonic() < since + LOST_S:
            raise error.with_traceback(None)

    async def _decided(self, item: Prepared, foresight: Foresight) -> bool:
        """Decide what an operation does; False if that cannot be told before those before it are done."""
        known = foresight.of(item.operation, item.provider.looks_at(item.subject))
        try:
            chosen = await item.decide(known)
        except (NotKnownError, LookupError):
            if self._ready:
                return False  # Once those are done, it is asked about anew.
            raise
        if item.notes and self._awaits(item.operation):
            return False
        self._notes += item.notes
        for note in item.notes:
            if note.state is not None:
                self._ahead.foresee(note.state)
        if chosen is None:
            foresight.follow(item.operation, (), "")
            self._unchanged.append(item)
            return True
        item.guard = _guard(item.facts, known)
        foresight.follow(item.operation, chosen.changes, (await item.host.machine()).user)
        item.foresee(self._ahead)
        self._ready.append(item)
        return True

    def _awaits(self, operation: Operation) -> bool:
        """Whether an operation needs one that is still to be performed: then nothing may be written down of it."""
        return not {item.operation.id for item in self._ready}.isdisjoint(operation.needs)

    # Performing.

    async def _begin(self) -> bool:
        """Write down what stays as it is, and the begin of all that is done; False if that was refused for one of them."""
        performer = self._performer
        records = [*self._notes, *(item.begun for item in self._ready)]
        try:
            if records:
                await performer.record(*records)
        except StateError as error:
            if error.code not in OF_ONE_OBJECT:
                raise
            refused = next((item for item in self._operations if item.address == error.address), self._operations[0])
            self._fail(refused, error, performer.parts.clock.monotonic())
            return False
        for item in self._unchanged:
            performer.tell_ended(item.operation, "unchanged", item.started, 1)
            self._done[item.operation.id] = True
        return bool(self._ready)

    async def _send(self) -> None:
        """Send all, and record each end as it comes."""
        performer, ready = self._performer, self._ready
        where = ready[0].begun.node.where
        sending = Sending(performer, ready, self._record, self._told, fresh=where not in performer.doubtful)
        performer.tell_started(ready[0].operation)
        try:
            await sending.until_over()
        except Parked as parked:
            if parked.interrupted:
                await self._close(await self._unbegun(sending), "the run was interrupted")
            self._park(parked)
        except ProviderError as error:
            await self._out_of_reach(error)
        else:
            await self._close(self._left(), "something before it did not go through")
        finally:
            if self._watch is not None:
                self._watch.cancel()
            _forget_programs(ready[0].host)
        if any(not item.is_settled or item.is_in_doubt for item in ready):
            performer.doubtful.add(where)
        ready[0].host.spend([item.step().token for item in ready if item.has_said and item.is_settled and not item.is_in_doubt])

    async def _unbegun(self, sending: Sending) -> Sequence[Prepared]:
        """Those of an interrupted batch that the machine has not begun, and will not begin."""
        left, begun = self._left(), None
        if sending.is_halted:
            return left
        with contextlib.suppress(TimeoutError, ProviderError):  # Then a resume finds it out.
            async with asyncio.timeout(HALT_S):
                begun = await left[0].host.begun() if left else None
        unbegun = [item for item in left if begun is not None and item.begun.token not in begun]
        return unbegun if len(unbegun) < len(left) else []

    def _left(self) -> list[Prepared]:
        return [item for item in self._ready if not item.is_settled]

    def _told(self, number: int) -> None:
        """See one begin that may take a while."""
        self._at_work = item = self._ready[number]
        self._performer.tell_started(item.operation)
        if self._watch is None or self._watch.done():
            self._watch = asyncio.ensure_future(self._tell_if_long(item))

    async def _tell_if_long(self, item: Prepared) -> None:
        """Tell what the machine does once it has been at one thing for some seconds: before, nobody would read it."""
        while True:
            await self._performer.parts.clock.sleep(LONG_S)
            if self._at_work is item:
                break
            item = self._at_work
        if not item.is_settled:
            self._performer.tell_progress(item.operation, item.doing)

    async def _record(self, number: int, ending: Ending) -> None:
        """Write down how one ended."""
        item, performer = self._ready[number], self._performer
        item.has_said = isinstance(ending, Broken) or (isinstance(ending, Ended) and bool(ending.out + ending.err))
        try:
            ended = went_through(item.provider, item.subject, ending)
        except ProviderError as error:
            await self._broken(number, ending, error)
            return
        try:
            outputs = {**(item.work.outputs or {}), **item.provider.learnt(item.subject, item.work, ended)}
        except Exception as raised:  # noqa: BLE001 - it has had its effect, of which too little is known.
            unread = as_provider_error(raised)
            unread.may_exist = True
            await self._broken(number, ending, unread)
            return
        item.call.id = item.work.id
        done = Done(item.work.id, outputs) if item.work.outputs is not None else None
        await performer.succeeded(item.begun, item.kind, done, item.call, 1, item.started)
        item.is_settled = True
        performer.tell_ended(item.operation, "done", item.started, 1)
        self._done[item.operation.id] = True
        self._start_next(number)

    async def _broken(self, number: int, ending: Ending, error: ProviderError) -> None:
        """Write down that one did not go through, and with it that nothing after it was begun."""
        item = self._ready[number]
        item.host.known.clear()  # It is not what it was, whatever came of it.
        if isinstance(ending, Mismatch) and self._may_try_again(item):
            return
        await self._failed([item], error, after=self._ready[number + 1 :])
        self._fail(item.operation, error, item.started)

    async def _failed(self, items: Sequence[Prepared], error: ProviderError, after: Sequence[Prepared] = ()) -> None:
        """Write down that operations failed, and of those after them that they were not begun."""
        performer = self._performer
        performer.clean(error)
        rest = [item for item in after if not item.is_settled]
        records = [performer.failure(item.begun, error, 1, item.started) for item in items]
        await performer.record(*records, *self._not_begun(rest, "something before it did not go through"))
        for item in (*items, *rest):
            item.is_settled = True
        for item in items:
            item.is_in_doubt = error.may_exist

    def _start_next(self, number: int) -> None:
        if number + 1 < len(self._ready):
            following = self._ready[number + 1]
            following.started = self._performer.parts.clock.monotonic()
            self._performer.tell_started(following.operation)

    async def _close(self, items: Sequence[Prepared], why: str) -> None:
        """What was begun and not reached did certainly not happen."""
        if items:
            await self._performer.record(*self._not_begun(items, why))
        for item in items:
            item.is_settled = True

    def _not_begun(self, items: Sequence[Prepared], why: str) -> list[Record]:
        return [not_begun(self._performer, item.begun, why, item.started) for item in items]

    def _park(self, parked: Parked) -> None:
        """What is at work goes on by itself, and nobody knows yet which of the others was begun."""
        for item in self._left():
            self._performer.park(item.operation, parked, item.started, 1)
            self._done[item.operation.id] = False

    async def _out_of_reach(self, error: ProviderError) -> None:
        """The machine does not answer: what was begun and not told is in doubt where anything was sent, else not done."""
        left = self._left()
        if left:
            await self._failed(left, error)
            self._fail(left[0].operation, error, left[0].started)
        self._done |= {item.operation.id: False for item in left}

    def _fail(self, operation: Operation, error: Exception, started: float) -> None:
        self._performer.fail(operation, error, started, 1)
        self._done[operation.id] = False

    def _may_try_again(self, item: Prepared) -> bool:
        """Whether an operation that met a changed machine is decided once more."""
        conflicts = self._performer.conflicts
        conflicts[item.operation.id] += 1
        return conflicts[item.operation.id] < CONFLICTS_MAX


def _forget_programs(host: Connector) -> None:
    """What programs said before something was done, they may not say any more."""
    for fact in [fact for fact in host.known if isinstance(fact, Ask)]:
        del host.known[fact]


def _guard(facts: Sequence[Fact], known: Mapping[Fact, Answer | Unanswered]) -> tuple[tuple[Fact, Answer], ...]:
    """What the machine itself can see to be still so."""
    found: list[tuple[Fact, Answer]] = []
    for fact in facts:
        if fact in known:
            answer = known[fact]
            if not isinstance(answer, Unanswered) and can_guard(answer):
                found.append((fact, answer))
    return tuple(found)
