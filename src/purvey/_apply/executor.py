"""The executor: runs work for ids in the order of their needs, so many at a time. It knows neither resources nor files.

Work whose needs are complete is started longest remaining chain first, so that a run ends near its critical path. A fixed
crew of workers does it, rather than one task for each id: a hundred thousand operations then cost a hundred thousand queue
entries, not as many coroutines that wait.

Work that shares a *lane* (a machine) goes together: all that is ready there, and all that needs nothing but that, in one piece.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

T = TypeVar("T")
Status = Literal["done", "failed", "skipped"]


class Lanes(NamedTuple):
    """How work is done together.

    Attributes:
        of: The lane of an id; empty for one that goes by itself.
        work: Does ids of one lane, each after all that it needs; True for each that is done, False for each that failed, and
            nothing for one that has to be tried again, which it MUST NOT say of all of them again and again.
        at_once: How many lanes are worked in at once; that is apart from what runs by itself.
        most: How many ids go together at most.
    """

    of: Callable[[str], str]
    work: Callable[[Sequence[str]], Awaitable[Mapping[str, bool]]]
    at_once: int
    most: int


async def _nothing(_: Sequence[str]) -> Mapping[str, bool]:
    return {}


NO_LANES = Lanes(lambda _: "", _nothing, 1, 1)


class Stopped(Exception):  # noqa: N818 - a wish, and no error.
    """A look at the world was given up, because the person asked to stop."""


class Stop:
    """Asks an execution to start nothing new; what runs may finish."""

    def __init__(self) -> None:
        self._asked = False
        self._pauses: set[asyncio.Future[None]] = set()

    def ask(self) -> None:
        """Start nothing new from now on, and wait for nothing; may be called from any thread, and by a signal's handler."""
        self._asked = True
        for pause in tuple(self._pauses):
            pause.get_loop().call_soon_threadsafe(pause.cancel)

    def is_asked(self) -> bool:
        """Whether nothing new may start."""
        return self._asked

    async def asked(self) -> None:
        """Return when nothing new may start."""
        await self.pause(_for_ever())

    async def unless_asked(self, look: Coroutine[Any, Any, T]) -> T:
        """What a look at the world finds, which nobody need wait for once the stop is asked.

        Raises:
            Stopped: if that is asked first; the look is given up.
        """
        tasks = looking, asked = asyncio.ensure_future(look), asyncio.ensure_future(self.asked())
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if not looking.done():
                raise Stopped
        finally:
            looking.cancel()
            asked.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return looking.result()

    async def pause(self, sleep: Coroutine[Any, Any, None]) -> None:
        """Wait until `sleep` is over or the stop is asked, whichever comes first."""
        pause = asyncio.ensure_future(sleep)
        self._pauses.add(pause)  # Before the look, so that nobody who asks meanwhile is missed.
        try:
            if not self.is_asked():
                await asyncio.wait((pause,))
        finally:
            self._pauses.discard(pause)
            pause.cancel()
        if not self.is_asked():
            pause.result()


class Either(Stop):
    """Starts nothing new after a failure of its own, or when the person asks."""

    def __init__(self, person: Stop) -> None:
        super().__init__()
        self._person = person

    def is_asked(self) -> bool:
        """See `Stop.is_asked`."""
        return self._asked or self._person.is_asked()


async def _for_ever() -> None:
    await asyncio.Event().wait()


async def execute(
    needs: Mapping[str, Sequence[str]],
    work: Callable[[str], Awaitable[bool]],
    *,
    parallel: int,
    stop: Stop,
    go_on: Callable[[str], bool] = lambda _: False,
    lanes: Lanes = NO_LANES,
    despite: Mapping[str, Collection[str]] = MappingProxyType({}),
) -> dict[str, Status]:
    """Perform `work` for every id, each after all its needs are done.

    Args:
        needs: For each id, the ids that must be done first; needs that are not themselves ids count as done. No cycles.
        work: Does one; True when it is done, False when it failed. An exception ends the whole execution.
        parallel: How many run at once, at least 1.
        stop: When it is asked, nothing new starts.
        go_on: For an id that failed: whether others that do not need it may still start.
        lanes: What is done together.
        despite: For an id those of its needs that only have to be over: done, failed, or behind one that failed.

    Returns:
        For each id how it ended; ``skipped`` were never started.
    """
    crew = _Crew(needs, work, stop, go_on, lanes, despite)
    workers = [asyncio.create_task(crew.work()) for _ in range(min(parallel, len(needs)))]
    try:
        await asyncio.gather(*workers, crew.over)
    finally:
        for worker in (*workers, *crew.pieces):
            worker.cancel()
    return {item: crew.status.get(item, "skipped") for item in needs}


