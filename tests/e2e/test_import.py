"""Importing what somebody made in a PostgreSQL server: the Python that is written plans to no change."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

SCRIPT = """\
from purvey import secret, stack
from purvey.resources import postgres


@stack
def base():
    db = postgres.Server("db", settings={"fsync": "off"})
"""

MADE = """
    CREATE ROLE shop_owner LOGIN PASSWORD 'correct horse' CONNECTION LIMIT 7;
    CREATE ROLE "Reader" NOLOGIN;
    CREATE DATABASE shop OWNER shop_owner;
"""

TABLES = """
    CREATE TABLE goods (id int);
    CREATE TABLE orders (id int);
    GRANT SELECT ON goods, orders TO "Reader";
    GRANT INSERT, UPDATE ON orders TO "Reader";
    GRANT USAGE ON SCHEMA public TO "Reader";
    ALTER DEFAULT PRIVILEGES FOR ROLE shop_owner IN SCHEMA public GRANT SELECT ON TABLES TO "Reader";
"""


class Base:
    """A stack with a server, driven through the command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.script = folder / "base.py"
        self.script.write_text(SCRIPT, encoding="utf-8")
        self.environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LANG": "C.UTF-8", "NO_COLOR": "1"}

    def run(self, *words: str, expect: int = 0) -> str:
        """What a command prints to standard output; it must end with `expect`."""
        done = subprocess.run(
            [sys.executable, "-m", "purvey", *words], cwd=self.folder, env=self.environment, text=True, capture_output=True,
            timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == expect, f"{words}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def take(self, *words: str) -> str:
        """Import, and put what is printed into the script."""
        text = self.run("state", "import", "base.py", *words)
        self.script.write_text(self.script.read_text(encoding="utf-8") + textwrap.indent(text, "    "), encoding="utf-8")
        return text

    def admin(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run statements behind purvey's back."""
        record = json.loads(self.run("state", "show", "base.py", "postgres.Server::db", "--json"))
        with psycopg.connect(f"{record['outputs']['admin_dsn']} dbname={database}", autocommit=True) as connection:
            answers = [connection.execute(text.encode()) for text in statement.split(";") if text.strip()]
            return answers[-1].fetchall() if answers[-1].description else []


@pytest.fixture
def base(tmp_path: Path) -> Iterator[Base]:
    """The stack, applied, with something in it that purvey has not made; taken down afterwards."""
    made = Base(tmp_path)
    made.run("apply", "base.py", "--yes")
    try:
        made.admin(MADE)
        made.admin(TABLES, "shop")
        yield made
    finally:
        made.script.write_text(SCRIPT, encoding="utf-8")
        made.run("destroy", "base.py", "--yes")


def test_what_is_in_a_server_is_imported(base: Base) -> None:
    """Every role and database, and each grant by its name: they refer to each other, and a plan has nothing to do."""
    inside = ("--in", "postgres.Server::db")
    catalogue = "SELECT rolname, rolpassword FROM pg_authid ORDER BY 1"
    before = base.admin(catalogue)

    roles = base.take("--kind", "postgres.Role", "--all", *inside)
    databases = base.take("--kind", "postgres.Database", "--all", *inside)
    grants = base.take(
        "--kind", "postgres.Grant", "--in", "postgres.Database::shop", "--id", "Reader on ALL TABLES IN SCHEMA public",
        "--id", "Reader on TABLE orders", "--id", "Reader on SCHEMA public",
    )  # fmt: skip

    assert 'postgres.Role("Reader", server=db, login=False)' in roles
    assert 'password=secret("env:SHOP_OWNER_PASSWORD")' in roles
    assert "connection_limit=7" in roles
    assert 'postgres.Database("shop", server=db, owner=shop_owner.name)' in databases
    assert "role=Reader.name" in grants
    assert 'privileges=["INSERT", "SELECT", "UPDATE"]' in grants
    assert "default_privileges=True" in grants
    assert "correct horse" not in base.script.read_text(encoding="utf-8")
    told = base.run(
        "plan", "base.py", "--exit-code", expect=4
    )  # Nobody has given its secret yet, so an apply would be refused.
    assert "Nothing to do" in told
    assert base.admin(catalogue) == before
    assert "There is nothing" in subprocess.run(
        [sys.executable, "-m", "purvey", "state", "import", "base.py", "--kind", "postgres.Role", "--all", *inside],
        cwd=base.folder, env=base.environment, text=True, capture_output=True, timeout=120, check=True,
    ).stderr  # fmt: skip
    base.run("state", "import", "--stack", "base", "--kind", "files.File", "--id", str(base.script), "-o", "whole.py")
    assert "Nothing to do" in base.run("plan", "whole.py", "--exit-code", expect=4)
    base.environment["SHOP_OWNER_PASSWORD"] = "another"
    base.run("plan", "base.py", "--exit-code", expect=2)
