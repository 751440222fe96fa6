"""Cases for a PostgreSQL server and what is in it, looked at over connections of their own.

All but the server's own share one server: they declare it alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, LiteralString

import msgspec
import psycopg
from psycopg.conninfo import make_conninfo

from purvey.resources import postgres
from purvey.testing.conformance import NAME, Case, CheckCase, CheckWish, Situation, Wish
from tests.e2e.conformance import machine

if TYPE_CHECKING:
    from purvey import Options, Resource

QUICK = {"fsync": "off"}


class ServerCase(Case):
    """`postgres.Server`: its settings change in place; a second data directory may be made beside the first."""

    kind = postgres.Server
    inapplicable: ClassVar[Mapping[str, str]] = {
        "adopt": "the name of its folder holds the id of the store, so nobody else can have made it"
    }

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        settings = {**QUICK, "work_mem": self.expected(wish)["work_mem"]}
        if wish == "failing":
            settings["shared_buffers"] = "a lot"
        again = msgspec.structs.replace(opts, replace_when=2) if wish == "replaced" else opts
        return postgres.Server(NAME, settings=settings, opts=again)

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        return {"servers": 1, "work_mem": "8MB" if wish == "changed" else "5MB"}

    @property
    def room(self) -> Path:
        """The folder of the node's servers."""
        return self.objects / "postgres.Server" / NAME

    def pids(self) -> list[int]:
        """The servers' first processes."""
        return machine.processes("/postgres -D ", str(self.room))

    def look(self) -> Mapping[str, Any] | None:
        """See `Case.look`; the server itself is asked."""
        return self._answer("SELECT current_setting('work_mem')", "work_mem")

    def exists(self) -> bool:
        """See `Case.exists`."""
        return bool(self.pids())

    def identity(self) -> Any:
        """See `Case.identity`: nothing may restart it."""
        return self.content(), self.pids()

    def content(self) -> Any:
        """See `Case.content`: the very data, whatever process serves it."""
        return self.look(), self._answer("SELECT system_identifier FROM pg_control_system()", "data")

    def _answer(self, query: LiteralString, name: str) -> Mapping[str, Any] | None:
        if not self.pids():
            return None
        (data,) = self.room.glob("*/data/postmaster.pid")
        _, _, _, port, host, *_ = data.read_text().splitlines()
        with psycopg.connect(host=host, port=port, user="postgres", dbname="postgres") as connection:
            row = connection.execute(query).fetchone()
        assert row is not None
        return {"servers": len(self.pids()), name: row[0]}

    def lose(self) -> None:
        """See `Case.lose`."""
        for pid in self.pids():
            machine.end_with_keeper(pid)
        machine.eventually(lambda: not machine.processes("postgres", str(self.room)))
        machine.clear(self.room)

    def drift(self) -> str:
        """See `Case.drift`."""
        for pid in self.pids():
            machine.end(pid)
        return "running"

    def hidden(self) -> AbstractContextManager[None]:
        """See `Case.hidden`: what the keeper wrote down cannot be read."""
        (record,) = self.room.glob("*/server.json")
        return machine.illegible(record)


class Served(Situation):
    """What is in a server: a node called ``db``, the same for all."""

    def around(self) -> Mapping[str, Any]:
        """See `Situation.around`."""
        self.db = postgres.Server("db", settings=QUICK)
        return {"admin": self.db.admin_dsn, "port": self.db.port, "socket": self.db.socket}

    def rows(self, statement: LiteralString, *values: Any, database: str = "postgres") -> list[tuple[Any, ...]]:
        """The answer of the server to its superuser."""
        with psycopg.connect(make_conninfo(self.known["admin"], dbname=database), autocommit=True) as connection:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description is not None else []

    def hidden(self) -> AbstractContextManager[None]:
        """See `Case.hidden`: the server runs, and cannot be reached."""
        return machine.moved_away(Path(self.known["socket"]) / f".s.PGSQL.{self.known['port']}")


