"""`process.Service` with real programs: started once, ready when it is itself that listens, put back, removed."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import pytest

from purvey._base.value import Secret
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Present
from purvey.resources import process
from purvey.testing import view
from tests.e2e.objects import Objects, at, eventually, open_folder, processes_in, settled
from tests.unit.resources.life import provider

ROOT = os.geteuid() == 0

WEB = """
import http.server, os, signal, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(repr((os.getpid(), os.environ.get("WORD"), os.getcwd(), os.getuid())).encode())
print("begins", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""
FAILING = "import sys; [print('line', n) for n in range(30)]; print('no config for', sys.argv[1]); sys.exit(3)"
FORKING = """
import os, socket, sys, time
if os.fork():
    while True: time.sleep(60)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(3600)
"""


@pytest.fixture
async def room() -> AsyncIterator[Objects]:
    """Room for objects; whatever a test forgets is ended, and counts as its failure."""
    folder = open_folder()
    yield Objects(folder)
    left = processes_in(folder)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder)
    assert left == []


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def web(room: Objects, port: int, code: str = WEB, **inputs: Any) -> process.Service:
    """A web service as a script declares it."""
    command = [sys.executable, "-I", "-S", "-c", code, str(port)]
    return view(process.Service, "web", **{"command": command, "cwd": str(room.folder), "port": port, "ready": "tcp", **inputs})


def ask(have: process.Service) -> tuple[int, str | None, str, int]:
    """What the web service says of itself: pid, WORD, working directory, user id."""
    with urllib.request.urlopen(f"http://{have.address}/", timeout=5) as answer:
        pid, word, where, uid = eval(answer.read())  # Our own program's literal.
    return pid, word, where, uid


async def test_a_service_is_ready_when_it_listens(room: Objects) -> None:
    """The record has its address, pid and log; it answers there, in its folder, with its environment, and reads as running."""
    have = await room.made(web(room, free_port(), env={"WORD": Secret("hush")}))

    assert ask(have) == (have.pid, "hush", str(room.folder), os.geteuid())
    assert at(have.log).read_text(encoding="utf-8").startswith("begins")
    assert await room.drift(have) == {}
    assert dict(provider(have).predict(have)) == {"address": have.address}
    assert b"hush" not in at(f"/proc/{have.pid}/cmdline").read_bytes()
    files = [path.read_bytes() for path in at(have.log).parent.iterdir()]
    assert not any(b"hush" in content for content in files)
    await room.removed(have)


