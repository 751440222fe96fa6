"""Points at which a child process dies, falls asleep or fails: before and after every journal write and every effect.

A variable names the number of the point, counted from 1: `KILL` ends the process with SIGKILL, `ASLEEP` stops it with SIGSTOP
until somebody sends SIGCONT, `FAIL` lets the write or the call fail there. Nothing in the package knows of it: the journal is
wrapped here, and the tests' own kinds call `reached`.

A write that fails is a full disk: from then on every write fails. A call that fails is a cut connection: nobody knows whether
it had its effect, which depends on whether the point is before or after.
"""

from __future__ import annotations

import functools
import itertools
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from purvey._state.record import Begun, Record
from purvey.errors import ProviderError, StateError

KILL = "PURVEY_TEST_KILL_AT"
ASLEEP = "PURVEY_TEST_STOP_AT"
FAIL = "PURVEY_TEST_FAIL_AT"

MARK = "at the point: "
"""What is told on standard error goes with this."""

_numbers = itertools.count(1)
_full: list[bool] = []


def reached(label: str) -> bool:
    """Die, or fall asleep, if this is the point; True if this is where something is to fail.

    Args:
        label: What the point is, for people; told on standard error before anything happens.
    """
    number = str(next(_numbers))
    for variable, sent in ((KILL, signal.SIGKILL), (ASLEEP, signal.SIGSTOP), (FAIL, None)):
        if os.environ.get(variable) == number:
            os.write(2, f"{MARK}{label}\n".encode())
            if sent is None:
                return True
            os.kill(os.getpid(), sent)
    return False


def called(label: str) -> None:
    """A point before or after a call.

    Raises:
        ProviderError: an ambiguous one, if this is where something is to fail.
    """
    if reached(label):
        raise ProviderError("unavailable", "The connection was cut", may_exist=True)


def wrap_journal() -> None:
    """Make points of every journal write, just before it is asked for and just after it is durable."""
    from purvey._state.journal import Journal  # noqa: PLC0415 - only a child process wraps it.

    Journal.write = _awaited(Journal.write)  # type: ignore[method-assign]
    Journal.write_now = _called(Journal.write_now)  # type: ignore[method-assign]


def _awaited(method: Callable[..., Awaitable[None]]) -> Callable[..., Any]:
    @functools.wraps(method)
    async def wrapped(journal: Any, *records: Record) -> None:
        _written(f"before {_named(records)} is on disk")
        await method(journal, *records)
        _written(f"after {_named(records)} is on disk")

    return wrapped


def _called(method: Callable[..., None]) -> Callable[..., Any]:
    @functools.wraps(method)
    def wrapped(journal: Any, *records: Record) -> None:
        _written(f"before {_named(records)} is on disk")
        method(journal, *records)
        _written(f"after {_named(records)} is on disk")

    return wrapped


def _written(label: str) -> None:
    if reached(label):
        _full.append(True)
    if _full:
        raise StateError("state.write_failed", "The store cannot be written", detail="The disk is full.")


def _named(records: tuple[Record, ...]) -> str:
    return ", ".join(f"`{type(record).__name__.lower()}`{_verb(record)}" for record in records)


def _verb(record: Record) -> str:
    return f" of the {record.verb}" if isinstance(record, Begun) else ""


class Dies(BaseException):
    """The process ends here."""


@contextmanager
def dying(what: str) -> Iterator[None]:
    """Whoever comes to the point called `what` dies, in this process."""

    def dies(label: str) -> None:
        if label == what:
            raise Dies

    module = sys.modules[__name__]
    former, module.called = module.called, dies  # type: ignore[attr-defined]
    try:
        yield
    except Dies:
        return
    finally:
        module.called = former  # type: ignore[attr-defined]
    raise AssertionError(f"Nobody came to {what}.")
