"""A batch on its way: sent until the machine has told all there is to tell, and let go of when the run is interrupted.

Three things go on at once. The program is sent, and sent again when a link broke; the ends that the machine tells are written
down one after the other; and somebody may ask to stop. Then the machine is told to begin nothing new, what is at work has a
moment to end, and goes on by itself if it does not: a resume finds out what became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Final

from purvey._apply.attempt import Parked
from purvey._base.limits import CALL_DEADLINE_S, STEP_S
from purvey._hosts.change import Run, Write
from purvey._hosts.step import Ended
from purvey.errors import HostError, ProviderError

if TYPE_CHECKING:
    from purvey._apply.perform import Performer
    from purvey._apply.prepare import Prepared
    from purvey._hosts.step import Ending

HALT_S: Final = 5.0
"""How long what is at work may take to end when the run is interrupted, in seconds; longer, and the person waits in vain."""


class Sending:
    """Sends decided operations to their machine.

    Args:
        performer: Performs the plan.
        items: The operations; their begin is on disk.
        record: Writes down how one ended, by its number.
        told: Is told of each that begins to take a while.
        fresh: Whether the machine may forget what it did before.

    Attributes:
        is_halted: Whether the machine let go of it on our demand: what it has not told of was not begun.
    """

    def __init__(
        self, performer: Performer, items: Sequence[Prepared], record: Callable[[int, Ending], Awaitable[None]],
        told: Callable[[int], None], *, fresh: bool,
    ) -> None:  # fmt: skip
        self.is_halted = False
        self._performer = performer
        self._items = items
        self._record = record
        self._told = told
        self._fresh = fresh
        self._went_through = True
        self._is_halting = False
        self._may_be_at_work = False
        self._ends: asyncio.Queue[tuple[int, Ending] | None] = asyncio.Queue()

    async def until_over(self) -> None:
        """Return when the machine has told all there is to tell, and that is written down.

        Raises:
            Parked: it is still at work.
            ProviderError: ``unavailable`` if the machine is out of reach, ``conflict`` if somebody else works there.
        """
        sent = asyncio.ensure_future(self._send())
        recorded = asyncio.ensure_future(self._record_all())
        try:
            await self._until_ended(sent, recorded)
            self._ends.put_nowait(None)
            await recorded
            await sent
        finally:
            for task in (sent, recorded):
                task.cancel()

    async def _until_ended(self, sent: asyncio.Future[None], recorded: asyncio.Future[None]) -> None:
        """Return when nothing is to be heard any more; what cannot be written down ends it at once."""
        stopped = asyncio.ensure_future(self._performer.stop.asked())
        try:
            await asyncio.wait((sent, recorded, stopped), return_when=asyncio.FIRST_COMPLETED)
            if not sent.done() and not recorded.done():
                await self._halt(sent)
        finally:
            stopped.cancel()
        if recorded.done():
            recorded.result()

    async def _halt(self, sent: asyncio.Future[None]) -> None:
        """Let nothing new begin; leave what is at work after a moment."""
        self._is_halting = True
        moment = asyncio.ensure_future(self._performer.parts.clock.sleep(HALT_S))
        halting = asyncio.ensure_future(self._items[0].host.halt())
        try:
            await asyncio.wait((sent, moment), return_when=asyncio.FIRST_COMPLETED)
        finally:
            moment.cancel()
            halting.cancel()
            await asyncio.wait((halting,))
            if not halting.cancelled():
                halting.exception()  # A machine that cannot be told is out of reach for what is at work, too.
        if not sent.done():
            sent.cancel()
            await asyncio.wait((sent,))

    async def _send(self) -> None:
        performer, items = self._performer, self._items
        first = items[0]
        attempts = performer.attempts(
            first.operation.id, first.operation.address, first.kind, own_s=time_s(items), started=first.started
        )  # fmt: skip
        try:
            await attempts.until_done(self._act, self._act, repeats=True)
        except (asyncio.CancelledError, ProviderError) as error:
            if isinstance(error, ProviderError):  # An attempt before the last one may have reached the machine.
                error.may_exist = error.may_exist or attempts.called_at is not None
            if not self._is_halting:
                raise
            raise Parked(first.operation.address, "it goes on by itself on its machine", interrupted=True) from None

    async def _act(self) -> None:
        """Send what has not ended yet; nothing after what did not go through."""
        if self._is_halting:  # It would begin anew what the machine was told to let be.
            raise HostError("unavailable", "The link to a machine was lost", detail="The run is interrupted.", may_exist=True)
        left = [number for number, item in enumerate(self._items) if not item.has_ended]
        if not left or not self._went_through:
            return

        def told(number: int, ending: Ending | None) -> None:
            """See one begin or end."""
            if ending is None:
                self._told(left[number])
                return
            self._items[left[number]].has_ended = True
            self._went_through = self._went_through and isinstance(ending, Ended)
            self._ends.put_nowait((left[number], ending))

        fresh, self._fresh = self._fresh, False  # A second time, it is its own work that would be forgotten.
        try:
            await self._items[0].host.perform([self._items[number].step() for number in left], fresh=fresh, told=told)
        except HostError as error:
            # What an earlier program began is not known to have ended because a later one could not be sent.
            self._may_be_at_work = error.may_exist = self._may_be_at_work or error.may_exist
            self._see_let_go(error)
            raise

    def _see_let_go(self, error: HostError) -> None:
        """Note that it was on our demand that the machine let go."""
        self.is_halted = self._is_halting and error.code == "conflict" and not error.may_exist

    async def _record_all(self) -> None:
        while (told := await self._ends.get()) is not None:
            await self._record(*told)


def time_s(items: Sequence[Prepared]) -> float:
    """How long a batch may take: what its commands may, some time for each step, and one call's time for all the rest."""
    changes = [change for item in items for change in item.work.changes]
    commands = [change.command for change in changes if isinstance(change, Run)]
    commands += [change.validate for change in changes if isinstance(change, Write) and change.validate is not None]
    return CALL_DEADLINE_S + STEP_S * len(items) + sum(command.timeout_s for command in commands)
