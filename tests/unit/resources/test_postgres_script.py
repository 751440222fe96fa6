"""What a script may say about databases, and how its mistakes are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from purvey._base.value import Link, NodeLink, SecretRef, Unknown
from purvey._script.recorder import Recorder, recording
from purvey._script.words import secret
from purvey.errors import ScriptError
from purvey.providers import NotKnownError
from purvey.resources import postgres
from purvey.resources.postgres._migration_files import in_order
from purvey.testing import view
from tests.unit.resources.life import only, provider, recorder


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Recorder]:
    """A script that is running in `tmp_path`."""
    with recording(recorder(tmp_path)) as running:
        yield running


def inputs_of(script: Recorder, kind: str) -> dict[str, Any]:
    """What was recorded of the one node of a kind."""
    return dict(only(script, kind).inputs)


def test_the_example_of_the_product_declares(script: Recorder) -> None:
    """Server, role and database as on the first page: names are the nodes' own, nodes are containers, secrets references."""
    db = postgres.Server("db", version=18)
    role = postgres.Role("app", server=db, password=secret("env:APP_PASSWORD"))
    postgres.Database("shop", server=db, owner=role.name)

    assert inputs_of(script, "postgres.Role") == {
        "name": "app",
        "server": NodeLink("postgres.Server::db"),
        "password": SecretRef("env:APP_PASSWORD"),
    }
    database = only(script, "postgres.Database")
    assert database.inputs["owner"] == Link("postgres.Role::app", "name")
    assert database.container == "postgres.Server::db"
    assert set(database.needs) == {"postgres.Server::db", "postgres.Role::app"}


def test_settings_become_text(script: Recorder) -> None:
    """Numbers and truth values are written as the configuration file has them."""
    postgres.Server("db", settings={"max_connections": 50, "fsync": False, "work_mem": "8MB"})  # type: ignore[dict-item]

    assert inputs_of(script, "postgres.Server")["settings"] == {"max_connections": "50", "fsync": "off", "work_mem": "8MB"}


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"version": 15}, "version"),
        ({"settings": {"port": "1"}}, "port"),
        ({"settings": {"Max Connections": "1"}}, "Max Connections"),
        ({"port": 5432}, "output"),
    ],
)
def test_a_server_that_makes_no_sense_is_refused(script: Recorder, inputs: dict[str, Any], told: str) -> None:
    """Another version, settings that purvey makes itself, and the chosen port given as if it were an input."""
    with pytest.raises(ScriptError, match=told):
        postgres.Server("db", **inputs)


def test_a_plain_password_is_refused(script: Recorder) -> None:
    """A password in the script's own text is not a secret."""
    db = postgres.Server("db")

    with pytest.raises(ScriptError, match="secret"):
        postgres.Role("app", server=db, password="hunter2")  # type: ignore[arg-type]


def test_claims_and_addresses_are_known_beforehand() -> None:
    """A chosen port is claimed and predicted; an unknown one is neither, and what needs it is not known yet."""
    fixed, free = view(postgres.Server, "db", listen_port=5433), view(postgres.Server, "db")
    assert provider(fixed).claims(fixed) == ("tcp://127.0.0.1:5433",)
    assert dict(provider(fixed).predict(fixed)) == {"port": 5433, "address": "127.0.0.1:5433"}
    assert provider(free).claims(free) == ()
    assert dict(provider(free).predict(free)) == {}

    role = view(postgres.Role, "a", name="app", server=free)
    assert provider(role).claims(role) == ("role@test/dev::postgres.Server::db/app",)


def test_a_database_s_address_follows_from_the_server_s() -> None:
    """Names are encoded in the URL and quoted in the conninfo string; IPv6 gets its brackets."""
    server = view(postgres.Server, "db", host="::1", port=5433, socket="/run/my db")
    database = view(postgres.Database, "d", name="a b", server=server, owner="me@home")

    assert dict(provider(database).predict(database)) == {
        "dsn": "postgresql://me%40home@[::1]:5433/a%20b",
        "admin_dsn": "host='/run/my db' port=5433 user=postgres dbname='a b'",
    }


