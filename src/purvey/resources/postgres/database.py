"""`postgres.Database`: a database of a server.

A database that the server was interrupted in dropping stays in its catalogue, marked as invalid; it can only be dropped, so it
counts as absent here, and `create` clears it away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Done, Observed, Present
from purvey.resources._machine import MachineProvider
from purvey.resources.postgres._connection import connected, conninfo, names, one, unreadable, url
from purvey.resources.postgres._lands import LANDS_S
from purvey.resources.postgres.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from purvey._base.value import Value
    from purvey.resources.postgres._connection import Connection

_READ = """
    SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), pg_char_to_encoding(%s) = encoding, datconnlimit = -2
      FROM pg_database WHERE datname = %s
"""


class DatabaseProvider(MachineProvider["Database"]):
    """Databases, by name. All statements are safe to repeat."""

    recovers_by = "name"
    lands_within_s = LANDS_S

    async def read(self, call: Call, have: Database) -> Observed:
        """Owner and encoding."""
        return await self._look(call, have)

    async def find(self, call: Call, want: Database) -> Observed:
        """The database of that name."""
        return await self._look(call, want)

    def named(self, object_id: str) -> Mapping[str, Value]:
        """The name."""
        return {"name": object_id}

    async def describe(self, call: Call, want: Database) -> Mapping[str, Value]:
        """Owner and encoding; what it began as a copy of is not known to the server."""
        async with connected(call, want.server.admin_dsn) as connection:
            row = await one(connection, _READ, want.encoding, want.name)
        if row is None or row[3]:
            raise ProviderError("not_found", "Nothing is there under this id", detail=f"There is no database {want.name!r}.")
        return {"owner": row[0], "encoding": want.encoding if row[2] else row[1]}

    async def import_all(self, call: Call, server: Server) -> list[str]:
        """Every database but those that come with a server."""
        async with connected(call, server.admin_dsn) as connection:
            return await names(
                connection, "SELECT datname FROM pg_database WHERE oid >= 16384 AND datconnlimit <> -2 ORDER BY datname"
            )

    async def _look(self, call: Call, database: Database) -> Observed:
        try:
            async with connected(call, database.server.admin_dsn) as connection:
                row = await one(connection, _READ, database.encoding, database.name)
        except ProviderError as error:
            return unreadable(error)
        if row is None or row[3]:
            return Absent()
        owner, encoding, same, _ = row
        values = {"name": database.name, "owner": owner, "encoding": database.encoding if same else encoding}
        return Present(database.name, {**values, **_outputs(database)})

    async def create(self, call: Call, want: Database) -> Done:
        """CREATE DATABASE; one that a crashed attempt left gets its owner instead."""
        from psycopg import sql  # noqa: PLC0415 - the family's import stays cheap.

        async with connected(call, want.server.admin_dsn, summary="The database could not be made") as connection:
            row = await one(connection, _READ, want.encoding, want.name)
            if row is not None and row[3]:
                await _drop(connection, want.name)
                row = None
            if row is None:
                statement = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING {} TEMPLATE {}")
                await connection.execute(
                    statement.format(
                        sql.Identifier(want.name),
                        sql.Identifier(want.owner),
                        sql.Literal(want.encoding),
                        sql.Identifier(want.template),
                    )
                )
            await call.identified(want.name)
            if row is not None:
                await _give(connection, want)
        return Done(want.name, _outputs(want))

    async def update(self, call: Call, have: Database, want: Database) -> Done:
        """ALTER DATABASE ... OWNER TO."""
        async with connected(call, want.server.admin_dsn, summary="The database could not be changed") as connection:
            await _give(connection, want)
        return Done(want.name, _outputs(want))

    async def delete(self, call: Call, have: Database) -> None:
        """DROP DATABASE; whoever is connected is disconnected."""
        async with connected(call, have.server.admin_dsn, summary="The database could not be dropped") as connection:
            await _drop(connection, have.name)

    def claims(self, want: Database) -> Sequence[str]:
        """The name on its server."""
        return (f"database@{want.server._address}/{want.name}",)  # noqa: SLF001 - a server is known by its node before it runs.

    def predict(self, want: Database) -> Mapping[str, Value]:
        """Both addresses follow from the server's."""
        return _outputs(want)


class Database(Resource, kind="postgres.Database", provider=DatabaseProvider, holds_data=True):
    """A database of a PostgreSQL server.

    Example:
        data = postgres.Database("shop", server=db, owner=app.name)
    """

    server: Server = Input(container=True, doc="The server it is in.")
    name: str = Input(default=None, immutable=True, doc="The database's name in SQL; by default the node's.")
    owner: str = Input(doc="The role that owns it.")
    encoding: str = Input(default="UTF8", immutable=True, doc="Its character encoding.")
    template: str = Input(default="template1", immutable=True, doc="The database it begins as a copy of.")
    dsn: str = Output(compared=True, doc="``postgresql://owner@host:port/name``, without the password.")
    admin_dsn: str = Output(compared=True, doc="A conninfo string for purvey's own use: the socket, as superuser.")


def _outputs(database: Database) -> dict[str, Value]:
    server = database.server
    return {
        "dsn": url(database.owner, server.host, server.port, database.name),
        "admin_dsn": conninfo(host=server.socket, port=server.port, user="postgres", dbname=database.name),
    }


async def _drop(connection: Connection, name: str) -> None:
    from psycopg import sql  # noqa: PLC0415 - the family's import stays cheap.

    await connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


async def _give(connection: Connection, want: Database) -> None:
    from psycopg import sql  # noqa: PLC0415 - the family's import stays cheap.

    statement = sql.SQL("ALTER DATABASE {} OWNER TO {}")
    await connection.execute(statement.format(sql.Identifier(want.name), sql.Identifier(want.owner)))
