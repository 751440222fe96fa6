"""`postgres.Migrations`: the schema of a database, as numbered SQL files.

What was applied is written in the database itself, in ``public.purvey_migrations``, in the transaction of the file that it is
about; so a file is applied and noted, or neither, whatever is killed when. The table also notes which operation applied a
file: an undo runs the down files of exactly those. One advisory lock covers all of it, so that two runs never interleave.

Invariants, checked before anything is changed:

- An applied file never changes: its checksum in the table is that of the file.
- The files that are applied are the first ones. A file that was removed, or slipped in before them, is an error.

When a file fails, nothing of it remains, and the files that this same operation applied before it are taken back too, as far
as they have down files: the schema is what it was.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from purvey._script.fields import Input, Output
from purvey._script.recorder import current
from purvey._script.resource import Resource
from purvey.errors import ProviderError, ScriptError
from purvey.providers import Call, Done, Finding, Observed, Outcome, Pending, Present
from purvey.resources._machine import MachineProvider
from purvey.resources.postgres import _ledger
from purvey.resources.postgres._connection import connected, one, unreadable
from purvey.resources.postgres._lands import LANDS_S
from purvey.resources.postgres._migration_files import Files, in_order, read_folder
from purvey.resources.postgres.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from purvey._base.value import Value
    from purvey.resources.postgres._connection import Connection

_AGAIN_S = 0.5
"""How soon to look again whether another run has finished its migrations."""


class MigrationsProvider(MachineProvider["Migrations"]):
    """Migrations, by their database; applying goes on where it was interrupted."""

    recovers_by = "name"
    lands_within_s = LANDS_S
    forgets = True
    long_calls = True

    async def read(self, call: Call, have: Migrations) -> Observed:
        """Which revisions are applied."""
        try:
            async with connected(call, have.database.admin_dsn) as connection:
                applied = [entry.revision for entry in await _ledger.entries(connection)]
        except ProviderError as error:
            return unreadable(error)
        return Present(_id(have), {"applied": applied})

    async def create(self, call: Call, want: Migrations) -> Outcome:
        """Apply the files that are not applied yet; a failure leaves nothing of them, so until then nothing is identified."""
        async with _alone(call, want) as connection:
            if connection is None:
                return Pending(_id(want), _AGAIN_S, "another run is migrating the database")
            done = await _apply(call, want, connection)
        await call.identified(done.id)
        return done

    async def update(self, call: Call, have: Migrations, want: Migrations) -> Outcome:
        """As `create`."""
        return await self.create(call, want)

    async def ready(self, call: Call, want: Migrations) -> Outcome:
        """As `create`: asked again while another run has the lock."""
        return await self.create(call, want)

    async def delete(self, call: Call, have: Migrations) -> None:
        """Forget: the schema belongs to the database, and goes with it."""

    async def undo(self, call: Call, have: Migrations, before: Migrations | None) -> Outcome | None:
        """Run the down files of what the operation applied, the last one first."""
        async with _alone(call, have) as connection:
            if connection is None:
                raise ProviderError("in_use", "Another run is migrating the database")
            await _ledger.take_back(connection, in_order(have.files), call.undoes, _owner(have))
            if before is None:
                await _ledger.drop_if_empty(connection)
                return None
            return Done(_id(have), _outputs([entry.revision for entry in await _ledger.entries(connection)]))

    def undoable(self, verb: str, have: Migrations | None, want: Migrations | None) -> bool:
        """Whether every file that the operation applies has a down file."""
        if want is None:
            return True
        before: Files = have.files if have is not None else {}
        return all(fields["down"] is not None for revision, fields in want.files.items() if revision not in before)

    async def preflight(self, call: Call, want: Migrations) -> Sequence[Finding]:
        """Applied files that were edited or removed."""
        try:
            async with connected(call, want.database.admin_dsn) as connection:
                problem = _ledger.contradiction(await _ledger.entries(connection), in_order(want.files))
        except ProviderError:  # It is not there yet, or down and about to be repaired.
            return ()
        return (Finding(call.address, problem, _ledger.NEXT),) if problem else ()

    def claims(self, want: Migrations) -> Sequence[str]:
        """The one table in the database."""
        return (f"migrations@{want.database._address}",)  # noqa: SLF001 - a database is known by its node before it runs.

    def predict(self, want: Migrations) -> Mapping[str, Value]:
        """What will be applied is what the folder holds."""
        return _outputs([file.revision for file in in_order(want.files)])


class Migrations(Resource, kind="postgres.Migrations", provider=MigrationsProvider):
    """The schema of a database, as a folder of numbered SQL files, each run once in a transaction of its own.

    Removing the node forgets it: the schema stays in the database, and goes with it.

    Example:
        schema = postgres.Migrations("schema", database=data, folder="migrations")
    """

    database: Database = Input(container=True, doc="The database.")
    folder: str = Input(doc="The folder with NNNN_name.sql and NNNN_name.down.sql; relative to the script.")
    role: str | None = Input(default=None, doc="The role that runs the files; by default the database's owner.")
    files: dict[str, dict[str, str | None]] = Input(default=None, doc="What the folder holds; not to be given.")
    revision: str = Output(doc="The last applied revision; empty if there is none.")
    applied: list[str] = Output(compared=True, doc="All applied revisions, in order.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`: the files become part of the plan."""
        given = inputs.get("folder")
        if "files" in inputs or not isinstance(given, str | Path) or current().nonce in str(given):
            raise ScriptError(
                "script.bad_migrations",
                "A folder of migrations cannot be used",
                detail="The files are read while the script declares, so `folder` must be a plain path, and `files` not given.",
                hint='Pass the folder:\n\n    folder="migrations"',
                source=current().source(),
            )
        return {**inputs, "folder": str(given), "files": read_folder(folder / given)}