class _Crew:
    """What the workers share.

    Attributes:
        over: Done when nothing is left to do, or with what work in a lane has raised.
    """

    def __init__(
        self,
        needs: Mapping[str, Sequence[str]],
        work: Callable[[str], Awaitable[bool]],
        stop: Stop,
        go_on: Callable[[str], bool],
        lanes: Lanes,
        despite: Mapping[str, Collection[str]],
    ) -> None:
        self.status: dict[str, Status] = {}
        self.pieces: set[asyncio.Task[None]] = set()
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._work = work
        self._stop = stop
        self._go_on = go_on
        self._lanes = lanes
        self._despite = despite
        self._out: set[str] = set()
        self._turns = asyncio.Semaphore(lanes.at_once)
        self._ready_in: dict[str, list[tuple[int, str]]] = {}
        self._busy: set[str] = set()
        self._taken: set[str] = set()
        self._waiting = {item: sum(need in needs for need in wanted) for item, wanted in needs.items()}
        self._after: dict[str, list[str]] = {}
        for item, wanted in needs.items():
            for need in wanted:
                if need in needs:
                    self._after.setdefault(need, []).append(item)
        self._height = _heights(self._waiting, self._after)
        self._ready: asyncio.PriorityQueue[tuple[int, int, str]] = asyncio.PriorityQueue()
        self._order = {item: index for index, item in enumerate(needs)}
        self._left = 0
        first = [item for item, count in self._waiting.items() if count == 0]
        for item in sorted(first, key=self._height.__getitem__, reverse=True):
            self._push(item)
        self._idle()

    def _push(self, item: str) -> None:
        lane = self._lanes.of(item)
        if lane:
            heappush(self._ready_in.setdefault(lane, []), (self._order[item], item))
            self._start_piece(lane)
            return
        self._left += 1
        self._ready.put_nowait((-self._height[item], self._order[item], item))

    def _idle(self) -> None:
        """Wake every worker for the end when nothing is queued or running any more."""
        if self._left == 0:
            self._ready.put_nowait((1, 0, ""))
            if not self.over.done():
                self.over.set_result(None)

    async def work(self) -> None:
        while True:
            _, _, item = await self._ready.get()
            if not item:
                self._ready.put_nowait((1, 0, ""))
                return
            if not self._stop.is_asked():
                self._end(item, done=await self._work(item))
            self._left -= 1
            self._idle()

    def _end(self, item: str, *, done: bool) -> None:
        self.status[item] = "done" if done else "failed"
        if done:
            for follower in self._after.get(item, ()):
                self._release(follower)
        elif self._go_on(item):
            self._leave_out(item)
        else:
            self._stop.ask()

    def _release(self, follower: str) -> None:
        """One need less to wait for."""
        self._waiting[follower] -= 1
        if self._waiting[follower] == 0 and follower not in self._taken and follower not in self._out:
            self._push(follower)

    def _leave_out(self, failed: str) -> None:
        """What needs a failed one is never started; what only waits for its end goes on."""
        over = [failed]
        for item in over:
            for follower in self._after.get(item, ()):
                if item in self._despite.get(follower, ()):
                    self._release(follower)
                elif follower not in self._out:
                    self._out.add(follower)
                    over.append(follower)

    # Lanes.

    def _start_piece(self, lane: str) -> None:
        """Begin to work in a lane, unless somebody does; who does looks for more at the end."""
        if lane in self._busy:
            return
        self._busy.add(lane)
        self._left += 1
        piece = asyncio.create_task(self._piece(lane))
        self.pieces.add(piece)
        piece.add_done_callback(self._piece_ended)

    def _piece_ended(self, piece: asyncio.Task[None]) -> None:
        self.pieces.discard(piece)
        error = None if piece.cancelled() else piece.exception()
        if error is not None and not self.over.done():
            self.over.set_exception(error)
        self._left -= 1
        self._idle()

    async def _piece(self, lane: str) -> None:
        """All the work in a lane that can be done now."""
        async with self._turns:
            while not self._stop.is_asked() and (items := self._gather(lane)):
                ended = await self._lanes.work(items)
                for item in items:
                    if item in ended:
                        self._end(item, done=ended[item])
                self._taken.difference_update(items)
                for item in items:
                    if item not in ended and self._waiting[item] == 0:
                        heappush(self._ready_in[lane], (self._order[item], item))
        self._busy.discard(lane)

    def _gather(self, lane: str) -> list[str]:
        """What is ready in a lane, and what follows from nothing else, each after what it needs."""
        ready = self._ready_in[lane]
        following: list[tuple[int, str]] = []
        left: dict[str, int] = {}
        found: list[str] = []
        while (ready or following) and len(found) < self._lanes.most:
            is_next = not following or (ready and ready[0] < following[0])
            _, item = heappop(ready if is_next else following)
            found.append(item)
            for follower in self._after.get(item, ()):
                if self._lanes.of(follower) == lane:
                    left[follower] = left.get(follower, self._waiting[follower]) - 1
                    if left[follower] == 0:
                        heappush(following, (self._order[follower], follower))
        self._taken.update(found)
        return found


def _heights(waiting: Mapping[str, int], after: Mapping[str, list[str]]) -> dict[str, int]:
    """For each id the length of the longest chain that follows it."""
    left = dict(waiting)
    order = [item for item, count in left.items() if count == 0]
    for item in order:
        for follower in after.get(item, ()):
            left[follower] -= 1
            if left[follower] == 0:
                order.append(follower)
    height: dict[str, int] = {}
    for item in reversed(order):
        height[item] = 1 + max((height[follower] for follower in after.get(item, ())), default=0)
    return height
