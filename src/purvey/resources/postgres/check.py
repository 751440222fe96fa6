"""`postgres.Check`: a query whose answer must be the expected one.

The session is read-only, so that looking never changes anything, and a statement is given up after a few seconds, so that a
locked table is evidence instead of silence.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from purvey._base.value import Secret, reveal
from purvey._script.fields import Input, Output
from purvey._script.recorder import current
from purvey._script.resource import Resource
from purvey.errors import ProviderError, ScriptError
from purvey.resources._plaintext import hidden, plaintexts
from purvey.resources._probe import Failed, Passed, ProbeProvider, excerpt, impossible
from purvey.resources.postgres._connection import connected, told_by
from purvey.resources.postgres.database import Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from purvey.providers import Call

_OPTIONS: Final = "-c default_transaction_read_only=on -c statement_timeout=5s"

_NEVER: Final = frozenset({"25006", "42601"})
"""SQLSTATEs that no waiting mends: it writes; it is no SQL."""

_ROWS_SHOWN: Final = 5
_ROWS_MAX: Final = 1_000
"""Rows that are fetched at most; a check compares an answer, not a table."""


class CheckProvider(ProbeProvider["Check"]):
    """One query each attempt."""

    async def attempt(self, call: Call, want: Check) -> Passed | Failed:
        """See `ProbeProvider.attempt`."""
        secrets = plaintexts(want.dsn)
        try:
            answer = await _ask(call, want)
        except ProviderError as error:
            evidence = hidden(error.detail or error.summary, secrets)
            if error.code == "check_failed":
                raise impossible(evidence, "Correct the query or the address.") from None
            return Failed(excerpt(evidence))
        got: Any = answer if isinstance(want.expect, list) else _single(answer)
        if got == want.expect and isinstance(got, bool) == isinstance(want.expect, bool):  # For Python 1 is True.
            return Passed({"rows": len(answer)})
        return Failed(excerpt(hidden(f"the query gave {_shown(answer)}, and {want.expect!r} is expected", secrets)))

    def target(self, want: Check) -> str:
        """See `ProbeProvider.target`."""
        return want.title or excerpt(want.sql)


class Check(Resource, kind="postgres.Check", provider=CheckProvider, check=True):
    """Proof that a database answers a query as expected.

    Example:
        postgres.Check("schema", database=data, sql="SELECT count(*) FROM orders", expect=0)
    """

    database: Database | None = Input(default=None, doc="The database to ask, as its owner; or give `dsn`.")
    dsn: str | Secret | None = Input(
        default=None, secret=True, doc="Where to ask instead: a URL or conninfo string, which may hold a password."
    )
    role: str | None = Input(default=None, doc="With `database`: the role to ask as; by default the owner.")
    sql: str = Input(doc="One query; it may only read.")
    expect: Any = Input(default=True, doc="The one value of its one row; or all its rows, as a list of lists.")
    title: str = Input(default="", doc="What it proves, for the report.")
    within_s: float = Input(default=30.0, doc="Seconds until it must have passed.")
    every_s: float = Input(default=0.5, doc="Seconds between two attempts.")
    rows: int = Output(doc="How many rows it gave.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - the contract's arguments.
        """See `Resource.prepare`: it needs exactly one place to ask."""
        if (inputs.get("database") is None) == (inputs.get("dsn") is None):
            raise ScriptError(
                "script.bad_check",
                "A check does not say whom to ask",
                detail="It needs `database` or `dsn`, and not both.",
                hint="Pass the database:\n\n    database=data",
                source=current().source(),
            )
        return inputs


async def _ask(call: Call, want: Check) -> list[list[Any]]:
    """The rows of the query.

    Raises:
        ProviderError: ``check_failed`` for what can never pass, else what the server said.
    """
    import psycopg  # noqa: PLC0415 - the family's import stays cheap.
    from psycopg import sql  # noqa: PLC0415 - as above.

    dsn = want.database.admin_dsn if want.database is not None else str(reveal(want.dsn))
    try:
        psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.Error as error:
        raise impossible(f"The address is malformed: {error}", "") from None
    async with connected(call, dsn, options=_OPTIONS) as connection:
        if want.database is not None:
            role = sql.Identifier(want.role or want.database.owner)
            await connection.execute(sql.SQL("SET ROLE {}").format(role))
        try:
            cursor = await connection.execute(want.sql)
        except psycopg.Error as error:
            if error.sqlstate in _NEVER:
                raise impossible(told_by(error), "") from None
            raise
        if cursor.description is None:
            raise impossible("The statement gives no rows.", "")
        return [[_plain(value) for value in row] for row in await cursor.fetchmany(_ROWS_MAX)]


def _single(answer: Sequence[Sequence[Any]]) -> Any:
    """The one value of the one row; anything else is equal to nothing."""
    return answer[0][0] if len(answer) == 1 and len(answer[0]) == 1 else _NOTHING


_NOTHING: Final = object()


def _plain(value: Any) -> Any:
    """A value as a script would write it."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value)


def _shown(answer: list[list[Any]]) -> str:
    if not answer:
        return "no row"
    if len(answer) == 1 and len(answer[0]) == 1:
        return repr(answer[0][0])
    more = f" and {len(answer) - _ROWS_SHOWN} more" if len(answer) > _ROWS_SHOWN else ""
    return f"{answer[:_ROWS_SHOWN]}{more}"