def _id(migrations: Migrations) -> str:
    return f"migrations of {migrations.database.name}"


def _owner(migrations: Migrations) -> str:
    return migrations.role or migrations.database.owner


def _outputs(applied: list[str]) -> dict[str, Value]:
    return {"applied": applied, "revision": applied[-1] if applied else ""}


@asynccontextmanager
async def _alone(call: Call, migrations: Migrations) -> AsyncIterator[Connection | None]:
    """A connection that holds the lock of all migrations in this database; None if somebody else has it.

    The server gives up the lock of a closed connection by itself, but a moment later; so it is given back while we can.
    """
    async with connected(call, migrations.database.admin_dsn, summary="The migrations could not be applied") as connection:
        row = await one(connection, "SELECT pg_try_advisory_lock(%s)", _ledger.LOCK)
        if row != (True,):
            yield None
            return
        try:
            yield connection
        finally:
            if not connection.closed:
                await connection.execute("SELECT pg_advisory_unlock(%s)", (_ledger.LOCK,))


async def _apply(call: Call, want: Migrations, connection: Connection) -> Done:
    owner = _owner(want)
    await _ledger.prepare(connection)
    files, entries = in_order(want.files), await _ledger.entries(connection)
    problem = _ledger.contradiction(entries, files)
    if problem:
        raise ProviderError("conflict", "The migrations contradict the database", detail=problem, hint=_ledger.NEXT)
    for file in files[len(entries) :]:
        call.progress(f"applying {file.revision}")
        try:
            await _ledger.apply(connection, file, call.token, owner)
        except ProviderError as error:
            raise await _taken_back(connection, want, call.token, error) from None
    return Done(_id(want), _outputs([file.revision for file in files]))


async def _taken_back(connection: Connection, want: Migrations, token: str, error: ProviderError) -> ProviderError:
    """`error`, after the files that the same operation applied before were taken back; else it says what remains."""
    if error.may_exist:  # The connection is gone; what is true is found out by the next attempt.
        return error
    try:
        await _ledger.take_back(connection, in_order(want.files), token, _owner(want))
        await _ledger.drop_if_empty(connection)
    except ProviderError as second:
        error.detail += f"\nThe files before it stay applied: {second.detail}"
    return error
