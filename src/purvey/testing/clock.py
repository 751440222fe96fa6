"""Time and chance that a test holds in its hand."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable

__all__ = ["VirtualClock"]


class VirtualClock:
    """A clock that sleeping moves; an hour of waiting takes no time.

    Args:
        start: Seconds since the epoch at the beginning.
        seed: For chance; None for chance that no other clock repeats.
        limit_s: Sleeping longer than this in all is an error, so that a test that waits for ever fails instead.
        moved: Told by how many seconds a sleep moved it, so that other clocks can follow.

    Attributes:
        seconds: What it shows; a test may set it.
        slept: Every sleep, in seconds.
    """

    def __init__(
        self, start: float = 1_800_000_000.0, *, seed: int | None = 0, limit_s: float = 1e6,
        moved: Callable[[float], None] | None = None,
    ) -> None:  # fmt: skip
        self.seconds = start
        self.slept: list[float] = []
        self._end = start + limit_s
        self._moved = moved
        self._random = random.Random(seed)  # noqa: S311 - jitter and names, not secrets.
        self._lock = threading.Lock()

    def now(self) -> float:
        """See `Clock.now`."""
        return self.seconds

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Move time on, and let the others run."""
        import asyncio  # noqa: PLC0415 - a test without a loop needs none.

        until = self.seconds + seconds
        self.slept.append(seconds)
        await asyncio.sleep(0)
        if until > self.seconds:
            if self._moved is not None:
                self._moved(until - self.seconds)
            self.seconds = until
        if self.seconds > self._end:
            raise AssertionError("The test waits for something that never comes.")

    def random(self) -> float:
        """See `Clock.random`."""
        with self._lock:
            return self._random.random()

    def entropy(self, length: int) -> bytes:
        """See `Clock.entropy`."""
        with self._lock:
            self.seconds += 0.001  # So that ids made one after the other sort in that order.
            return self._random.randbytes(length)
