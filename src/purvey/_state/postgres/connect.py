"""Connections to the server, and what its errors mean.

Every write transaction begins with one lock for the whole store, so that writers follow each other as in a single file: the
numbers of records have no gaps, and a lease that was checked stays as it is until the commit. Its statements go out without
waiting for each other's answers (a pipeline), and are prepared by the driver once they repeat.

A writer that stops in its middle (its process is frozen, or its machine is gone and the network does not tell) would keep the
lock for ever. The server's own time limits do not see it: in a pipeline it counts as active. So a writer that has waited
`LOCK_S` looks whether the server has waited for the one with the lock for `STUCK_S`, and then ends that one's connection.
Whoever wakes up without a connection finds out what became of its commit, as after any cut.

A connection that was cut is made again by the next transaction.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

import psycopg
from psycopg import conninfo
from psycopg.pq import TransactionStatus

from purvey._state.postgres.copying import copy_to_file
from purvey._state.sql.database import PAUSES_S
from purvey.errors import StateError

CONNECT_S: Final = 10
"""Seconds to wait for a server."""

AGAIN_S: Final = 2
"""The same for one try to reach a server again that went away."""

LOCK_S = 15.0
"""Seconds to wait for another writer's transaction; each takes milliseconds, so longer means that something is stuck."""

STUCK_S = 10.0
"""Seconds without a word from a writer that has the lock, after which others may end it; less than `LOCK_S`."""

_LOOK_S: Final = 0.1
"""Seconds between the two looks at such a writer: one that has just had a long answer is about to go on."""

LOCK: Final = 0x50525659
"""``PRVY``: the advisory lock that writers take, one in each database."""

_STUCK: Final = """
SELECT pid, state_change FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid, objid, objsubid) = (0, %s, 1) AND granted
  AND wait_event IN ('ClientRead', 'ClientWrite') AND state_change < clock_timestamp() - make_interval(secs => %s)
"""
"""Who has the writers' lock, and has not been heard of for a while; only sessions of the same user tell that."""

_SESSION: Final = (
    "SET search_path = purvey; SET synchronous_commit = on; SET client_min_messages = warning; "
    "SET idle_in_transaction_session_timeout = 0"
)
"""A reader keeps nobody waiting, and may take as long as it needs with what it got: a copy of a large store does."""

_SETTINGS: Final[dict[str, Any]] = {
    "application_name": "purvey", "keepalives_idle": 10, "keepalives_interval": 5,
    "keepalives_count": 3, "tcp_user_timeout": 30_000,
}  # fmt: skip
"""A server that vanished from the network is noticed within half a minute."""


_ANSWERS: Final = (psycopg.errors.LockNotAvailable, psycopg.errors.InsufficientResources, psycopg.errors.QueryCanceled)
"""Operational errors that a server in its right mind answers: the transaction was rolled back."""


class PostgresCursor:
    """See `purvey._state.sql.database.Cursor`; the answer is waited for when it is asked for."""

    __slots__ = ("_raw",)

    def __init__(self, raw: psycopg.Cursor[Any]) -> None:
        self._raw = raw

    def fetchone(self) -> Any:
        """See `Cursor.fetchone`."""
        return self._raw.fetchone()

    def fetchall(self) -> list[Any]:
        """See `Cursor.fetchall`."""
        return self._raw.fetchall()

    def __iter__(self) -> Iterator[Any]:
        """See `Cursor.__iter__`."""
        return iter(self._raw)


