"""Talking to a PostgreSQL server: connect, run, and turn the server's refusals into purvey's errors.

purvey administers its own servers through their sockets, as the superuser ``postgres``, without a password: the server
asks the kernel who is at the other end. A connection lives for one operation, so a server that was restarted meanwhile is
never met through a stale one. Identifiers and literals are put into statements by psycopg, never by formatting text.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, LiteralString
from urllib.parse import quote

from purvey._base.limits import EVIDENCE_BYTES_MAX
from purvey.errors import Code, ProviderError
from purvey.providers import Unreadable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import psycopg
    from psycopg import sql

    from purvey.providers import Call

    Connection = psycopg.AsyncConnection[tuple[Any, ...]]
    Statement = str | sql.SQL | sql.Composed

CONNECT_TIMEOUT_S = 5
"""Seconds until a server that does not answer counts as unavailable; the engine then tries again."""

_CODES: dict[str, Code] = {
    "2BP01": "in_use",
    "3D000": "not_found",
    "3F000": "not_found",
    "42501": "denied",
    "42704": "not_found",
    "42710": "already_exists",
    "42883": "not_found",
    "42P01": "not_found",
    "42P04": "already_exists",
    "42P06": "already_exists",
    "42P07": "already_exists",
    "53300": "throttled",
    "55006": "in_use",
    "55P03": "conflict",
    "57014": "timeout",
    "57P01": "unavailable",
    "57P02": "unavailable",
    "57P03": "unavailable",
}
_CLASSES: dict[str, Code] = {
    "08": "unavailable",
    "22": "invalid",
    "23": "invalid",
    "28": "denied",
    "40": "conflict",
    "42": "invalid",
    "53": "quota_exceeded",
}
"""What SQLSTATEs mean, and else their classes: https://www.postgresql.org/docs/18/errcodes-appendix.html."""


def code_of(error: psycopg.Error) -> Code:
    """The stable code for a server's error; an error without SQLSTATE came from the connection."""
    import psycopg  # noqa: PLC0415 - the family's import stays cheap.

    if error.sqlstate is None:
        return _code_of_text(str(error)) if isinstance(error, psycopg.OperationalError) else "failed"
    if error.sqlstate == "XX000" and "tuple concurrently" in str(error):
        return "conflict"  # Two catalogue changes met, such as two grants on one table; the server has no code for it.
    return _CODES.get(error.sqlstate) or _CLASSES.get(error.sqlstate[:2], "failed")


def _code_of_text(text: str) -> Code:
    """What a failed login means: libpq passes on the server's words (English, as it runs in the C locale), not its SQLSTATE."""
    if "authentication failed" in text or "no pg_hba.conf entry" in text or "is not permitted to log in" in text:
        return "denied"
    return "not_found" if "FATAL" in text and "does not exist" in text else "unavailable"


def told_by(error: psycopg.Error) -> str:
    """The server's own message: ``ERROR 42P01: relation "x" does not exist``, then its detail, hint and context."""
    diagnosis = error.diag
    if diagnosis.message_primary is None:
        return str(error).strip()[:EVIDENCE_BYTES_MAX]
    lines = [f"{diagnosis.severity} {diagnosis.sqlstate}: {diagnosis.message_primary}"]
    for label, text in (
        ("DETAIL", diagnosis.message_detail),
        ("HINT", diagnosis.message_hint),
        ("CONTEXT", diagnosis.context),
    ):
        if text:
            lines.append(f"{label}: {text}")
    return "\n".join(lines)[:EVIDENCE_BYTES_MAX]


def translated(error: psycopg.Error, summary: str, *, sent: bool = True) -> ProviderError:
    """The error that the engine understands.

    Args:
        error: What psycopg raised.
        summary: One fixed sentence: what could not be done.
        sent: Whether a statement may have reached the server; if the connection then broke, its effect may exist.
    """
    code = code_of(error)
    lost = sent and code == "unavailable"
    return ProviderError(code, summary, detail=told_by(error), may_exist=lost)


def unreadable(error: ProviderError) -> Unreadable:
    """What a look that failed says of the object: nothing, and why in one line."""
    if error.code == "unavailable":
        return Unreadable("the database server does not answer")
    return Unreadable((error.detail or error.summary).splitlines()[0])


@asynccontextmanager
async def connected(
    call: Call, dsn: str, *, summary: str = "The database server refused a statement", options: str = ""
) -> AsyncIterator[Connection]:
    """A connection in autocommit for one operation; psycopg's errors come out translated.

    Args:
        call: The operation; its run is what the server's own log and activity view show.
        dsn: A conninfo string or URL.
        summary: The fixed sentence of the error, if the server refuses something inside.
        options: Settings for the session, as ``-c name=value``.

    Raises:
        ProviderError: ``unavailable`` if there is no server; else what the server's SQLSTATE means.
    """
    import psycopg  # noqa: PLC0415 - the family's import stays cheap.

    given: dict[str, Any] = {"options": options} if options else {}
    try:
        connection = await psycopg.AsyncConnection.connect(
            dsn,
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=f"purvey run/{call.run}",
            prepare_threshold=None,
            **given,
        )
    except psycopg.Error as error:
        raise translated(error, "The database server cannot be reached", sent=False) from None
    try:
        async with connection:
            call.check_lease()
            yield connection
    except psycopg.Error as error:
        raise translated(error, summary) from None


async def names(connection: Connection, query: LiteralString) -> list[str]:
    """The one column of every row that a query finds."""
    cursor = await connection.execute(query)
    return [str(row[0]) for row in await cursor.fetchall()]


async def one(connection: Connection, statement: Statement, *arguments: object) -> tuple[Any, ...] | None:
    """The first row of a query, or None."""
    cursor = await connection.execute(statement, arguments or None)
    return await cursor.fetchone()


async def rows(connection: Connection, statement: Statement, *arguments: object) -> list[tuple[Any, ...]]:
    """All rows of a query."""
    cursor = await connection.execute(statement, arguments or None)
    return await cursor.fetchall()


def conninfo(**parameters: str | int) -> str:
    """A libpq conninfo string; the values are quoted where they must be."""
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415 - the family's import stays cheap.

    return make_conninfo("", **parameters)


def url(user: str, host: str, port: int, database: str) -> str:
    """``postgresql://user@host:port/database``, without a password, as most drivers take it."""
    literal = f"[{host}]" if ":" in host else host
    return f"postgresql://{quote(user, safe='')}@{literal}:{port}/{quote(database, safe='')}"