class RoleCase(Served, Case):
    """`postgres.Role`: its attributes change in place, its name does not."""

    kind = postgres.Role

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`; names that begin with ``pg_`` are refused by the server."""
        name = {"replaced": "kit_moved", "failing": "pg_kit"}.get(wish, "kit_role")
        limit = 7 if wish == "changed" else 5
        return postgres.Role(
            NAME, server=self.db, name=name, connection_limit=limit, password=self.secret("password"), opts=opts
        )

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        return {
            "name": "kit_moved" if wish == "replaced" else "kit_role",
            "limit": 7 if wish == "changed" else 5,
            "enters": True,
        }

    def look(self) -> Mapping[str, Any] | None:
        """See `Case.look`: whether somebody with its password gets in is tried out."""
        found = self.rows("SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname IN ('kit_role', 'kit_moved')")
        if not found:
            return None
        ((name, limit),) = found
        return {"name": name, "limit": limit, "enters": self._enters(name)}

    def _enters(self, name: str) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(
                host="127.0.0.1", port=self.known["port"], user=name, password=self.plaintext("password"), dbname="postgres"
            ).close()
            return True
        return False

    def identity(self) -> Any:
        """See `Case.identity`: the stored form of the password has a random part."""
        return self.look(), self.rows("SELECT rolpassword FROM pg_authid WHERE rolname LIKE 'kit_%%'")

    def lose(self) -> None:
        """See `Case.lose`."""
        self.rows("DROP ROLE kit_role")

    def drift(self) -> str:
        """See `Case.drift`."""
        self.rows("ALTER ROLE kit_role CONNECTION LIMIT 9")
        return "connection_limit"

    def found(self) -> None:
        """See `Case.found`."""
        self.rows("CREATE ROLE kit_role NOLOGIN CONNECTION LIMIT 9")


class DatabaseCase(Served, Case):
    """`postgres.Database`: its owner changes in place, its name does not."""

    kind = postgres.Database

    def around(self) -> Mapping[str, Any]:
        """See `Situation.around`."""
        known = super().around()
        self.owners = [postgres.Role(name, server=self.db) for name in ("kit_owner", "kit_heir")]
        return known

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        name = {"replaced": "kit_moved", "failing": "kit_failing"}.get(wish, "kit_data")
        owner = self.owners[wish == "changed"]
        template = "no_such_template" if wish == "failing" else "template1"
        return postgres.Database(NAME, server=self.db, name=name, owner=owner.name, template=template, opts=opts)

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        return {
            "name": "kit_moved" if wish == "replaced" else "kit_data",
            "owner": "kit_heir" if wish == "changed" else "kit_owner",
        }

    def look(self) -> Mapping[str, Any] | None:
        """See `Case.look`."""
        found = self._found()
        return {"name": found[0], "owner": found[1]} if found is not None else None

    def _found(self) -> tuple[Any, ...] | None:
        query = "SELECT datname, pg_get_userbyid(datdba), oid FROM pg_database WHERE datname IN ('kit_data', 'kit_moved')"
        found = self.rows(query)
        assert len(found) <= 1, found
        return found[0] if found else None

    def identity(self) -> Any:
        """See `Case.identity`: the very database, not another of its name."""
        return self._found()

    def content(self) -> Any:
        """See `Case.content`: as `identity`, for what is in it would be lost."""
        return self._found()

    def lose(self) -> None:
        """See `Case.lose`."""
        self.rows("DROP DATABASE kit_data WITH (FORCE)")

    def drift(self) -> str:
        """See `Case.drift`."""
        self.rows("ALTER DATABASE kit_data OWNER TO kit_heir")
        return "owner"

    def found(self) -> None:
        """See `Case.found`."""
        self.rows("CREATE DATABASE kit_data OWNER kit_heir")


class Schema(Served):
    """What is in a database, which each case has to itself: schemas stay where they are."""

    @property
    def database(self) -> str:
        """Its name."""
        return f"kit_{type(self).__name__.lower()}"

    def around(self) -> Mapping[str, Any]:
        """See `Situation.around`."""
        known = super().around()
        owner = postgres.Role(self.database, server=self.db)
        self.shop = postgres.Database(self.database, server=self.db, owner=owner.name)
        return known

    def files(self, **files: str) -> str:
        """A folder of migrations."""
        folder = self.folder / "-".join(files)
        folder.mkdir(exist_ok=True)
        for name, text in files.items():
            (folder / f"{name.removesuffix('_down')}{'.down' if name.endswith('_down') else ''}.sql").write_text(text)
        return str(folder)


class GrantCase(Schema, Case):
    """`postgres.Grant`: its privileges change in place, its objects do not."""

    kind = postgres.Grant
    inapplicable: ClassVar[Mapping[str, str]] = {
        "lost": "privileges that were all taken away are drift that names each; nothing else of a grant can be lost",
    }

    def around(self) -> Mapping[str, Any]:
        """See `Situation.around`."""
        known = super().around()
        folder = self.files(**{"0001_tables": "CREATE TABLE goods (id int); CREATE TABLE orders (id int);"})
        self.tables = postgres.Migrations("tables", database=self.shop, folder=folder)
        self.reader = postgres.Role("kit_reader", server=self.db)
        return known

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        table = {"replaced": "orders", "failing": "no_such_table"}.get(wish, "goods")
        privileges = ["SELECT", "UPDATE"] if wish == "changed" else ["SELECT", "INSERT"]
        after = msgspec.structs.replace(opts, after=[self.tables])
        return postgres.Grant(
            NAME, database=self.shop, role=self.reader.name, privileges=privileges, objects=f"TABLE {table}", opts=after
        )

    def expected(self, wish: Wish) -> Any:
        """See `Case.expected`."""
        table = "orders" if wish == "replaced" else "goods"
        return [(table, privilege) for privilege in (("SELECT", "UPDATE") if wish == "changed" else ("INSERT", "SELECT"))]

    def look(self) -> Any:
        """See `Case.look`."""
        query = """
            SELECT relname, privilege_type FROM pg_class, aclexplode(relacl)
             WHERE pg_get_userbyid(grantee) = 'kit_reader' ORDER BY 1, 2
        """
        return self.rows(query, database=self.database) or None

    def lose(self) -> None:
        """See `Case.lose`."""
        self.rows("REVOKE ALL ON goods FROM kit_reader", database=self.database)

    def drift(self) -> str:
        """See `Case.drift`."""
        self.rows("REVOKE INSERT ON goods FROM kit_reader", database=self.database)
        return "missing"

    def found(self) -> None:
        """See `Case.found`."""
        self.rows("GRANT SELECT ON goods TO kit_reader", database=self.database)


class MigrationsCase(Schema, Case):
    """`postgres.Migrations`: more files are more schema; removing the node removes none of it."""

    kind = postgres.Migrations
    inapplicable: ClassVar[Mapping[str, str]] = {
        "delete": "the schema belongs to the database, and goes with it; removing the node forgets it",
        "killed delete": "as for deleting",
        "replace": "there is one schema in a database, and it is replaced with it",
        "lost": "a schema that is gone is drift of the revisions that are applied",
        "adopt": "what is applied already is what the table in the database says, whoever applied it",
    }

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        files = {"0001_goods": "CREATE TABLE goods (id int);", "0001_goods_down": "DROP TABLE goods;"}
        if wish == "changed":
            files |= {"0002_orders": "CREATE TABLE orders (id int);", "0002_orders_down": "DROP TABLE orders;"}
        if wish == "failing":
            files |= {"0002_failing": "CREATE TABLE half (id int); SELECT 1 / 0;"}
        return postgres.Migrations(NAME, database=self.shop, folder=self.files(**files), opts=opts)

    def expected(self, wish: Wish) -> Any:
        """See `Case.expected`."""
        return ["goods", "orders", "purvey_migrations"] if wish == "changed" else ["goods", "purvey_migrations"]

    def look(self) -> Any:
        """See `Case.look`."""
        query = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
        return [name for (name,) in self.rows(query, database=self.database)] or None

    def identity(self) -> Any:
        """See `Case.identity`: when each file was applied stays."""
        if self.look() is None:
            return None
        return self.look(), self.rows("SELECT m.*::text FROM purvey_migrations m ORDER BY 1", database=self.database)

    def lose(self) -> None:
        """See `Case.lose`."""
        tables = "DROP TABLE IF EXISTS goods, orders, purvey_migrations"
        self.rows(tables, database=self.database)

    def drift(self) -> str:
        """See `Case.drift`."""
        self.lose()
        return "applied"


class SqlCheckCase(Schema, CheckCase):
    """`postgres.Check`: a query that expects three goods; one that writes can never pass."""

    kind = postgres.Check
    evidence = "the query gave 2, and 3 is expected"

    def around(self) -> Mapping[str, Any]:
        """See `Situation.around`."""
        known = super().around()
        folder = self.files(**{"0001_counted": "CREATE TABLE counted (id int);"})
        self.tables = postgres.Migrations("counted", database=self.shop, folder=folder)
        self.reader = postgres.Role("kit_counter", server=self.db, superuser=True, password=self.secret("password"))
        return known

    def declare(self, wish: CheckWish, opts: Options) -> Resource:
        """See `CheckCase.declare`."""
        query = "DELETE FROM counted RETURNING 3" if wish == "impossible" else "SELECT count(*) FROM counted"
        where = f"host=127.0.0.1 port={self.db.port} dbname={self.database} user={self.reader.name}"
        dsn = f"{where} password='{self.secret('password')}'"
        return postgres.Check(
            NAME, dsn=dsn, sql=query, expect=3, within_s=1.0 if wish == "failing" else 20.0, every_s=0.1,
            opts=msgspec.structs.replace(opts, after=[self.tables]),
        )  # fmt: skip

    def prepare(self, wish: CheckWish) -> None:
        """See `CheckCase.prepare`."""
        count = 3 if wish == "passing" else 2
        statement = "WITH gone AS (DELETE FROM counted) INSERT INTO counted SELECT generate_series(1, %s)"
        self.rows(statement, count, database=self.database)

    def look(self) -> Any:
        """See `CheckCase.look`."""
        return self.rows("SELECT xmin::text, id FROM counted ORDER BY 2", database=self.database)
