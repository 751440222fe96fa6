"""`postgres.Migrations` on the real server: applied once, whole or not at all, and taken back by their down files."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from purvey.errors import ProviderError
from purvey.providers import Done, Pending
from purvey.resources import postgres
from purvey.resources.postgres import _ledger
from purvey.resources.postgres._migration_files import read_folder
from purvey.testing import view
from tests.e2e.objects import Objects, server, settled
from tests.unit.resources.life import provider

FIRST = "CREATE TABLE customers (id int PRIMARY KEY);\nINSERT INTO customers VALUES (1);\n"
SECOND = "-- adds names\nALTER TABLE customers ADD COLUMN name text;\n"
BROKEN = "CREATE TABLE half (n int);\n\nINSERT INTO half\n  SELECT 1 / 0;\nCREATE TABLE never (n int);\n"


class Shop:
    """A database of its own, and a folder of migrations."""

    def __init__(self, objects: Objects, database: postgres.Database, folder: Path) -> None:
        self.objects = objects
        self.database = database
        self.folder = folder

    def put(self, name: str, text: str) -> None:
        """Write a migration."""
        (self.folder / name).write_text(text, encoding="utf-8")

    def declared(self, **inputs: Any) -> postgres.Migrations:
        """The node as a script declares it now."""
        files = read_folder(self.folder)
        return view(postgres.Migrations, "schema", database=self.database, folder="migrations", files=files, **inputs)

    def query(self, text: str) -> list[tuple[Any, ...]]:
        """What a query gives."""
        with psycopg.connect(self.database.admin_dsn, autocommit=True) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

    def tables(self) -> set[str]:
        """The tables of the schema."""
        return {row[0] for row in self.query("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[tuple[Objects, postgres.Server]]:
    """One server for all tests of this module."""
    async with server() as (objects, have):
        await objects.made(view(postgres.Role, "owner", name="owner", server=have))
        yield objects, have


@pytest.fixture
async def shop(running: tuple[Objects, postgres.Server], tmp_path: Path) -> AsyncIterator[Shop]:
    """A new database, with an empty folder of migrations."""
    objects, have = running
    name = f"shop-{abs(hash(tmp_path))}"
    database = await objects.made(view(postgres.Database, name, name=name, server=have, owner="owner"))
    yield Shop(objects, database, tmp_path)
    await objects.removed(database)


async def test_files_are_applied_in_order_as_the_owner(shop: Shop) -> None:
    """Each file runs once, the owner owns what it makes, and nothing differs afterwards."""
    shop.put("0002_names.sql", SECOND)
    shop.put("0001_customers.sql", FIRST)

    made = await shop.objects.made(shop.declared())

    assert made.applied == ["0001_customers", "0002_names"]
    assert made.revision == "0002_names"
    assert shop.query("SELECT id, name FROM customers") == [(1, None)]
    assert shop.query("SELECT tableowner FROM pg_tables WHERE tablename = 'customers'") == [("owner",)]
    assert await shop.objects.drift(made) == {}
    assert dict(provider(made).predict(made)) == {"applied": made.applied, "revision": made.revision}


async def test_a_later_apply_runs_only_what_is_new(shop: Shop) -> None:
    """A file that was applied never runs again."""
    shop.put("0001_customers.sql", FIRST)
    first = await shop.objects.made(shop.declared())
    shop.put("0002_names.sql", SECOND)

    second = await shop.objects.changed(first, shop.declared())

    assert second.revision == "0002_names"
    assert shop.query("SELECT count(*) FROM customers") == [(1,)]


async def test_a_failing_file_leaves_nothing_of_itself(shop: Shop) -> None:
    """The error has the server's message, the file and the line; the schema is the former one; no row says otherwise."""
    shop.put("0001_customers.sql", FIRST)
    first = await shop.objects.made(shop.declared())
    shop.put("0002_broken.sql", BROKEN)

    with pytest.raises(ProviderError) as caught:
        await shop.objects.changed(first, shop.declared())

    error = caught.value
    assert (error.code, error.may_exist) == ("failed", False)
    assert "0002_broken.sql:3: ERROR 22012: division by zero" in error.detail
    assert "INSERT INTO half" in error.detail
    assert shop.tables() == {"customers", "purvey_migrations"}
    assert await shop.objects.drift(first) == {}


