"""A store on a server: what is refused, what is never shown, and what a cut connection does to a commit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest

from purvey._state.lease import Lease
from purvey._state.open import has_password
from purvey._state.postgres import connect, find_postgres, open_postgres
from purvey._state.postgres.connect import PostgresConnection
from purvey._state.sql import copying, tables
from purvey._state.tag_out import TagOut
from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from purvey._state.sql.store import SqlStore
    from tests.support.database_server import DatabaseServer

TAG = TagOut(address="files.File::web", reason="r", user="u", host="h", at=1.0)


@pytest.fixture
def url(database_server: DatabaseServer) -> Iterator[str]:
    """An empty database."""
    made = database_server.new_database()
    yield made
    database_server.drop(made)


def refusal(url: str, key: bytes = kit.KEY) -> StateError:
    """The error of opening the store."""
    with pytest.raises(StateError) as caught:
        kit.opened_store(url, key=key)
    assert caught.value.detail
    assert caught.value.hint
    return caught.value


def test_looking_for_a_store_on_a_server_makes_none(url: str) -> None:
    """Where there is no store, finding one leaves nothing behind; where there is one, it is opened with its estate."""
    clock = kit.ToldClock()
    assert find_postgres(url, keys=kit.FixedKeys(), clock=clock) is None
    with kit.raw(url) as connection:
        assert connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname = 'purvey'").fetchone() == (0,)

    with kit.store_at(url) as made:
        found = find_postgres(url, keys=kit.FixedKeys(), clock=clock)
        assert found is not None
        with closing(found):
            assert found.estate == made.estate


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        ("UPDATE purvey.version SET tables = 99", "state.newer"),
        ("UPDATE purvey.store SET format = 99", "state.newer"),
        ("DELETE FROM purvey.store", "state.damaged"),
        ("DROP SCHEMA purvey CASCADE; CREATE SCHEMA purvey; CREATE TABLE purvey.shopping (item TEXT)", "state.not_a_store"),
    ],
)
def test_what_is_no_store_of_ours_on_a_server_is_left_alone(url: str, edit: str, code: str) -> None:
    """Each kind of wrong schema is refused with the place and what to do."""
    kit.opened_store(url).close()
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        connection.execute(edit.encode())

    error = refusal(url)

    assert error.code == code
    assert "127.0.0.1" in error.detail or code == "state.newer"


def test_another_key_is_refused_on_a_server(url: str) -> None:
    """The store knows its key by a hash."""
    kit.opened_store(url).close()

    assert refusal(url, key=bytes(32)).code == "state.wrong_key"


def test_an_old_store_on_a_server_is_brought_forward(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store of an earlier version gets the later tables when it is opened, once, and keeps what it holds."""
    with kit.store_at(url) as store:
        kit.write(store, kit.opened(), *kit.created("web"))
    monkeypatch.setattr(tables, "MIGRATIONS", (*tables.MIGRATIONS, ("CREATE TABLE later (number INTEGER PRIMARY KEY) STRICT",)))
    monkeypatch.setattr(tables, "VERSION", tables.VERSION + 1)

    for _ in range(2):
        with kit.store_at(url) as store:
            assert set(store.load(kit.STACK).resources) == {("files.File::web", 1)}
            assert store.verify() == []


def test_a_password_is_not_shown(database_server: DatabaseServer, url: str) -> None:
    """Neither a place, nor the error of a server that is not there, nor that of a nonsense address has the password in it."""
    secret = url.replace("postgres@", "postgres:hunter22@")
    with kit.store_at(secret) as store:
        assert store.location == url
    errors = [
        refusal(secret.replace(f":{database_server.port}/", ":1/")),
        refusal(secret.rpartition("/")[0] + "/nowhere"),
        refusal("postgresql://u:hunter22@host:port/x?what=hunter22"),
    ]

    assert [error.code for error in errors] == ["state.cannot_open", "state.cannot_open", "state.bad_location"]
    assert not any("hunter22" in f"{error} {error.detail} {error.hint}" for error in errors)


