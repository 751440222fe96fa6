"""Points at which a child process dies, or falls asleep: before and after every journal write and every effect.

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
ASLEEP = "PURVEY_TEST_STOP_AT"
"""The same for SIGSTOP: the process sleeps until somebody sends SIGCONT."""

_numbers = itertools.count(1)


def reached() -> None:
    """Die, or fall asleep, if this is the point."""
    number = next(_numbers)
    for variable, sent in ((VARIABLE, signal.SIGKILL), (ASLEEP, signal.SIGSTOP)):
        if os.environ.get(variable) == str(number):
            os.kill(os.getpid(), sent)


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