class PostgresConnection:
    """See `purvey._state.sql.database.Connection`.

    Args:
        url: Where to, with everything that is needed to get in.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._raw = _connected(url)

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> PostgresCursor:
        """See `Connection.execute`."""
        cursor = self._raw.cursor(binary=True)
        cursor.execute(cast("Any", _translated(sql)), parameters)
        return PostgresCursor(cursor)

    @contextmanager
    def writing(self) -> Iterator[None]:
        """See `Connection.writing`."""
        self._whole()
        try:
            with self._rolled_back(), self._raw.pipeline():
                self._raw.execute("BEGIN ISOLATION LEVEL READ COMMITTED")
                self._raw.execute("SELECT pg_advisory_xact_lock(%s::bigint)", (LOCK,))
                yield
                self._raw.execute("COMMIT")
        except psycopg.errors.LockNotAvailable as error:
            if self._end_stuck():  # To whoever called, that is a cut connection: there is nothing in the way of the next try.
                raise psycopg.OperationalError("a writer that had stopped kept the lock, and was ended") from error
            raise

    @contextmanager
    def reading(self) -> Iterator[None]:
        """See `Connection.reading`."""
        self._whole()
        with self._rolled_back():
            self._begin_reading()
            yield
            self._raw.execute("COMMIT")

    def ticket(self) -> str:
        """See `Connection.ticket`; it is waited for, so that it is known before the commit is sent."""
        return str(self.execute("SELECT txid_current()").fetchone()[0])

    def committed(self, ticket: str) -> bool:
        """See `Connection.committed`; it has ended, as this transaction has the lock that it had."""
        return bool(self.execute("SELECT txid_status(?::bigint) = 'committed'", (ticket,)).fetchone()[0])

    def damage(self) -> list[str]:
        """See `Connection.damage`: nothing, for the server checks its pages and references itself."""
        return []

    def reindex(self) -> None:
        """See `Connection.reindex`: nothing, for it is asked for only where there is damage."""

    def close(self) -> None:
        """See `Connection.close`."""
        self._raw.close()

    def _begin_reading(self) -> None:
        """Begin, and wait a moment for a server that is being started again; a reader may always begin once more."""
        for pause_s in (*PAUSES_S, None):
            try:
                self._whole()
                self._raw.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            except psycopg.OperationalError:
                if pause_s is None:
                    raise
            else:
                return
            threading.Event().wait(pause_s)

    def _end_stuck(self) -> bool:
        """End the connection of a writer that stopped while it had the lock; False if there is none."""
        before = self._stuck()
        if before:
            threading.Event().wait(_LOOK_S)
        ended = False
        with suppress(psycopg.errors.InsufficientPrivilege):  # Another role's: whoever reads the error has to end it.
            for pid, _ in before & self._stuck():
                ended |= bool(self._raw.execute("SELECT pg_terminate_backend(%s)", (pid,)).fetchall()[0][0])
        return ended

    def _stuck(self) -> set[tuple[Any, ...]]:
        return set(self._raw.execute(_STUCK, (LOCK, STUCK_S)).fetchall())

    def _whole(self) -> None:
        """Connect again if the connection was cut."""
        if self._raw.closed or self._raw.info.transaction_status is not TransactionStatus.IDLE:
            self._raw.close()
            self._raw = _connected(self._url, within_s=AGAIN_S)

    @contextmanager
    def _rolled_back(self) -> Iterator[None]:
        """Leave no transaction open behind an error."""
        try:
            yield
        except BaseException:
            with suppress(psycopg.Error):
                if not self._raw.closed and self._raw.info.transaction_status is not TransactionStatus.IDLE:
                    self._raw.execute("ROLLBACK")
            raise


class PostgresDatabase:
    """See `purvey._state.sql.database.Database`.

    Args:
        url: Where to, with everything that is needed to get in.

    Raises:
        StateError: ``state.bad_location``.
    """

    errors: Final = psycopg.Error
    row_lock: Final = " FOR SHARE OF lease"

    def __init__(self, url: str) -> None:
        self._url = url
        self._parts = _parts(url)
        self.location: Final = _shown(self._parts)

    def connect(self) -> PostgresConnection:
        """See `Database.connect`."""
        return PostgresConnection(self._url)

    def is_cut(self, error: Exception) -> bool:
        """See `Database.is_cut`; a server that does not answer yet counts, too."""
        return isinstance(error, psycopg.OperationalError) and not isinstance(error, _ANSWERS)

    def unreadable(self, error: Exception) -> StateError:
        """See `Database.unreadable`."""
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return StateError(
                "state.locked",
                "Another program keeps the store locked",
                detail=f"{self.location} was locked for {LOCK_S:g} s; a run locks it for milliseconds at a time.",
                hint="Ask the server who has it:\n\n    SELECT pid, state, query FROM pg_stat_activity;",
            )
        return StateError(
            "state.cannot_open",
            "The store cannot be opened",
            detail=f"{self.location}: {self._words(error)}. What purvey remembers is kept there, so the server must "
            "answer, and let this user in.",
            hint="Try the same from a shell:\n\n    psql \"$PURVEY_STORE\" -c 'SELECT 1'",
        )

    def unwritable(self, error: Exception) -> StateError:
        """See `Database.unwritable`."""
        if isinstance(error, psycopg.errors.LockNotAvailable):
            return self.unreadable(error)
        return StateError(
            "state.write_failed",
            "The store cannot be written",
            detail=f"{self.location}: {self._words(error)}. Nothing is done that could not be written down first; what was "
            "acknowledged before is safe.",
            hint="Bring the server back. Then see which run it was, and go on with it:\n\n"
            "    purvey runs\n    purvey resume RUN",
        )

    def backup(self, path: Path) -> None:
        """See `Database.backup`: the copy is a store in one SQLite file, with the same estate and key."""
        source = self.connect()
        try:
            copy_to_file(source, path)
        finally:
            source.close()

    def _words(self, error: Exception) -> str:
        """The server's or the driver's own words on one line, without the password."""
        text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        password = str(self._parts.get("password") or "")
        return text.replace(password, "…") if password else text


def _connected(url: str, within_s: int = CONNECT_S) -> psycopg.Connection[Any]:
    raw = psycopg.connect(conninfo.make_conninfo(url, connect_timeout=within_s, **_SETTINGS), autocommit=True)
    try:
        raw.execute(f"{_SESSION}; SET lock_timeout = {LOCK_S * 1000:.0f}".encode())
    except BaseException:
        raw.close()
        raise
    return raw


def _parts(url: str) -> dict[str, Any]:
    try:
        return dict(conninfo.conninfo_to_dict(url))
    except psycopg.Error:  # Its words quote the text, and the password may be in it.
        raise StateError(
            "state.bad_location",
            "The place of the store is not one",
            detail="PURVEY_STORE or `store` in purvey.toml looks like the address of a server, and cannot be read as one. "
            "It is not shown, because there may be a password in it.",
            hint="Write it like this:\n\n    export PURVEY_STORE=postgresql://user@host:5432/database",
        ) from None


def _shown(parts: dict[str, Any]) -> str:
    """The place without a password or options."""
    user = f"{quote(str(parts['user']))}@" if parts.get("user") else ""
    host = quote(str(parts.get("host") or parts.get("hostaddr") or ""), safe=":,[]")
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{host}{port}/{quote(str(parts.get('dbname') or ''))}"


@cache
def _translated(sql: str) -> bytes:
    """A statement with the driver's placeholders; there are few, so each is translated once."""
    return sql.replace("%", "%%").replace("?", "%s").encode()