async def test_a_failing_file_takes_those_before_it_along(shop: Shop) -> None:
    """Files that the same operation applied before are taken back; those of an earlier one stay."""
    shop.put("0001_customers.sql", FIRST)
    first = await shop.objects.made(shop.declared())
    shop.put("0002_names.sql", SECOND)
    shop.put("0002_names.down.sql", "ALTER TABLE customers DROP COLUMN name;")
    shop.put("0003_broken.sql", BROKEN)

    with pytest.raises(ProviderError, match="migration failed"):
        await shop.objects.changed(first, shop.declared())

    assert await shop.objects.drift(first) == {}
    assert shop.query("SELECT * FROM customers") == [(1,)]


async def test_a_failing_file_says_what_it_could_not_take_along(shop: Shop) -> None:
    """Without a down file the earlier one stays, and the error says so."""
    shop.put("0001_customers.sql", FIRST)
    shop.put("0002_broken.sql", BROKEN)

    with pytest.raises(ProviderError) as caught:
        await shop.objects.made(shop.declared())

    assert "no down file for 0001_customers" in caught.value.detail
    assert "customers" in shop.tables()


async def test_the_line_is_that_of_the_error(shop: Shop) -> None:
    """Where the server tells a position, the line is the one of that position, comments and earlier statements counted."""
    shop.put("0001_typo.sql", "SELECT 1;\n/* one\n two */\nCREATE TABLE t (\n  n int,\n  m intt\n);\n")

    with pytest.raises(ProviderError) as caught:
        await shop.objects.made(shop.declared())

    assert "0001_typo.sql:6: ERROR 42704" in caught.value.detail


async def test_a_deferred_constraint_is_told_with_its_file(shop: Shop) -> None:
    """What the server would only find at the commit is found before it, and names the file."""
    shop.put(
        "0001_deferred.sql",
        "CREATE TABLE a (n int PRIMARY KEY);\n"
        "CREATE TABLE b (n int REFERENCES a DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO b VALUES (1);",
    )

    with pytest.raises(ProviderError) as caught:
        await shop.objects.made(shop.declared())

    assert "0001_deferred.sql" in caught.value.detail
    assert "foreign key" in caught.value.detail
    assert shop.tables() <= {"purvey_migrations"}


async def test_an_undo_runs_the_down_files_of_its_operation(shop: Shop) -> None:
    """Newest first, exactly what that operation applied; the undo of the first operation leaves not even the table."""
    shop.put("0001_customers.sql", FIRST)
    shop.put("0001_customers.down.sql", "DROP TABLE customers;")
    create = shop.objects.call(shop.declared(), token="create")
    first = await shop.objects.made(shop.declared(), create)
    shop.put("0002_names.sql", SECOND)
    shop.put("0002_names.down.sql", "ALTER TABLE customers DROP COLUMN name;")
    shop.put("0003_more.sql", "ALTER TABLE customers RENAME COLUMN name TO label;")
    shop.put("0003_more.down.sql", "ALTER TABLE customers RENAME COLUMN label TO name;")
    second = await shop.objects.changed(first, shop.declared(), shop.objects.known(first, token="update"))
    assert provider(second).undoable("update", first, second)

    done = await provider(second).undo(shop.objects.known(second, undoes="update"), second, first)
    assert isinstance(done, Done)
    assert done.outputs == {"applied": ["0001_customers"], "revision": "0001_customers"}
    assert shop.query("SELECT * FROM customers") == [(1,)]
    assert await shop.objects.drift(first) == {}

    await provider(first).undo(shop.objects.known(first, undoes="create"), first, None)
    assert shop.tables() == set()


