"""`postgres.Role`: a role of a server, with its attributes and its password.

The password is hashed here, in purvey's own process (SCRAM-SHA-256, RFC 7677), and the server is only told the hash: its log,
its activity view and its statement statistics never see the plaintext. Whether somebody else changed the password is seen by
a fingerprint of the stored hash; the hash has a random salt, so the fingerprint says nothing about the password.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from purvey._base.value import Secret, reveal
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Done, Observed, Present
from purvey.resources._machine import MachineProvider
from purvey.resources.postgres._connection import connected, names, one, told_by, translated, unreadable
from purvey.resources.postgres._lands import LANDS_S
from purvey.resources.postgres.server import Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from psycopg import sql

    from purvey._base.value import Value
    from purvey.resources.postgres._connection import Connection

_READ = """
    SELECT r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolconnlimit,
           coalesce(left(encode(sha256(convert_to(a.rolpassword, 'UTF8')), 'hex'), 32), '')
      FROM pg_roles r JOIN pg_authid a USING (oid) WHERE r.rolname = %s
"""


class RoleProvider(MachineProvider["Role"]):
    """Roles, by name. All statements are safe to repeat."""

    recovers_by = "name"
    lands_within_s = LANDS_S

    async def read(self, call: Call, have: Role) -> Observed:
        """The attributes, and the fingerprint of the password."""
        return await self._look(call, have)

    async def find(self, call: Call, want: Role) -> Observed:
        """The role of that name."""
        return await self._look(call, want)

    def named(self, object_id: str) -> Mapping[str, Value]:
        """The name."""
        return {"name": object_id}

    async def describe(self, call: Call, want: Role) -> Mapping[str, Value]:
        """The attributes, and that there is a password, which nobody can read."""
        values = await super().describe(call, want)
        return {**values, "password": Secret("")} if values["password_fingerprint"] else values

    async def import_all(self, call: Call, server: Server) -> list[str]:
        """Every role but those that come with a server."""
        async with connected(call, server.admin_dsn) as connection:
            return await names(connection, "SELECT rolname FROM pg_roles WHERE oid >= 16384 ORDER BY rolname")

    async def _look(self, call: Call, role: Role) -> Observed:
        try:
            async with connected(call, role.server.admin_dsn) as connection:
                return await _observed(connection, role.name)
        except ProviderError as error:
            return unreadable(error)

    async def create(self, call: Call, want: Role) -> Done:
        """CREATE ROLE; a role that a crashed attempt left is altered instead."""
        async with connected(call, want.server.admin_dsn, summary="The role could not be made") as connection:
            exists = await one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", want.name)
            await connection.execute(_statement("ALTER" if exists else "CREATE", want, connection))
            await call.identified(want.name)
            return await _done(connection, want.name)

    async def update(self, call: Call, have: Role, want: Role) -> Done:
        """ALTER ROLE with all attributes."""
        async with connected(call, want.server.admin_dsn, summary="The role could not be changed") as connection:
            await connection.execute(_statement("ALTER", want, connection))
            return await _done(connection, want.name)

    async def delete(self, call: Call, have: Role) -> None:
        """DROP ROLE; refuses, naming them, while objects or privileges depend on it: their loss is nobody's side effect."""
        import psycopg  # noqa: PLC0415 - the family's import stays cheap.
        from psycopg import sql  # noqa: PLC0415 - as above.

        async with connected(call, have.server.admin_dsn, summary="The role could not be dropped") as connection:
            try:
                await connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(have.name)))
            except psycopg.errors.DependentObjectsStillExist as error:
                raise ProviderError(
                    "in_use",
                    "Something still depends on the role",
                    detail=told_by(error),
                    hint="Give these objects to another role, or drop them; the role is not dropped before.",
                ) from None
            except psycopg.Error as error:
                raise translated(error, "The role could not be dropped") from None

    def claims(self, want: Role) -> Sequence[str]:
        """The name on its server."""
        return (f"role@{want.server._address}/{want.name}",)  # noqa: SLF001 - a server is known by its node before it runs.


class Role(Resource, kind="postgres.Role", provider=RoleProvider):
    """A role of a PostgreSQL server: what a program logs in as, or what privileges are given to.

    Example:
        app = postgres.Role("app", server=db, password=secret("env:APP_PASSWORD"))
    """

    server: Server = Input(container=True, doc="The server it is a role of.")
    name: str = Input(default=None, immutable=True, doc="The role's name in SQL; by default the node's.")
    password: Secret | None = Input(default=None, secret=True, doc="Its password; without one the role cannot log in over TCP.")
    login: bool = Input(default=True, doc="Whether it may log in.")
    superuser: bool = Input(default=False, doc="Whether no permission is ever asked of it.")
    createdb: bool = Input(default=False, doc="Whether it may create databases.")
    connection_limit: int = Input(default=-1, doc="Connections it may have at once; -1 for any number.")
    password_fingerprint: str = Output(compared=True, doc="Changes when anybody changes the password; empty without one.")


async def _observed(connection: Connection, name: str) -> Observed:
    row = await one(connection, _READ, name)
    if row is None:
        return Absent()
    login, superuser, createdb, limit, fingerprint = row
    return Present(name, {
        "name": name, "login": login, "superuser": superuser, "createdb": createdb, "connection_limit": limit,
        "password_fingerprint": fingerprint,
    })  # fmt: skip


async def _done(connection: Connection, name: str) -> Done:
    observed = await _observed(connection, name)
    if not isinstance(observed, Present):
        raise ProviderError("not_found", "The role vanished", detail=f"Role {name} was dropped while it was made.")
    return Done(name, {"password_fingerprint": observed.values["password_fingerprint"]})


def _statement(verb: str, want: Role, connection: Connection) -> sql.Composed:
    """CREATE or ALTER ROLE with every attribute."""
    from psycopg import sql  # noqa: PLC0415 - the family's import stays cheap.

    words = [
        "LOGIN" if want.login else "NOLOGIN",
        "SUPERUSER" if want.superuser else "NOSUPERUSER",
        "CREATEDB" if want.createdb else "NOCREATEDB",
    ]
    return sql.SQL("{verb} ROLE {name} {words} CONNECTION LIMIT {limit} PASSWORD {password}").format(
        verb=sql.SQL(verb),
        name=sql.Identifier(want.name),
        words=sql.SQL(" ".join(words)),
        limit=sql.Literal(want.connection_limit),
        password=_verifier(want, connection),
    )


def _verifier(want: Role, connection: Connection) -> sql.Composable:
    """What the server keeps instead of the password, as a literal."""
    from psycopg import sql  # noqa: PLC0415 - the family's import stays cheap.

    password: Any = reveal(want.password)
    if password is None:
        return sql.SQL("NULL")
    scrambled = connection.pgconn.encrypt_password(password.encode(), want.name.encode(), b"scram-sha-256")
    return sql.Literal(scrambled.decode())
