"""`postgres.Grant`: privileges that a role has in a database.

What is read is the server's own access list, privilege by privilege and object by object, so that a table which somebody made
later, or a privilege which somebody took away, is drift that names it. Only the privileges of this node are looked at: what
else the role was given is somebody else's business.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from purvey._script.fields import Input, Output
from purvey._script.recorder import current
from purvey._script.reference import Tokenised
from purvey._script.resource import Resource
from purvey.errors import ProviderError, ScriptError
from purvey.providers import Absent, Call, Done, Observed, Present, Unreadable
from purvey.resources._machine import MachineProvider
from purvey.resources.postgres._connection import connected, one, unreadable
from purvey.resources.postgres._lands import LANDS_S
from purvey.resources.postgres._privileges import PRIVILEGES, READ_DEFAULTS, Objects, parse_objects, spelt
from purvey.resources.postgres.database import Database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
    from pathlib import Path

    from psycopg import sql

    from purvey._base.value import Value
    from purvey.resources.postgres._connection import Connection

_LOCK: Final = 0x7075727665790002
"""The key of the advisory lock under which privileges change: "purvey" and 2; migrations have 1."""


class GrantProvider(MachineProvider["Grant"]):
    """Grants, by role and objects. GRANT and REVOKE are safe to repeat."""

    recovers_by = "name"
    lands_within_s = LANDS_S

    async def read(self, call: Call, have: Grant) -> Observed:
        """What is missing, by name, even if that is all of it; absent with the role."""
        seen = await self._look(call, have)
        return Present(_id(have), {"missing": seen[0]}) if isinstance(seen, tuple) else seen

    async def find(self, call: Call, want: Grant) -> Observed:
        """Present as soon as the role has any of the privileges already: undoing would take that away too.

        Which of them it has on all the objects is what an undo of the adoption leaves to it.
        """
        seen = await self._look(call, want)
        if not isinstance(seen, tuple):
            return seen
        missing, found = seen
        lacking = {item.partition(" on ")[0] for item in missing}
        held = [item for item in want.privileges if item not in lacking]
        return Present(_id(want), {"missing": missing, **({"privileges": held} if held else {})}) if found else Absent()

    def named(self, object_id: str) -> Mapping[str, Value] | None:
        """``ROLE on OBJECTS``, as in ``reader on ALL TABLES IN SCHEMA public``."""
        role, _, objects = object_id.partition(" on ")
        return {"role": role, "objects": objects} if parse_objects(objects) is not None else None

    async def describe(self, call: Call, want: Grant) -> Mapping[str, Value]:
        """The privileges that the role has on all the objects, and whether it will have these on later ones.

        Raises:
            ProviderError: ``not_found`` if it has none.
        """
        every = sorted(PRIVILEGES[_objects(want).type])
        held = await self._held(call, want, privileges=every)
        if not held:
            detail = f"{want.role} has no privilege on all of {want.objects}."
            raise ProviderError("not_found", "Nothing is there under this id", detail=detail)
        later = _objects(want).many and await self._held(call, want, privileges=held, default_privileges=True) == held
        return {"privileges": held, "default_privileges": later}

    async def _held(self, call: Call, want: Grant, **more: Value) -> list[str]:
        """Those of the privileges of `want`, with `more` of its inputs, that are not missing anywhere."""
        wished = want.with_values(**more)
        seen = await self._look(call, wished)
        if not isinstance(seen, tuple):
            return []
        lacking = {item.partition(" on ")[0] for item in seen[0]}
        return [item for item in wished.privileges if item not in lacking]

    async def _look(self, call: Call, grant: Grant) -> tuple[list[str], bool] | Absent | Unreadable:
        try:
            async with connected(call, grant.database.admin_dsn) as connection:
                if not await _role_exists(connection, grant.role):
                    return Absent()
                return await _missing(connection, grant)
        except ProviderError as error:
            return unreadable(error)

    async def create(self, call: Call, want: Grant) -> Done:
        """GRANT."""
        await call.identified(_id(want))
        async with _changing(call, want, "The privileges could not be granted") as connection:
            await _change(connection, want, "GRANT", want.privileges)
        return Done(_id(want), {"missing": []})

    async def update(self, call: Call, have: Grant, want: Grant) -> Done:
        """REVOKE what is not wanted any more, GRANT the rest."""
        async with _changing(call, want, "The privileges could not be changed") as connection:
            surplus = sorted(set(have.privileges) - set(want.privileges))
            await _change(connection, have, "REVOKE", surplus)
            if have.default_privileges and not want.default_privileges:
                await _change_defaults(connection, have, "REVOKE", have.privileges)
            await _change(connection, want, "GRANT", want.privileges)
        return Done(_id(want), {"missing": []})

    async def delete(self, call: Call, have: Grant) -> None:
        """REVOKE; what is gone by itself, with its role or its table, is success."""
        async with _changing(call, have, "The privileges could not be revoked") as connection:
            if await _role_exists(connection, have.role):
                await _change(connection, have, "REVOKE", have.privileges, gone_is_fine=True)

    def claims(self, want: Grant) -> Sequence[str]:
        """Each privilege of the role on these objects: if two nodes had it, removing one would take it from the other."""
        where = f"{want.database._address}/{want.objects}/{want.role}"  # noqa: SLF001 - a database is known by its node.
        return tuple(f"privilege@{where}/{privilege}" for privilege in want.privileges)


class Grant(Resource, kind="postgres.Grant", provider=GrantProvider):
    """Privileges of a role in a database.

    Example:
        postgres.Grant("reader", database=data, role=reader.name, privileges=["SELECT"], objects="ALL TABLES IN SCHEMA public")
    """

    database: Database = Input(container=True, doc="The database.")
    role: str = Input(immutable=True, doc="The role that is given the privileges.")
    privileges: list[str] = Input(doc="``SELECT``, ``INSERT``, ... or ``ALL``; see the server's manual.")
    objects: str = Input(
        immutable=True,
        doc="``DATABASE``, ``SCHEMA x``, ``TABLE x``, ``SEQUENCE x``, or ``ALL TABLES`` or ``ALL SEQUENCES IN SCHEMA x``.",
    )
    default_privileges: bool = Input(
        default=False, doc="With ``ALL ... IN SCHEMA``: also for those that the database's owner makes later."
    )
    missing: list[str] = Output(compared=True, doc="Privileges that were taken away since, each with its object.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - the contract's arguments.
        """See `Resource.prepare`: privileges spelt as the server spells them; objects must follow the grammar."""
        text, privileges = inputs.get("objects"), inputs.get("privileges")
        if not isinstance(text, str) or current().nonce in text:
            raise _refused(f"`objects` is {text!r}", "Name the objects in plain text: the plan must know what it is about.")
        objects = parse_objects(text)
        if objects is None:
            raise _refused(
                f"`objects` is {text!r}",
                "Write DATABASE, SCHEMA x, TABLE x, SEQUENCE x, ALL TABLES IN SCHEMA x or ALL SEQUENCES IN SCHEMA x.",
            )
        if inputs.get("default_privileges") and not objects.many:
            raise _refused("`default_privileges` is about objects made later", "Use it with ALL ... IN SCHEMA x.")
        if not isinstance(privileges, list) or not all(isinstance(item, str) for item in privileges):
            return inputs
        if any(isinstance(item, Tokenised) or current().nonce in item for item in privileges):
            raise _refused("`privileges` holds a reference", "Name the privileges in plain text.")
        try:
            return {**inputs, "privileges": spelt(privileges, objects)}
        except ValueError as error:
            raise _refused(str(error), "Give privileges that these objects have.") from None


def _refused(detail: str, hint: str) -> ScriptError:
    return ScriptError("script.bad_grant", "A grant makes no sense", detail=f"{detail}.", hint=hint, source=current().source())


def _id(grant: Grant) -> str:
    return f"{grant.role} on {grant.objects}"


def _objects(grant: Grant) -> Objects:
    objects = parse_objects(grant.objects)
    if objects is None:
        raise ProviderError("invalid", "A grant names objects that it cannot have", detail=f"`objects` is {grant.objects!r}.")
    return objects


@asynccontextmanager
async def _changing(call: Call, grant: Grant, summary: str) -> AsyncIterator[Connection]:
    """A transaction that changes privileges, one at a time in this database.

    An access list is one value in one row: the server refuses two that change it at once (``tuple concurrently updated``), or
    finds a deadlock where they lock many tables. Each takes milliseconds, so they queue.
    """
    async with connected(call, grant.database.admin_dsn, summary=summary) as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        yield connection


async def _role_exists(connection: Connection, role: str) -> bool:
    return await one(connection, "SELECT 1 FROM pg_roles WHERE rolname = %s", role) is not None


async def _missing(connection: Connection, grant: Grant) -> tuple[list[str], bool]:
    """The privileges of `grant` that the role does not have, each with its object, and whether it has any at all."""
    objects = _objects(grant)
    wanted = set(grant.privileges)
    quoted = await one(connection, "SELECT quote_ident(%s)", grant.role)
    assert quoted is not None  # A SELECT without FROM has one row.
    arguments = {"role": quoted[0], "schema": objects.schema, "name": objects.name}
    cursor = await connection.execute(objects.read, arguments)
    held: dict[str, set[str]] = {}
    for name, privilege in await cursor.fetchall():
        held.setdefault(name, set()).add(privilege)
    missing = [f"{item} on {name}" for name, has in sorted(held.items()) for item in sorted(wanted - has)]
    if not held and not objects.many:
        missing = [f"{item} on {grant.objects}, which is gone" for item in sorted(wanted)]
    found = any(wanted & has for has in held.values())
    if grant.default_privileges:
        letter = "r" if objects.type == "TABLE" else "S"
        cursor = await connection.execute(READ_DEFAULTS, {**arguments, "letter": letter})
        later = {row[0] for row in await cursor.fetchall()}
        missing += [f"{item} on later {objects.type.lower()}s" for item in sorted(wanted - later)]
        found = found or bool(wanted & later)
    return missing, found


async def _change(
    connection: Connection, grant: Grant, verb: str, privileges: Sequence[str], *, gone_is_fine: bool = False
) -> None:
    """GRANT or REVOKE `privileges`, for later objects too if the grant says so."""
    import psycopg  # noqa: PLC0415 - the family's import stays cheap.
    from psycopg import sql  # noqa: PLC0415 - as above.

    if not privileges:
        return
    objects = _objects(grant)
    statement = sql.SQL("{verb} {privileges} ON {target} {to} {role}").format(
        **_words(verb, privileges), target=objects.target(grant.database.name), role=sql.Identifier(grant.role)
    )
    try:
        async with connection.transaction():
            await connection.execute(statement)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        if not gone_is_fine:
            raise
        return
    if grant.default_privileges:
        await _change_defaults(connection, grant, verb, privileges)


async def _change_defaults(connection: Connection, grant: Grant, verb: str, privileges: Sequence[str]) -> None:
    """ALTER DEFAULT PRIVILEGES of the database's owner, who makes the objects."""
    from psycopg import sql  # noqa: PLC0415 - the family's import stays cheap.

    objects = _objects(grant)
    owner = await one(connection, "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()")
    assert owner is not None  # We are connected to it.
    text = "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA {schema} {verb} {privileges} ON {what} {to} {role}"
    await connection.execute(
        sql.SQL(text).format(
            **_words(verb, privileges),
            owner=sql.Identifier(owner[0]),
            schema=sql.Identifier(objects.schema),
            what=sql.SQL("TABLES" if objects.type == "TABLE" else "SEQUENCES"),
            role=sql.Identifier(grant.role),
        )
    )


def _words(verb: str, privileges: Iterable[str]) -> dict[str, sql.Composable]:
    """The key words of a statement; the privileges were checked against a list."""
    from psycopg import sql  # noqa: PLC0415 - the family's import stays cheap.

    return {
        "verb": sql.SQL(verb),
        "to": sql.SQL("TO" if verb == "GRANT" else "FROM"),
        "privileges": sql.SQL(", ".join(privileges)),
    }