async def test_what_has_no_down_file_is_final(shop: Shop) -> None:
    """The plan can know beforehand, and an undo that comes all the same refuses before it runs anything."""
    shop.put("0001_customers.sql", FIRST)
    shop.put("0002_names.sql", SECOND)
    shop.put("0002_names.down.sql", "ALTER TABLE customers DROP COLUMN name;")
    made = await shop.objects.made(shop.declared(), shop.objects.call(shop.declared(), token="create"))

    assert not provider(made).undoable("create", None, made)
    with pytest.raises(ProviderError, match="taken back"):
        await provider(made).undo(shop.objects.known(made, undoes="create"), made, None)
    assert shop.query("SELECT name FROM customers") == [(None,)]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("edit", "0001_customers.sql was edited after it was applied"),
        ("remove", "0001_customers.sql is not in the folder"),
        ("slip in", "0000_before.sql comes before 0001_customers"),
    ],
)
async def test_files_that_contradict_the_database_are_refused(shop: Shop, change: str, told: str) -> None:
    """An applied file that was edited or removed, or a new one before it, is named by preflight and by apply alike."""
    shop.put("0001_customers.sql", FIRST)
    made = await shop.objects.made(shop.declared())
    if change == "edit":
        shop.put("0001_customers.sql", FIRST.replace("(1)", "(2)"))
    elif change == "remove":
        (shop.folder / "0001_customers.sql").unlink()
    else:
        shop.put("0000_before.sql", "SELECT 1;")
    want = shop.declared()

    (finding,) = await provider(want).preflight(shop.objects.known(made), want)

    assert told in finding.problem
    with pytest.raises(ProviderError) as caught:
        await shop.objects.changed(made, want)
    assert told in caught.value.detail
    assert shop.query("SELECT id FROM customers") == [(1,)]


async def test_a_row_that_somebody_removed_is_drift(shop: Shop) -> None:
    """What is applied is read from the database."""
    shop.put("0001_customers.sql", FIRST)
    made = await shop.objects.made(shop.declared())
    shop.query("DELETE FROM purvey_migrations; DROP TABLE customers")

    assert await shop.objects.drift(made) == {"applied": []}
    repaired = await shop.objects.changed(made, made)
    assert await shop.objects.drift(repaired) == {}
    assert "customers" in shop.tables()


async def test_two_runs_never_migrate_at_once(shop: Shop) -> None:
    """While somebody holds the lock the operation is pending; once it is free it completes."""
    shop.put("0001_customers.sql", FIRST)
    want = shop.declared()
    call = shop.objects.call(want)
    with psycopg.connect(shop.database.admin_dsn, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (_ledger.LOCK,))
        outcome = await provider(want).create(call, want)
        assert isinstance(outcome, Pending)
        assert "customers" not in shop.tables()

    await settled(call, want, outcome)
    assert "customers" in shop.tables()


async def test_many_at_once_apply_each_file_once(shop: Shop) -> None:
    """Operations that start together end together, and each file ran once."""
    shop.put("0001_customers.sql", FIRST)
    want = shop.declared()

    made = await asyncio.gather(*(shop.objects.made(want) for _ in range(4)))

    assert {tuple(one.applied) for one in made} == {("0001_customers",)}
    assert shop.query("SELECT count(*) FROM customers") == [(1,)]


async def test_a_file_changes_nothing_for_the_next_one(shop: Shop) -> None:
    """A role or a setting that one file takes on is not that of the next."""
    shop.put("0001_settings.sql", "SET search_path TO pg_temp; SET statement_timeout TO '1h'; RESET ROLE;")
    shop.put("0002_after.sql", "CREATE TABLE after AS SELECT current_user AS who, current_setting('statement_timeout') AS t;")

    await shop.objects.made(shop.declared())

    assert shop.query("SELECT who, t FROM public.after") == [("owner", "0")]


async def test_removing_the_node_keeps_the_schema(shop: Shop) -> None:
    """Delete forgets: the tables stay with their database."""
    shop.put("0001_customers.sql", FIRST)
    made = await shop.objects.made(shop.declared())

    await shop.objects.removed(made)

    assert "customers" in shop.tables()
    assert provider(made).forgets