@pytest.mark.parametrize(
    ("url", "has"),
    [("postgresql://a@h/d", False), ("postgresql://a:b@h/d", True), ("postgresql://a@h/d?password=b", True), ("x://h", False)],
)
def test_a_password_in_an_address_is_found(url: str, has: bool) -> None:
    """Wherever an address can have one."""
    assert has_password(url) is has


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_commit_that_was_cut_off_is_settled(url: str, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    """Cut before its end or after it, a commit is acknowledged, and its records are there once."""
    original = PostgresConnection.writing
    cuts = [when]

    @contextmanager
    def cut(connection: PostgresConnection) -> Iterator[None]:
        """The connection is gone around the end of the first transaction."""
        with original(connection):
            yield
            if cuts == ["before"]:
                cuts.clear()
                with closing(psycopg.connect(url, autocommit=True)) as other:
                    other.execute("SELECT pg_terminate_backend(%s)", (connection._raw.info.backend_pid,))
        if cuts:
            cuts.clear()
            connection._raw.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    with kit.store_at(url) as store, kit.held(store) as lease:
        journal = store.open_journal(kit.STACK, "RUN1", lease.fence)
        monkeypatch.setattr(PostgresConnection, "writing", cut)
        journal.write_now(kit.opened(), *kit.created("web"))
        journal.write_now(kit.closed())

        assert store.records("RUN1") == [kit.opened(), *kit.created("web"), kit.closed()]
        assert store.verify() == []
    assert cuts == []


CHANGES: dict[str, Callable[[SqlStore], object]] = {
    "acquire": lambda store: store.acquire("other/dev", "RUN2"),
    "archive": lambda store: store.archive("RUN1", {"shop.py": b"the script"}),
    "tag out": lambda store: store.tag_out(kit.STACK, TAG),
    "release tags": lambda store: store.release_tags(kit.STACK, TAG.address, "me", 2.0),
}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_was_cut_off_is_made_once(url: str, monkeypatch: pytest.MonkeyPatch, name: str, when: str) -> None:
    """Cut before its commit or after it, a change answers as an undisturbed one does, and leaves what that leaves."""
    original = PostgresConnection.writing
    cuts: list[str] = []

    @contextmanager
    def cut(connection: PostgresConnection) -> Iterator[None]:
        """The connection is gone around the end of the first transaction."""
        with original(connection):
            yield
            if cuts == ["before"]:
                cuts.clear()
                connection._raw.close()
                raise psycopg.OperationalError("server closed the connection unexpectedly")
        if cuts:
            cuts.clear()
            connection._raw.close()
            raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(PostgresConnection, "writing", cut)
    with kit.store_at(url) as store:
        kit.write(store, kit.opened(), *kit.created("web"))
        store.tag_out(kit.STACK, TAG)
        cuts.append(when)
        answer = CHANGES[name](store)

        assert cuts == []
        assert len(store.tags(kit.STACK)) == (2 if name == "tag out" else 1)
        match name:
            case "acquire":
                assert isinstance(answer, Lease)
                assert answer.fence == 1
                store.open_journal("other/dev", "RUN2", answer.fence).write_now(kit.opened())
            case "archive":
                assert store.archived("RUN1") == {"shop.py": b"the script"}
            case "release tags":
                assert answer == [TAG]
            case _:
                assert answer is True
        assert store.verify() == []


def test_a_server_s_backup_is_a_store_in_a_file(url: str, tmp_path: Path) -> None:
    """Everything that the server's store holds is in the copy, and opens with the same key on any machine."""
    copy = tmp_path / "copy.db"
    with kit.store_at(url) as store:
        kit.write(store, kit.opened(), *kit.created("web"), kit.outputs(url="u"), kit.begun("y", kit.resource("doubt")))
        store.archive("RUN1", {"shop.py": b"the script"})
        store.backup(copy)

        with kit.store_at(copy) as other:
            assert other.estate == store.estate
            assert other.records("RUN1") == store.records("RUN1")
            assert other.load(kit.STACK).resources == store.load(kit.STACK).resources
            assert other.archived("RUN1") == {"shop.py": b"the script"}
            assert other.verify() == []


def test_a_copy_leaves_no_column_out(path: Path) -> None:
    """The list of what is copied names every table and every column."""
    kit.opened_store(path).close()
    with kit.raw(path) as connection:
        found = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
        columns = {table: {row[1] for row in connection.execute(f"PRAGMA table_info({table})")} for table in found}

    told = {table: {name.strip('"') for name in names.split(", ")} for table, names in copying.TABLES}
    told["stack"].add("outputs")  # It is set when the records are there.
    columns["store"].remove("moved_to")  # A copy is not where its store was moved to.
    assert told == columns


def test_a_store_is_made_once(url: str) -> None:
    """Two that open an empty database at a time agree on the estate."""
    with closing(open_postgres(url, keys=kit.FixedKeys(), clock=kit.ToldClock())) as one, kit.store_at(url) as other:
        assert one.estate == other.estate


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever connects waits for a lock half a second, and takes a writer of a tenth for one that has stopped."""
    monkeypatch.setattr(connect, "LOCK_S", 0.5)
    monkeypatch.setattr(connect, "STUCK_S", 0.1)


STOPS = """
import os, signal, sys
from purvey._state.postgres.connect import PostgresConnection

connection = PostgresConnection(sys.argv[1])
with connection.writing():
    cursor = connection.execute("SELECT count(*) FROM record")
    if sys.argv[2] == "answered":
        cursor.fetchone()
    connection._raw.pgconn.flush()
    os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.mark.parametrize("heard", ["answered", "unanswered"])
@pytest.mark.usefixtures("impatient")
def test_a_writer_that_stopped_in_its_middle_is_ended(url: str, heard: str) -> None:
    """A process that is frozen in a transaction holds the others up for a while, and never for good."""
    with kit.store_at(url) as store:
        kit.write(store, kit.opened())
        stopped = subprocess.Popen([sys.executable, "-c", STOPS, url, heard], stderr=subprocess.PIPE)
        try:
            os.waitid(os.P_PID, stopped.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
            kit.write(store, kit.opened(), run="RUN2", stack="site/dev")
            stopped.send_signal(signal.SIGCONT)
            assert b"OperationalError" in stopped.communicate()[1]
        finally:
            stopped.kill()
            stopped.wait()
        assert store.records("RUN2") == [kit.opened()]
        assert store.verify() == []


@pytest.mark.usefixtures("impatient")
def test_a_writer_at_work_is_not_ended(url: str) -> None:
    """However long a statement takes, whoever waits for its transaction is told so, and it ends well."""
    kit.opened_store(url).close()
    with closing(PostgresConnection(url)) as working, closing(PostgresConnection(url)) as waiting, kit.raw(url) as other:
        other.execute("SELECT pg_advisory_lock(1)").fetchone()

        def work() -> None:
            """A statement that ends when it is let."""
            with working.writing():
                working.execute("SET LOCAL lock_timeout = 0")
                working.execute("SELECT 1").fetchone()
                begun.set()
                working.execute("SELECT pg_advisory_xact_lock(1)").fetchone()
                working.execute("CREATE TABLE made (number INTEGER)")

        begun = threading.Event()
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(work)
            begun.wait()
            try:
                with pytest.raises(psycopg.errors.LockNotAvailable), waiting.writing():
                    pass
            finally:
                other.execute("SELECT pg_advisory_unlock(1)").fetchone()
            done.result()
        assert waiting.execute("SELECT count(*) FROM made").fetchone() == (0,)


def test_a_reader_may_take_its_time(url: str) -> None:
    """A server that ends idle transactions ends no reader, however long it is at what it got: a copy takes long."""
    kit.opened_store(url).close()
    with kit.raw(url) as other:
        other.execute(f"ALTER DATABASE {url.rpartition('/')[2]} SET idle_in_transaction_session_timeout = 1")
        with closing(PostgresConnection(url)) as connection, connection.reading():
            connection.execute("SELECT 1").fetchone()
            idle = "SELECT clock_timestamp() - state_change > '50 ms' FROM pg_stat_activity WHERE pid = ?"
            while not other.execute(idle, (connection._raw.info.backend_pid,)).fetchone()[0]:
                pass
            assert connection.execute("SELECT 2").fetchone() == (2,)