def test_an_unknown_server_is_let_pass() -> None:
    """While the server's port is unknown a database's address is said to be not known, not guessed."""
    server = view(postgres.Server, "db", host="127.0.0.1", port=Unknown("postgres.Server::db.port"))
    database = view(postgres.Database, "d", name="d", server=server, owner="o")

    with pytest.raises(NotKnownError):
        provider(database).predict(database)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"objects": "EVERYTHING"}, "EVERYTHING"),
        ({"objects": "TABLE t", "privileges": ["CONNECT"]}, "CONNECT cannot be granted on a table"),
        ({"objects": "TABLE t", "default_privileges": True}, "objects made later"),
    ],
)
def test_a_grant_that_makes_no_sense_is_refused(script: Recorder, inputs: dict[str, Any], told: str) -> None:
    """Objects outside the grammar, privileges that they do not have, defaults for one table."""
    data = postgres.Database("d", server=postgres.Server("db"), owner="o")

    with pytest.raises(ScriptError, match=told):
        postgres.Grant("g", **{"database": data, "role": "r", "privileges": ["SELECT"], **inputs})


def test_a_grant_is_recorded_as_the_server_spells_it(script: Recorder) -> None:
    """So that what is read back compares equal."""
    data = postgres.Database("d", server=postgres.Server("db"), owner="o")
    postgres.Grant("g", database=data, role="r", privileges=["select", "insert"], objects="TABLE t")

    assert inputs_of(script, "postgres.Grant")["privileges"] == ["INSERT", "SELECT"]


def test_a_check_says_whom_to_ask(script: Recorder) -> None:
    """Exactly one of a database and an address."""
    data = postgres.Database("d", server=postgres.Server("db"), owner="o")
    postgres.Check("a", database=data, sql="SELECT true")
    postgres.Check("b", dsn=f"{data.dsn}?connect_timeout=1", sql="SELECT 1", expect=1)

    with pytest.raises(ScriptError, match="whom to ask"):
        postgres.Check("c", sql="SELECT 1")
    with pytest.raises(ScriptError, match="whom to ask"):
        postgres.Check("d", sql="SELECT 1", database=data, dsn="x")


# Migrations.


def migrate(tmp_path: Path, **files: str) -> None:
    """Declare the migrations of a folder with these files."""
    folder = tmp_path / "migrations"
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / f"{name.replace('__', '.')}.sql").write_text(text, encoding="utf-8")
    data = postgres.Database("d", server=postgres.Server("db"), owner="o")
    postgres.Migrations("schema", database=data, folder="migrations")


def test_the_files_become_part_of_the_plan(script: Recorder, tmp_path: Path) -> None:
    """In the order of their numbers, with their down files and checksums; other files are ignored."""
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "README.md").write_text("not SQL", encoding="utf-8")
    migrate(tmp_path, **{"0010_c": "SELECT 10", "0009_b": "SELECT 9", "0009_b__down": "SELECT -9"})

    inputs = inputs_of(script, "postgres.Migrations")
    assert [(file.revision, file.up, file.down) for file in in_order(inputs["files"])] == [
        ("0009_b", "SELECT 9", "SELECT -9"),
        ("0010_c", "SELECT 10", None),
    ]
    assert all(len(file.checksum) == 64 for file in in_order(inputs["files"]))
    assert inputs["folder"] == "migrations"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"first": ""}, "first.sql: its name is not NNNN_name.sql"),
        ({"0001_a": "", "1_b": ""}, "its number is that of"),
        ({"0001_a__down": ""}, "there is no 0001_a.sql"),
        ({"0001_a": "SELECT 1;\nCOMMIT;"}, "line 2 says 'COMMIT'"),
        ({"0001_a": "SELECT 1", "0001_a__down": "BEGIN; SELECT 1"}, "0001_a.down.sql: line 1 says 'BEGIN'"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused(script: Recorder, tmp_path: Path, files: dict[str, str], told: str) -> None:
    """Each error names the file and what is wrong with it, before anything is touched."""
    with pytest.raises(ScriptError, match=told):
        migrate(tmp_path, **files)


def test_a_folder_must_be_there_and_known(script: Recorder, tmp_path: Path) -> None:
    """A missing folder is named; one that only the world can tell is refused."""
    data = postgres.Database("d", server=postgres.Server("db"), owner="o")

    with pytest.raises(ScriptError, match="cannot be read"):
        postgres.Migrations("a", database=data, folder="nowhere")
    with pytest.raises(ScriptError, match="plain path"):
        postgres.Migrations("b", database=data, folder=data.dsn)
    with pytest.raises(ScriptError, match="not given"):
        postgres.Migrations("c", database=data, folder=".", files={})