async def test_an_environment_is_what_was_given(room: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of purvey's own environment is passed on but what every program may expect."""
    monkeypatch.setenv("PURVEY_TEST_TOKEN", "very secret")
    have = await room.made(web(room, free_port(), env={"WORD": "x"}))

    environment = at(f"/proc/{have.pid}/environ").read_bytes().split(b"\0")
    names = {item.partition(b"=")[0].decode() for item in environment if item}

    assert names == {"WORD", "PATH", "LANG", "HOME", "USER", "LOGNAME", "PURVEY_RUN", "PURVEY_INSTANCE"}
    await room.removed(have)


async def test_one_operation_starts_one_process(room: Objects) -> None:
    """A create that is repeated after a crash finds its own process; another operation replaces it."""
    want = web(room, free_port())
    first = await room.made(want, room.call(want, token="one"))
    again = await room.made(want, room.call(want, token="one"))
    other = await room.made(want, room.call(want, token="two"))

    assert first.pid == again.pid
    assert other.pid != first.pid
    assert len(processes_in(room.folder)) == 2, "the service and its keeper"
    await room.removed(other)


async def test_a_killed_service_is_drift_and_is_repaired(room: Objects) -> None:
    """Kill -9 shows as not running; the update starts it again at the same address."""
    have = await room.made(web(room, free_port()))
    os.kill(have.pid, signal.SIGKILL)
    await eventually(lambda: not processes_in(room.folder))

    assert await room.drift(have) == {"running": False}
    assert isinstance(await provider(have).find(room.call(have), have), Absent)
    repaired = await room.changed(have, have)
    assert ask(repaired)[0] == repaired.pid
    assert await room.drift(repaired) == {}
    await room.removed(repaired)


async def test_a_change_starts_it_again_with_the_new_inputs(room: Objects) -> None:
    """The new environment is there, the old process is gone, and an undo brings the former environment back."""
    first = await room.made(web(room, free_port(), env={"WORD": "old"}))
    second = await room.changed(first, web(room, int(first.port or 0), env={"WORD": "new"}))

    assert (ask(second)[1], second.pid == first.pid) == ("new", False)
    assert not at(f"/proc/{first.pid}").exists()

    call = room.known(second)
    await settled(call, first, await provider(second).undo(call, second, first))
    assert ask(second)[1] == "old"
    await room.removed(second)


async def test_a_service_that_fails_tells_why_and_leaves_nothing(room: Objects) -> None:
    """The error has the exit code and the last 20 lines, secrets hidden; no process and no file is left."""
    want = web(room, free_port(), FAILING, env={"WORD": Secret("config")})

    with pytest.raises(ProviderError) as caught:
        await room.made(want)

    error = caught.value
    assert (error.code, error.may_exist) == ("failed", False)
    assert "ended with code 3" in error.detail
    assert f"no (secret) for {want.port}" in error.detail
    assert "line 29" in error.detail
    assert "line 10\n" not in error.detail
    assert not (room.folder / "process.Service" / "web").exists()


async def test_a_command_that_is_not_there_leaves_nothing(room: Objects) -> None:
    """Preflight is sure about a bare name, and create says which command it is."""
    want = web(room, free_port(), command=["no-such-program"])

    (finding,) = await provider(want).preflight(room.call(want), want)
    assert (finding.certain, "no-such-program is not installed" in finding.problem) == (True, True)
    with pytest.raises(HostError, match="cannot be started"):
        await room.made(want)
    assert not (room.folder / "process.Service" / "web").exists()


async def test_a_service_that_never_listens_is_given_up(room: Objects) -> None:
    """After its time the error says what it waited for, and the process is gone."""
    idle = "import time\nprint('thinking', flush=True)\ntime.sleep(3600)"

    with pytest.raises(ProviderError) as caught:
        await room.made(web(room, free_port(), idle, ready_within_s=0.5))

    assert "nothing listens on port" in caught.value.detail
    assert "thinking" in caught.value.detail
    assert processes_in(room.folder) == []


async def test_a_changed_service_that_fails_is_put_back(room: Objects) -> None:
    """When the new command does not come up, the old one serves again with its old environment, and nothing has drifted."""
    have = await room.made(web(room, free_port(), env={"WORD": Secret("old")}))

    with pytest.raises(ProviderError) as caught:
        await room.changed(have, web(room, int(have.port or 0), FAILING, env={"WORD": "new"}))

    assert "ended with code 3" in caught.value.detail
    assert not caught.value.may_exist
    await eventually(lambda: _serves(have))
    assert ask(have)[1] == "old"
    assert await room.drift(have) == {}
    await room.removed(have)


def _serves(have: process.Service) -> bool:
    try:
        return ask(have)[0] > 0
    except OSError:
        return False


async def test_somebody_else_s_listener_convinces_nobody(room: Objects) -> None:
    """While a stranger listens on the port the service is not ready, and the stranger is named; preflight is certain of it."""
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        port = stranger.getsockname()[1]
        want = web(room, port, "import time; time.sleep(3600)", ready_within_s=0.3)

        (finding,) = await provider(want).preflight(room.call(want), want)
        assert finding.certain
        assert str(os.getpid()) in finding.problem
        with pytest.raises(ProviderError, match="not become ready") as caught:
            await room.made(want)

    assert f"listened on by process {os.getpid()}" in caught.value.detail


async def test_its_own_port_is_not_taken(room: Objects) -> None:
    """Preflight of a change does not stumble over the running service itself, and hesitates over a sister's port."""
    have = await room.made(web(room, free_port()))
    sister = view(process.Service, "sister", command=["sh"], cwd="/", port=have.port)

    assert await provider(have).preflight(room.known(have), have) == []
    (finding,) = await provider(sister).preflight(room.call(sister), sister)
    assert not finding.certain
    await room.removed(have)


async def test_a_worker_that_listens_for_its_parent_counts(room: Objects) -> None:
    """A port that a child process listens on belongs to the service; both are gone after the delete."""
    have = await room.made(web(room, free_port(), FORKING))

    await room.removed(have)

    assert processes_in(room.folder) == []
    assert not (room.folder / "process.Service" / "web").exists()


async def test_a_service_without_a_port_must_stay_up(room: Objects) -> None:
    """One that runs is done after a moment; one that ends at once has failed, although its command could be run."""
    want = view(process.Service, "worker", command=["sleep", "3600"], cwd="/", ready="none")
    have = await room.made(want)
    assert have.address == ""
    assert await room.drift(have) == {}
    await room.removed(have)

    with pytest.raises(ProviderError, match="not become ready"):
        await room.made(view(process.Service, "worker", command=["true"], cwd="/", ready="none"))


async def test_its_keeper_restarts_it_when_asked_to(room: Objects) -> None:
    """With restart="always" a killed service is back by itself, and is no drift."""
    have = await room.made(web(room, free_port(), restart="always"))
    os.kill(have.pid, signal.SIGKILL)

    await eventually(lambda: _serves(have))

    assert ask(have)[0] != have.pid
    assert await room.drift(have) == {}
    await room.removed(have)


async def test_delete_can_be_repeated(room: Objects) -> None:
    """Deleting what is gone is success; reading then says absent."""
    have = await room.made(web(room, free_port()))
    assert isinstance(await provider(have).find(room.call(have), have), Present)

    await room.removed(have)
    await room.removed(have)

    assert isinstance(await provider(have).read(room.known(have), have), Absent)


async def test_it_runs_as_the_user_that_is_named(room: Objects) -> None:
    """As root it becomes that user; an ordinary user is told by preflight that it cannot."""
    want = view(process.Service, "worker", command=["sleep", "3600"], cwd="/", user="nobody")
    findings = await provider(want).preflight(room.call(want), want)

    if ROOT:
        have = await room.made(want)
        assert (findings, at(f"/proc/{have.pid}").owner()) == ([], "nobody")
        await room.removed(have)
    else:
        assert "only root" in findings[0].problem

    ghost = web(room, free_port(), user="no-such-user")
    (finding,) = await provider(ghost).preflight(room.call(ghost), ghost)
    assert "no user no-such-user" in finding.problem
