"""One operation's attempts: calling, retrying, waiting. Waiting belongs to the engine, so every provider waits alike."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec

from purvey._apply.executor import Stop
from purvey._apply.outcome import GiveUp, RetryAfter, as_provider_error, judge
from purvey._base.clock import Clock
from purvey._base.event import Observer, OperationProgress, OperationRetried
from purvey._base.limits import ASKED_MAX, BACKOFF_S, BACKOFF_S_MAX, CALL_DEADLINE_S, LOOK_S
from purvey._gate.question import UnansweredError, bounded
from purvey.errors import ProviderError
from purvey.providers import Done, Outcome, Pending, Provider

T = TypeVar("T")

Act = Callable[[], Awaitable[Outcome | None]]


class Parked(Exception):  # noqa: N818 - not an error: the object is still pending, and a resume goes on waiting.
    """The operation is still pending when its time is up, or the run was asked to stop; nothing is undone."""

    def __init__(self, address: str, progress: str, *, interrupted: bool) -> None:
        super().__init__(progress)
        self.address = address
        self.progress = progress
        self.interrupted = interrupted


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the attempts of one operation have in common.

    Attributes:
        run: The run's id.
        operation: The operation's id in the plan, for events.
        address: Its node.
        timeout_s: How long it may stay pending.
        deadline_s: How long one call may take; then it is still pending, as far as anybody knows.
        lands_within_s: How long after a call that was cut off its effect may still happen.
        seen_within_s: How long what was made may not be seen.
        started: When it began, on the monotonic clock.
    """

    run: str
    operation: str
    address: str
    timeout_s: float
    started: float
    deadline_s: float = CALL_DEADLINE_S
    lands_within_s: float = 0.0
    seen_within_s: float = 0.0


class Attempts:
    """Calls until it is done, gives up or parks.

    Args:
        job: The operation.
        clock: Time and chance.
        observer: Sees waits and retries.
        stop: When it is asked, waiting ends: what is pending is looked at once more.
        guard: Called before each call; raises when the lease is not ours any more.

    Attributes:
        count: Attempts so far, from 1.
        earlier: Attempts of an earlier process that are over: what they led to is not asked for again.
        called_at: When the last attempt that may have had its effect was made, in this process or in one that was interrupted,
            in seconds since the epoch; None if none was.
    """

    def __init__(
        self, job: Job, clock: Clock, observer: Observer, stop: Stop, guard: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self.job = job
        self.count = 1
        self.earlier = 0
        self.called_at: float | None = None
        self._clock = clock
        self._observer = observer
        self._stop = stop
        self._guard = guard

    @property
    def number(self) -> int:
        """Which attempt of the operation the present one is, from 1."""
        return self.earlier + self.count

    async def until_done(self, act: Act, ready: Act, *, repeats: bool) -> Done | None:
        """Perform `act`, then ask `ready` for as long as it is pending.

        Args:
            act: The call.
            ready: Asks whether it is complete.
            repeats: Whether a call without an answer may simply be made again, because that makes no second object.

        Returns:
            What the provider made; None where it has nothing to say (a delete).

        Raises:
            ProviderError: the failure that no further attempt can mend.
            Parked: it is still pending.
        """
        outcome = await self._retry(act, repeats=repeats, unseen_until=(self.called_at or 0.0) + self.job.seen_within_s)
        made_at = self._clock.now()
        while isinstance(outcome, Pending):
            self._see_pending(outcome)
            await self._stop.pause(self._clock.sleep(outcome.again_s))
            outcome = await self._retry(ready, repeats=True, unseen_until=made_at + self.job.seen_within_s)
        return outcome

    def _see_pending(self, pending: Pending) -> None:
        job = self.job
        self._observer.on(
            OperationProgress(
                at=self._clock.now(), run=job.run, operation=job.operation, address=job.address, text=pending.progress,
                again_s=pending.again_s,
            )
        )  # fmt: skip
        late = self._clock.monotonic() - job.started > job.timeout_s
        if late or self._stop.is_asked():
            raise Parked(job.address, pending.progress, interrupted=not late)

    async def _retry(self, act: Act, *, repeats: bool, unseen_until: float) -> Outcome | None:
        while True:
            self._guard()
            deadline = asyncio.timeout(self.job.deadline_s)
            try:
                async with deadline:
                    return await act()
            except Exception as error:
                if isinstance(error, TimeoutError) and deadline.expired():
                    self.called_at = self._clock.now()
                    raise Parked(self.job.address, f"no answer within {self.job.deadline_s:g} s", interrupted=False) from error
                verdict = judge(error, self.count, repeats=repeats, clock=self._clock)
                if isinstance(verdict, GiveUp) and self._says_nothing(verdict.error.code, unseen_until):
                    verdict = RetryAfter(min(LOOK_S, BACKOFF_S * 2 ** min(self.count, 9)))
                if isinstance(verdict, GiveUp):
                    raise verdict.error from error
                if as_provider_error(error).may_exist:
                    self.called_at = self._clock.now()
                if not self._stop.is_asked():
                    self._see_retry(error, verdict.seconds)
                    await self._stop.pause(self._clock.sleep(verdict.seconds))
                if self._stop.is_asked():  # It may pass by itself, but nobody wants to wait: the run is resumed later.
                    raise Parked(self.job.address, str(error), interrupted=True) from error
                self.count += 1

    def _says_nothing(self, code: str, unseen_until: float) -> bool:
        """Whether an answer may be about the operation's own object, which is not to be seen yet."""
        now, job = self._clock.now(), self.job
        if code == "already_exists" and self.called_at is not None and job.seen_within_s:
            return now < self.called_at + job.lands_within_s + job.seen_within_s
        return code == "not_found" and now < unseen_until

    def _see_retry(self, error: BaseException, again_s: float) -> None:
        job = self.job
        code = error.code if isinstance(error, ProviderError) else "failed"
        self._observer.on(
            OperationRetried(
                at=self._clock.now(), run=job.run, operation=job.operation, address=job.address, attempt=self.count,
                code=code, detail=str(error).splitlines()[0] if str(error) else "", again_s=again_s,
            )
        )  # fmt: skip


async def answered(ask: Callable[[], Awaitable[T]], clock: Clock, provider: Provider[Any]) -> T:
    """The answer to a question that changes nothing; without one it is asked again, but not for long.

    Args:
        ask: Asks it.
        clock: Time and chance.
        provider: Who is asked.

    Raises:
        Exception: what the last try raised; ``timeout`` for one that had no answer within a call's time, which is the last one.
    """
    for attempt in range(1, ASKED_MAX):
        try:
            return await bounded(ask(), provider)
        except UnansweredError:
            raise
        except Exception as error:
            verdict = judge(error, attempt, repeats=True, clock=clock)
            if isinstance(verdict, GiveUp) or verdict.seconds > BACKOFF_S_MAX:
                raise
            await clock.sleep(verdict.seconds)
    return await bounded(ask(), provider)
