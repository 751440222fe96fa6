"""The table of applied migrations, and the only statements that change it: apply a file, take one back.

public.purvey_migrations
    revision     the file's name without ``.sql``
    checksum     SHA-256 of the file
    applied_at   when
    operation    the token of purvey's operation that applied it, for its undo
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from purvey.errors import ProviderError
from purvey.resources.postgres._connection import code_of, one, rows, told_by
from purvey.resources.postgres._migration_files import File, number
from purvey.resources.postgres._statements import Statement, statements

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from purvey.resources.postgres._connection import Connection

LOCK: Final = 0x7075727665790001
"""The key of the advisory lock: "purvey" and 1."""

NEXT: Final = "Restore the file as it was applied, and put the change into a new migration."

EXCERPT_CHARACTERS: Final = 400
"""How much of a failing statement is shown."""

_TABLE: Final = """
    CREATE TABLE IF NOT EXISTS public.purvey_migrations (
        revision text PRIMARY KEY,
        checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now(),
        operation text NOT NULL
    )"""


class Entry(msgspec.Struct, frozen=True):
    """One applied file."""

    revision: str
    checksum: str
    operation: str


async def prepare(connection: Connection) -> None:
    """Make the table if there is none."""
    if not await _exists(connection):
        await connection.execute(_TABLE)


async def entries(connection: Connection) -> list[Entry]:
    """What is applied, in order."""
    if not await _exists(connection):
        return []
    found = await rows(connection, "SELECT revision, checksum, operation FROM public.purvey_migrations")
    return sorted((Entry(*row) for row in found), key=lambda entry: number(entry.revision))


async def drop_if_empty(connection: Connection) -> None:
    """Remove the table of a database that has no migrations any more."""
    if await _exists(connection) and not await entries(connection):
        await connection.execute("DROP TABLE public.purvey_migrations")


async def _exists(connection: Connection) -> bool:
    return await one(connection, "SELECT to_regclass('public.purvey_migrations') IS NOT NULL") == (True,)


def contradiction(applied: Sequence[Entry], files: Sequence[File]) -> str:
    """How the files contradict what is applied, in a sentence that names the file; empty if they do not. Pure."""
    known = {file.revision: file for file in files}
    for entry in applied:
        file = known.get(entry.revision)
        if file is None:
            return f"{entry.revision} is applied, and its file {entry.revision}.sql is not in the folder."
        if file.checksum != entry.checksum:
            return f"{entry.revision}.sql was edited after it was applied; what it says now has never run."
    done = {entry.revision for entry in applied}
    for file in files[: len(applied)]:
        if file.revision not in done:
            return f"{file.revision}.sql comes before {applied[-1].revision}, which is applied already."
    return ""


async def apply(connection: Connection, file: File, operation: str, role: str) -> None:
    """Run one file, and note it, in one transaction.

    Raises:
        ProviderError: with the server's message, file and line; nothing of the file remains.
    """
    async with connection.transaction():
        await _run(connection, f"{file.revision}.sql", file.up, role)
        await connection.execute(
            "INSERT INTO public.purvey_migrations (revision, checksum, operation) VALUES (%s, %s, %s)",
            (file.revision, file.checksum, operation),
        )


async def take_back(connection: Connection, files: Sequence[File], operation: str, role: str) -> None:
    """Run the down files of what `operation` applied, the last one first, each in one transaction with its row.

    Raises:
        ProviderError: before anything is run, if a down file is missing; else as `apply`.
    """
    downs = {file.revision: file.down for file in files if file.down is not None}
    done = [entry.revision for entry in await entries(connection) if entry.operation == operation]
    final = [revision for revision in done if revision not in downs]
    if final:
        raise ProviderError(
            "failed",
            "A migration cannot be taken back",
            detail=f"There is no down file for {', '.join(final)}.",
            hint="Change the schema by hand, or restore a backup.",
        )
    for revision in reversed(done):
        async with connection.transaction():
            await _run(connection, f"{revision}.down.sql", downs[revision], role)
            await connection.execute("DELETE FROM public.purvey_migrations WHERE revision = %s", (revision,))


async def _run(connection: Connection, name: str, text: str, role: str) -> None:
    """Run the statements of a file as `role`, inside the caller's transaction; then undo what it set for the session."""
    import psycopg  # noqa: PLC0415 - the family's import stays cheap.
    from psycopg import sql  # noqa: PLC0415 - as above.

    await connection.execute(sql.SQL("SET LOCAL ROLE {}").format(sql.Identifier(role)))
    for statement in statements(text):
        try:
            await connection.execute(statement.text)
        except psycopg.Error as error:
            raise _failure(error, name, statement) from None
        if connection.info.transaction_status != psycopg.pq.TransactionStatus.INTRANS:
            raise ProviderError("invalid", "A migration ended its transaction", detail=f"{name}:{statement.line}")
    try:
        await connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    except psycopg.Error as error:  # Else the server would only say so at the commit, when no file is to be named.
        raise _failure(error, name, Statement(text.rstrip(), 1)) from None
    await connection.execute("SET ROLE NONE; RESET ALL")


def _failure(error: psycopg.Error, name: str, statement: Statement) -> ProviderError:
    """What the server said, and where in which file."""
    position = error.diag.statement_position
    line = statement.line_at(int(position)) if position else statement.line
    text = statement.text
    shown = text if len(text) <= EXCERPT_CHARACTERS else f"{text[:EXCERPT_CHARACTERS]} ..."
    indented = "\n".join(f"    {each}" for each in shown.splitlines())
    code = code_of(error)
    return ProviderError(
        code if code in ("conflict", "unavailable") else "failed",
        "A migration failed",
        detail=f"{name}:{line}: {told_by(error)}\nThe statement:\n{indented}",
        hint="Nothing of the file remains. Mend it and apply again.",
        may_exist=code == "unavailable",
    )
