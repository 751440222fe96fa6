"""Points at which a child process dies: before and after every journal write and every effect.

The variable ``PURVEY_TEST_KILL_AT`` names the number of the point, counted from 1, at which the process kills itself with
SIGKILL. Nothing in the package knows of it: the journal is wrapped here, and the tests' own kinds call `reached`.
"""

from __future__ import annotations

import functools
import itertools
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

VARIABLE = "PURVEY_TEST_KILL_AT"

_numbers = itertools.count(1)


def reached() -> None:
    """Die if this is the point."""
    wanted = os.environ.get(VARIABLE)
    if wanted and next(_numbers) == int(wanted):
        os.kill(os.getpid(), signal.SIGKILL)


def wrap_journal() -> None:
    """Make points of every journal write, just before it is asked for and just after it is durable."""
    from purvey._state.journal import Journal  # noqa: PLC0415 - only a child process wraps it.

    Journal.write = _awaited(Journal.write)  # type: ignore[method-assign]
    Journal.write_now = _called(Journal.write_now)  # type: ignore[method-assign]


def _awaited(method: Callable[..., Awaitable[None]]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def wrapped(*args: Any) -> None:
        reached()
        await method(*args)
        reached()

    return wrapped


def _called(method: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapped(*args: Any) -> None:
        reached()
        method(*args)
        reached()

    return wrapped
