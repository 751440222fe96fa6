"""Roles, databases, grants and checks on the real server: made, read back, repaired, removed, and no password in sight."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import psycopg
import pytest

from purvey._base.value import Secret
from purvey.errors import ProviderError
from purvey.providers import Absent, Done, Pending, Present, Unreadable
from purvey.resources import postgres
from purvey.testing import view
from tests.e2e.objects import Objects, at, eventually, server
from tests.unit.resources.life import provider

PASSWORD = "correct horse battery staple"


class Estate(NamedTuple):
    """A server with an owner and a database."""

    objects: Objects
    server: postgres.Server
    owner: postgres.Role
    database: postgres.Database

    def admin(self, statement: str, *, database: str = "") -> list[tuple[Any, ...]]:
        """Run a statement as superuser, in the database or another one."""
        dsn = f"{self.database.admin_dsn} dbname={database}" if database else self.database.admin_dsn
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def role(self, name: str, **inputs: Any) -> postgres.Role:
        """A role as a script would declare it."""
        return view(postgres.Role, name, name=name, server=self.server, **inputs)

    def grant(self, name: str, **inputs: Any) -> postgres.Grant:
        """A grant as a script would declare it."""
        return view(postgres.Grant, name, database=self.database, **inputs)


@pytest.fixture(scope="module")
async def estate() -> AsyncIterator[Estate]:
    """One server for all tests of this module; each test uses names of its own."""
    async with server(settings={"log_statement": "all", "log_min_duration_statement": "0"}) as (objects, have):
        owner = await objects.made(view(postgres.Role, "owner", name="owner", server=have, password=Secret(PASSWORD)))
        wanted = view(postgres.Database, "shop", name="shop", server=have, owner="owner")
        yield Estate(objects, have, owner, await objects.made(wanted))


def login(estate: Estate, user: str, password: str, database: str = "shop") -> str:
    """Who one is after logging in over TCP."""
    dsn = f"host=127.0.0.1 port={estate.server.port} connect_timeout=5"
    with psycopg.connect(dsn, dbname=database, user=user, password=password) as connection:
        row = connection.execute("SELECT current_user").fetchone()
    assert row is not None
    return str(row[0])


# Roles.


async def test_a_role_logs_in_with_its_password(estate: Estate) -> None:
    """A role with a password logs in over TCP with it and with no other."""
    assert login(estate, "owner", PASSWORD) == "owner"
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        login(estate, "owner", "guess")


async def test_the_password_is_nowhere_to_be_seen(estate: Estate) -> None:
    """With every statement logged, the plaintext is in no log, no activity view, no catalogue, and no process's arguments."""
    made = await estate.objects.made(estate.role("shy", password=Secret(PASSWORD)))
    await estate.objects.changed(made, estate.role("shy", password=Secret(f"{PASSWORD} 2")))

    said = at(estate.server.log).read_text(encoding="utf-8")
    assert "ALTER ROLE" in said
    assert PASSWORD not in said
    assert PASSWORD not in repr(estate.admin("SELECT query FROM pg_stat_activity"))
    assert PASSWORD not in repr(estate.admin("SELECT rolname, rolpassword FROM pg_authid"))
    assert PASSWORD not in repr(await provider(made).read(estate.objects.known(made), made))
    arguments = [path.read_bytes() for path in at("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not any(PASSWORD.encode() in line for line in arguments)


async def test_a_changed_password_is_taken_over(estate: Estate) -> None:
    """After the update only the new password works, and an undo brings the former one back."""
    first = await estate.objects.made(estate.role("mover", password=Secret("first")))
    second = await estate.objects.changed(first, estate.role("mover", password=Secret("second")))

    assert login(estate, "mover", "second") == "mover"
    with pytest.raises(psycopg.OperationalError):
        login(estate, "mover", "first")

    await provider(second).undo(estate.objects.known(second), second, first)
    assert login(estate, "mover", "first") == "mover"


async def test_what_somebody_does_to_a_role_is_drift(estate: Estate) -> None:
    """Changed attributes are named, a changed password is seen without being known, and the update repairs both."""
    made = await estate.objects.made(estate.role("drifter", password=Secret("mine"), createdb=True))
    assert await estate.objects.drift(made) == {}

    estate.admin("ALTER ROLE drifter NOCREATEDB CONNECTION LIMIT 3 PASSWORD 'theirs'")

    assert set(await estate.objects.drift(made)) == {"createdb", "password_fingerprint"}
    repaired = await estate.objects.changed(made, made)
    assert await estate.objects.drift(repaired) == {}
    assert login(estate, "drifter", "mine") == "drifter"


async def test_a_role_can_be_made_twice_by_one_operation(estate: Estate) -> None:
    """A create that is repeated after a crash ends like the first; find sees the role; absent is said when it is gone."""
    want = estate.role("twice", login=False)
    assert isinstance(await provider(want).find(estate.objects.call(want), want), Absent)

    await estate.objects.made(want)
    made = await estate.objects.made(want)

    assert isinstance(await provider(want).find(estate.objects.call(want), want), Present)
    await estate.objects.removed(made)
    await estate.objects.removed(made)
    assert isinstance(await provider(made).read(estate.objects.known(made), made), Absent)


async def test_names_are_quoted(estate: Estate) -> None:
    """A name with quotes, spaces and capitals is a name, not SQL."""
    odd = 'Odd "name"; DROP'
    role = await estate.objects.made(view(postgres.Role, "odd", name=odd, server=estate.server, password=Secret("x'y\\z")))
    want = view(postgres.Database, "odd", name=odd, server=estate.server, owner=odd)
    database = await estate.objects.made(want)

    assert login(estate, odd, "x'y\\z", database=odd) == odd
    with psycopg.connect(database.dsn, password="x'y\\z") as connection:
        assert connection.info.dbname == odd
    await estate.objects.removed(database)
    await estate.objects.removed(role)


async def test_a_role_that_owns_something_is_not_dropped(estate: Estate) -> None:
    """Dropping is refused, naming what depends on the role, and nothing is dropped in passing."""
    made = await estate.objects.made(estate.role("landlord"))
    estate.admin("CREATE TABLE flat (n int); ALTER TABLE flat OWNER TO landlord")

    with pytest.raises(ProviderError) as caught:
        await estate.objects.removed(made)

    assert caught.value.code == "in_use"
    assert "owner of table flat" in caught.value.detail or "1 object in database shop" in caught.value.detail
    estate.admin("DROP TABLE flat")
    await estate.objects.removed(made)


# Databases.


async def test_a_database_belongs_to_its_owner(estate: Estate) -> None:
    """Its address leads there over TCP, its owner may create in it, and nothing differs right after it was made."""
    assert estate.database.dsn == f"postgresql://owner@127.0.0.1:{estate.server.port}/shop"
    with psycopg.connect(estate.database.dsn, password=PASSWORD) as connection:
        connection.execute("CREATE TABLE mine (n int)")
    assert await estate.objects.drift(estate.database) == {}
    assert dict(provider(estate.database).predict(estate.database))["dsn"] == estate.database.dsn


async def test_an_encoding_may_be_spelt_as_one_likes(estate: Estate) -> None:
    """utf-8 and UTF8 are one encoding and no drift."""
    want = view(postgres.Database, "spelt", name="spelt", server=estate.server, owner="owner", encoding="utf-8")
    made = await estate.objects.made(want)

    assert await estate.objects.drift(made) == {}
    await estate.objects.removed(made)


async def test_a_changed_owner_is_drift_and_is_repaired(estate: Estate) -> None:
    """The owner is read back, and given the database again."""
    want = view(postgres.Database, "lost", name="lost", server=estate.server, owner="owner")
    made = await estate.objects.made(want)
    estate.admin("ALTER DATABASE lost OWNER TO postgres")

    assert await estate.objects.drift(made) == {"owner": "postgres"}
    assert await estate.objects.drift(await estate.objects.changed(made, made)) == {}
    await estate.objects.removed(made)


async def test_a_database_in_use_is_dropped(estate: Estate) -> None:
    """Whoever is connected is disconnected; afterwards it is absent, and dropping again is success."""
    want = view(postgres.Database, "busy", name="busy", server=estate.server, owner="owner")
    made = await estate.objects.made(want)
    again = await estate.objects.made(want)
    assert again.dsn == made.dsn

    with psycopg.connect(made.admin_dsn, autocommit=True) as guest:
        await estate.objects.removed(made)
        with pytest.raises(psycopg.OperationalError):
            guest.execute("SELECT 1")

    await estate.objects.removed(made)
    assert isinstance(await provider(made).read(estate.objects.known(made), made), Absent)


async def test_a_database_for_nobody_is_refused_in_the_server_s_words(estate: Estate) -> None:
    """An owner that does not exist gives the server's own message and the code for it."""
    want = view(postgres.Database, "orphan", name="orphan", server=estate.server, owner="ghost")

    with pytest.raises(ProviderError) as caught:
        await estate.objects.made(want)

    assert caught.value.code == "not_found"
    assert 'role "ghost" does not exist' in caught.value.detail


# Grants.


async def test_a_dropped_grant_is_named_and_repaired(estate: Estate) -> None:
    """Taking one privilege on one table away is drift that names both; the update grants it again, and nothing else."""
    await estate.objects.made(estate.role("reader"))
    estate.admin("CREATE TABLE orders (n int); CREATE TABLE items (n int)")
    want = estate.grant(
        "reader", role="reader", privileges=["INSERT", "SELECT"], objects="ALL TABLES IN SCHEMA public", default_privileges=True
    )
    assert isinstance(await provider(want).find(estate.objects.call(want), want), Absent)
    made = await estate.objects.made(want)
    assert await estate.objects.drift(made) == {}

    estate.admin("REVOKE INSERT ON orders FROM reader; GRANT DELETE ON items TO reader")

    assert await estate.objects.drift(made) == {"missing": ["INSERT on public.orders"]}
    repaired = await estate.objects.changed(made, made)
    assert await estate.objects.drift(repaired) == {}
    assert estate.admin("SELECT has_table_privilege('reader', 'items', 'DELETE')") == [(True,)]


async def test_grants_made_at_once_do_not_hinder_each_other(estate: Estate) -> None:
    """Many grants on the same objects, made in parallel, are all there at the first attempt."""
    estate.admin("CREATE TABLE crowded (n int); CREATE TABLE quiet (n int)")
    roles = [f"crowd{n}" for n in range(6)]
    await asyncio.gather(*(estate.objects.made(estate.role(role)) for role in roles))
    about = ["TABLE crowded", "ALL TABLES IN SCHEMA public", "DATABASE"]
    privileges = {"DATABASE": ["CONNECT"]}
    wanted = [
        estate.grant(f"{role}-{n}", role=role, privileges=privileges.get(objects, ["SELECT"]), objects=objects)
        for role in roles
        for n, objects in enumerate(about)
    ]

    made = await asyncio.gather(*map(estate.objects.made, wanted))

    assert [await estate.objects.drift(grant) for grant in made] == [{}] * len(wanted)
    estate.admin("DROP TABLE crowded; DROP TABLE quiet")


async def test_later_tables_are_covered_by_default_privileges(estate: Estate) -> None:
    """With default privileges a table that the owner makes later needs no new grant; without, it shows as missing."""
    await estate.objects.made(estate.role("later"))
    await estate.objects.made(estate.role("once"))
    tables = {"privileges": ["SELECT"], "objects": "ALL TABLES IN SCHEMA public"}
    later = await estate.objects.made(estate.grant("later", role="later", default_privileges=True, **tables))
    once = await estate.objects.made(estate.grant("once", role="once", **tables))

    estate.admin("SET ROLE owner; CREATE TABLE newcomer (n int)")

    assert await estate.objects.drift(later) == {}
    assert await estate.objects.drift(once) == {"missing": ["SELECT on public.newcomer"]}
    estate.admin("ALTER DEFAULT PRIVILEGES FOR ROLE owner IN SCHEMA public REVOKE SELECT ON TABLES FROM later")
    assert await estate.objects.drift(later) == {"missing": ["SELECT on later tables"]}


@pytest.mark.parametrize(
    ("name", "objects", "privileges"),
    [
        ("on-database", "DATABASE", ["CONNECT", "TEMPORARY"]),
        ("on-schema", "SCHEMA public", ["USAGE"]),
        ("on-sequence", "SEQUENCE counter", ["USAGE"]),
        ("on-sequences", "ALL SEQUENCES IN SCHEMA public", ["SELECT"]),
    ],
)
async def test_every_sort_of_object_can_be_granted(estate: Estate, name: str, objects: str, privileges: list[str]) -> None:
    """Granted, without drift; and after the delete the role can be dropped, so nothing was left."""
    estate.admin("CREATE SEQUENCE IF NOT EXISTS counter")
    role = await estate.objects.made(estate.role(name))
    made = await estate.objects.made(estate.grant(name, role=name, privileges=privileges, objects=objects))

    assert await estate.objects.drift(made) == {}
    await estate.objects.removed(made)
    assert (await estate.objects.drift(made))["missing"] != []
    await estate.objects.removed(role)
    await estate.objects.removed(made)


async def test_privileges_that_are_not_wanted_any_more_are_revoked(estate: Estate) -> None:
    """An update takes away what left the list and keeps the rest."""
    await estate.objects.made(estate.role("shrinker"))
    estate.admin("CREATE TABLE shrunk (n int)")
    wide = await estate.objects.made(
        estate.grant("shrinker", role="shrinker", privileges=["DELETE", "SELECT"], objects="TABLE shrunk")
    )
    await estate.objects.changed(wide, estate.grant("shrinker", role="shrinker", privileges=["SELECT"], objects="TABLE shrunk"))

    query = "SELECT has_table_privilege('shrinker', 'shrunk', 'DELETE'), has_table_privilege('shrinker', 'shrunk', 'SELECT')"
    assert estate.admin(query) == [(False, True)]
    estate.admin("DROP TABLE shrunk")
    assert await estate.objects.drift(wide) == {
        "missing": [f"{item} on TABLE shrunk, which is gone" for item in ("DELETE", "SELECT")]
    }
    await estate.objects.removed(wide)


# Checks.


async def look(estate: Estate, **inputs: Any) -> Done | Pending:
    """One attempt of a check."""
    want = view(postgres.Check, "check", **{"database": estate.database, **inputs})
    outcome = await provider(want).create(estate.objects.call(want), want)
    assert isinstance(outcome, Done | Pending)
    return outcome


@pytest.mark.parametrize(
    ("sql", "expect"),
    [
        ("SELECT true", True),
        ("SELECT count(*) FROM pg_class WHERE false", 0),
        ("SELECT 1.5::numeric", 1.5),
        ("SELECT x, 'a' FROM generate_series(1, 2) x", [[1, "a"], [2, "a"]]),
        ("SELECT current_user", "owner"),
        ("SELECT NULL", None),
    ],
)
async def test_a_check_passes_on_the_expected_answer(estate: Estate, sql: str, expect: Any) -> None:
    """One value, or all rows, as a script writes them; asked as the database's owner."""
    assert isinstance(await look(estate, sql=sql, expect=expect), Done)


async def test_a_check_tells_what_it_saw(estate: Estate) -> None:
    """A wrong answer, no answer and a missing table are evidence for people, and may still pass."""
    wrong = await look(estate, sql="SELECT 3", expect=4)
    none = await look(estate, sql="SELECT 1 WHERE false", expect=1)
    missing = await look(estate, sql="SELECT 1 FROM not_there", expect=1)
    truth = await look(estate, sql="SELECT 1")

    assert isinstance(wrong, Pending)
    assert "gave 3, and 4 is expected" in wrong.progress
    assert isinstance(none, Pending)
    assert "no row" in none.progress
    assert isinstance(missing, Pending)
    assert 'relation "not_there" does not exist' in missing.progress
    assert isinstance(truth, Pending), "1 is not true"


@pytest.mark.parametrize("sql", ["SELEKT 1", "CREATE TABLE written (n int)"])
async def test_a_check_that_can_never_pass_fails_at_once(estate: Estate, sql: str) -> None:
    """What is no SQL, or would write, is refused without waiting; nothing is written."""
    with pytest.raises(ProviderError) as caught:
        await look(estate, sql=sql)

    assert caught.value.code == "check_failed"
    assert estate.admin("SELECT to_regclass('written') IS NULL") == [(True,)]


async def test_a_check_logs_in_with_a_secret_and_keeps_it(estate: Estate) -> None:
    """A DSN with a password works; with a wrong one the evidence does not hold it."""
    dsn = f"postgresql://owner:{{}}@127.0.0.1:{estate.server.port}/shop"
    word = "sesame-sesame"

    right = await look(estate, database=None, dsn=Secret(dsn.format(PASSWORD.replace(" ", "%20"))), sql="SELECT 1", expect=1)
    wrong = await look(estate, database=None, dsn=Secret(dsn.format(word)), sql="SELECT 1")

    assert isinstance(right, Done)
    assert isinstance(wrong, Pending)
    assert "authentication failed" in wrong.progress
    assert word not in wrong.progress


async def test_a_server_that_is_down_makes_nothing_absent() -> None:
    """What cannot be asked is unreadable; it is never taken as gone."""
    async with server() as (objects, have):
        role = await objects.made(view(postgres.Role, "r", name="r", server=have))
        database = await objects.made(view(postgres.Database, "d", name="d", server=have, owner="r"))
        grant = await objects.made(
            view(postgres.Grant, "g", database=database, role="r", privileges=["CONNECT"], objects="DATABASE")
        )
        process = int(at(f"{have.data}/postmaster.pid").read_text(encoding="utf-8").split()[0])
        os.kill(process, signal.SIGKILL)
        await eventually(lambda: not at(f"/proc/{process}").exists())

        for node in (role, database, grant):
            assert isinstance(await provider(node).read(objects.known(node), node), Unreadable)
        with pytest.raises(ProviderError) as caught:
            await objects.changed(role, role)
        assert (caught.value.code, caught.value.may_exist) == ("unavailable", False)
