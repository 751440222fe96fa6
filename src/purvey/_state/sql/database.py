"""What an adapter brings to the store in tables: connections, and what the database's errors mean.

Two rules make one body of SQL right for all. A write transaction is alone: it begins after the one before has ended, and sees
everything that one wrote. A read transaction sees one moment's truth, whatever is written meanwhile.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from purvey.errors import StateError

T = TypeVar("T")

PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8, 1.5, 2.0, 2.5, 2.5)
"""Seconds between tries to reach a server that went away: ten in all, and much less than a lease with the tries themselves."""


class Cursor(Protocol):
    """The answer to one statement."""

    def fetchone(self) -> Any:
        """The next row; None after the last."""

    def fetchall(self) -> list[Any]:
        """The rest of the rows."""

    def __iter__(self) -> Iterator[Any]:
        """The rest of the rows, one by one."""


class Connection(Protocol):
    """A connection, for one thread at a time."""

    def execute(self, sql: str, parameters: Sequence[Any] = ..., /) -> Cursor:
        """Carry out one statement; an error may come only with the answer, or with the end of the transaction."""

    def writing(self) -> AbstractContextManager[None]:
        """A write transaction: at its end everything is durable, or nothing was changed and it raises."""

    def reading(self) -> AbstractContextManager[None]:
        """A read transaction."""

    def ticket(self) -> str:
        """What `committed` is asked with; the last thing in a write transaction whose end somebody may ask for."""

    def committed(self, ticket: str) -> bool:
        """Whether the transaction with this ticket was committed; asked in a later write transaction."""

    def damage(self) -> list[str]:
        """What the database itself says is wrong, one sentence each; called in a read transaction."""

    def reindex(self) -> None:
        """Make every index anew from its table, inside a write transaction."""

    def close(self) -> None:
        """Give it back."""


class Database(Protocol):
    """Where connections lead."""

    @property
    def location(self) -> str:
        """Where it is, for messages; without any secret."""

    @property
    def errors(self) -> type[Exception]:
        """What its connections raise."""

    @property
    def row_lock(self) -> str:
        """What is put after a SELECT to keep a lease as it is until the end of the transaction."""

    def connect(self) -> Connection:
        """A new connection; raises one of `errors`."""

    def is_cut(self, error: Exception) -> bool:
        """Whether an error means that the connection was cut, so that nobody knows how the transaction ended."""

    def unreadable(self, error: Exception) -> StateError:
        """What an error means for somebody who reads."""

    def unwritable(self, error: Exception) -> StateError:
        """What an error means for what should have become durable."""

    def backup(self, path: Path) -> None:
        """Write a copy to a new file; raises one of `errors` or `OSError`."""


def patiently(database: Database, attempt: Callable[[], T], pauses_s: Sequence[float] = PAUSES_S) -> T:
    """What `attempt` returns; where the connection is cut, it is tried again after each pause."""
    for pause_s in pauses_s:
        try:
            return attempt()
        except database.errors as error:
            if not database.is_cut(error):
                raise
        threading.Event().wait(pause_s)
    return attempt()
