"""Time and chance, passed in: the only module that reads the clock or draws random numbers.

Everything above takes a `Clock`, so that a test runs an hour of back-off in a millisecond and every random run repeats from
one seed.
"""

from __future__ import annotations

import base64
import os
import random
import time
from datetime import UTC, datetime
from typing import Protocol

# From the alphabet of RFC 4648 to Crockford's, which the ULID specification has.
_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")


_ENTROPY_BYTES = 4096


class Clock(Protocol):
    """What the engine needs of time and chance."""

    def now(self) -> float:
        """Seconds since the epoch; for people and for leases shared between machines."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back and counts the machine's sleep; for durations and deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""

    def random(self) -> float:
        """A number in [0, 1)."""

    def entropy(self, length: int) -> bytes:
        """`length` unpredictable bytes."""


class SystemClock:
    """The machine's own clock and randomness."""

    _entropy = b""
    _pid = 0

    def now(self) -> float:
        """See `Clock.now`."""
        return time.time()

    def monotonic(self) -> float:
        """See `Clock.monotonic`; CLOCK_BOOTTIME, because a laptop that slept has lost its lease."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        import asyncio  # noqa: PLC0415 - only a run that waits pays for asyncio.

        await asyncio.sleep(seconds)

    def random(self) -> float:
        """See `Clock.random`."""
        return random.random()  # noqa: S311 - jitter, not a secret.

    def entropy(self, length: int) -> bytes:
        """See `Clock.entropy`; drawn from the system a page at a time, and never shared with a forked child."""
        if len(self._entropy) < length or self._pid != os.getpid():
            self._entropy, self._pid = os.urandom(max(length, _ENTROPY_BYTES)), os.getpid()
        drawn, self._entropy = self._entropy[:length], self._entropy[length:]
        return drawn


def ulid(clock: Clock) -> str:
    """A new ULID: 26 characters that sort by time (https://github.com/ulid/spec), used for runs and operations."""
    number = (int(clock.now() * 1000) << 80) | int.from_bytes(clock.entropy(10), "big")
    return base64.b32encode(number.to_bytes(20, "big"))[6:].translate(_CROCKFORD).decode()


def timestamp(seconds: float) -> str:
    """`seconds` since the epoch as RFC 3339 in UTC with milliseconds, for example ``2026-01-02T03:04:05.678Z``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
