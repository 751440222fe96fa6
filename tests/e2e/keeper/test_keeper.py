"""A kept service: one of it, told truthfully, and nothing left when it has ended."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import signal
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import msgspec
import pytest

from purvey._base.clock import SystemClock
from purvey.errors import HostError
from purvey.resources.process import keeper
from purvey.resources.process.keeper_client import forget, start, status
from tests.e2e.keeper.keeping import (
    FOREVER,
    STUBBORN,
    Bench,
    arguments,
    environment,
    eventually,
    lives,
    running,
    told_by_kernel,
)


async def test_a_started_service_runs_on_its_own(bench: Bench) -> None:
    """`start` returns when the command runs: recorded, in its own session, below a keeper that is nobody's child."""
    state = await bench.start("sh", "-c", "pwd; umask; exec sleep 60", cwd="/tmp")

    await bench.runs_exactly(state.pid)
    assert (state.status, bench.keepers()) == ("running", [state.keeper_pid])
    assert os.getsid(state.pid) == os.getpgid(state.pid) == state.pid
    assert os.getsid(state.keeper_pid) not in (os.getsid(0), state.pid)
    await eventually(lambda: bench.log() == "/tmp\n0022\n")
    for path in (*bench.state_dir.iterdir(), Path(state.log)):
        assert path.stat().st_mode & 0o777 == 0o600, path


async def test_a_keeper_is_small_and_sleeps(bench: Bench) -> None:
    """A keeper takes little memory, and waits in the kernel without a timeout while nothing happens."""
    state = await bench.start(*FOREVER)
    proc = Path(f"/proc/{state.keeper_pid}")
    pss = re.search(r"^Pss:\s+(\d+) kB", (proc / "smaps_rollup").read_text(), re.MULTILINE)
    before = switches(proc)
    await eventually(lambda: (proc / "stat").read_text().rpartition(")")[2].split()[0] == "S")

    for _ in range(20):
        await bench.status()

    assert pss is not None
    assert int(pss[1]) < 10_000
    assert switches(proc) - before <= 1


def switches(proc: Path) -> int:
    """How often a process has gone to sleep of its own will."""
    found = re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (proc / "status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


async def test_starting_twice_is_starting_once(bench: Bench) -> None:
    """A service that runs is left as it is, also when several starters come at once."""
    states = await asyncio.gather(*(bench.start(*FOREVER) for _ in range(6)))
    states.append(await bench.start(*FOREVER))

    assert len(set(map(repr, states))) == 1
    await eventually(lambda: states[0].pid in bench.services())
    assert len(bench.keepers()) == 1


async def test_a_second_keeper_leaves_with_a_code_of_its_own(bench: Bench) -> None:
    """A keeper that finds the lock taken does nothing, and says so by its exit code and its answer."""
    state = await bench.start(*FOREVER)

    second = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", keeper.__file__, str(bench.state_dir), "web", stdin=PIPE, stdout=PIPE
    )
    answer, _ = await second.communicate(b"{}")

    assert (second.returncode, json.loads(answer)["stage"]) == (keeper.EXIT_LOCKED, "locked")
    assert await bench.status() == state


async def test_the_exit_code_is_recorded_and_the_keeper_goes(bench: Bench) -> None:
    """A service that ends by itself is not restarted unless asked for; its code, its end and its words are known."""
    await bench.start("sh", "-c", "echo last words; exit 3")

    state = await bench.ended()

    assert (state.status, state.exit_code, state.exit_signal, state.restarts) == ("exited", 3, None, 0)
    assert state.ended_at is not None
    assert state.ended_at >= state.started_at
    assert bench.log() == "last words\n"


async def test_a_killed_worker_is_told_with_its_signal(bench: Bench) -> None:
    """Killing the service shows at once as exited by that signal."""
    state = await bench.start("sleep", "60")
    os.kill(state.pid, signal.SIGKILL)
    await eventually(lambda: not lives(state.pid))

    after = await bench.status()

    assert (after.status, after.exit_code, after.exit_signal) == ("exited", None, signal.SIGKILL)


async def test_stopping_asks_first(bench: Bench) -> None:
    """The stop signal is the chosen one, and a service that obeys it ends with a code of its own."""
    state = await bench.start("sh", "-c", "trap 'exit 7' INT; echo ready; while :; do sleep 0.02; done", stop_signal="SIGINT")
    await eventually(lambda: "ready" in bench.log())

    after = await bench.stop()

    assert after is not None
    assert (after.status, after.exit_code, after.pid) == ("exited", 7, state.pid)
    assert not bench.keepers()


async def test_who_does_not_stop_in_time_is_killed(bench: Bench) -> None:
    """A service that ignores the stop signal is killed with its children after the time of grace, and its log says so."""
    await bench.start(*STUBBORN)
    await eventually(lambda: "ready" in bench.log())

    after = await bench.stop(0.2)

    assert after is not None
    assert (after.status, after.exit_signal) == ("exited", signal.SIGKILL)
    assert "killed" in bench.log()
    assert not bench.services()


async def test_the_keeper_alone_keeps_the_time_of_grace(bench: Bench) -> None:
    """When the machine shuts down and only signals the keeper, the service gets its grace and is killed after it."""
    state = await bench.start(*STUBBORN, grace_s=0.2)
    await eventually(lambda: "ready" in bench.log())

    os.kill(state.keeper_pid, signal.SIGTERM)

    assert (await bench.ended()).exit_signal == signal.SIGKILL


@pytest.mark.parametrize("ending", ["stop", "exit"])
async def test_no_grandchild_survives(bench: Bench, ending: str) -> None:
    """What a service has started ends with it: orphans, those in sessions of their own, and those that ignore signals."""
    script = "(setsid sh -c \"trap '' TERM; echo up; while :; do sleep 60; done\" &); (sleep 60 &); "
    tail = "exit 4" if ending == "exit" else "exec sleep 60"
    await bench.start(
        "sh", "-c", f"{script} while ! grep -q up {bench.folder}/web.log; do sleep 0.01; done; {tail}", grace_s=0.3
    )
    await eventually(lambda: "up" in bench.log())
    if ending == "stop":
        await bench.stop(0.3)

    state = await bench.ended()

    assert (state.exit_code, state.exit_signal) == ((4, None) if ending == "exit" else (None, signal.SIGTERM))
    assert not bench.services()


async def test_a_failing_service_is_restarted_until_it_succeeds(bench: Bench) -> None:
    """`on-failure` restarts after failures, not after success, and the log tells each restart."""
    script = f"echo x >> {bench.folder}/tries; test $(wc -l < {bench.folder}/tries) -ge 4"
    await bench.start("sh", "-c", script, restart="on-failure", backoff_s=0.01)

    state = await bench.ended()

    assert (state.status, state.exit_code, state.restarts) == ("exited", 0, 3)
    waits = re.findall(r"ended with code 1; starts again in ([\d.]+) s", bench.log())
    assert waits == ["0.01", "0.02", "0.04"]


async def test_a_service_that_waits_for_its_restart_can_be_stopped(bench: Bench) -> None:
    """While a keeper waits to start its service again, the service is alive in name, and stopping it is immediate."""
    await bench.start("true", restart="always", backoff_s=3600.0, backoff_s_max=3600.0)
    await eventually(lambda: "starts again" in bench.log())

    waiting = await bench.status()
    after = await bench.stop()

    assert (waiting.status, waiting.alive) == ("restarting", True)
    assert after is not None
    assert (after.status, after.exit_code) == ("exited", 0)


async def test_the_log_is_bounded_and_keeps_whole_lines(bench: Bench) -> None:
    """However much a service prints, its log has so many files of such a size, all lines whole, the newest last."""
    await bench.start("sh", "-c", "seq 100000; echo to-stderr >&2", log_bytes_max=20_000, log_files=3)
    await bench.ended()

    files = [bench.folder / name for name in ("web.log.2", "web.log.1", "web.log")]
    lines = "".join(path.read_text() for path in files).splitlines()

    assert sorted(bench.folder.glob("web.log*")) == sorted(files)
    assert all(path.stat().st_size <= 20_000 and path.stat().st_mode & 0o777 == 0o600 for path in files)
    assert lines[-1] == "to-stderr"
    assert [int(line) for line in lines[:-1]] == list(range(100_001 - len(lines[:-1]), 100_001))
    assert len(lines) > 5_000


async def test_a_line_without_end_does_not_break_the_bound(bench: Bench) -> None:
    """Output without a line end is cut at the size of a file."""
    await bench.start("sh", "-c", "head -c 1000000 /dev/zero", log_bytes_max=50_000, log_files=2)
    await bench.ended()

    assert [path.stat().st_size for path in sorted(bench.folder.glob("web.log*"))] == [50_000, 50_000]


async def test_a_service_that_closes_its_output_does_not_wake_its_keeper(bench: Bench) -> None:
    """A keeper whose service has closed the pipe sleeps as any other."""
    state = await bench.start("sh", "-c", "exec >&- 2>&-; exec sleep 60")
    await eventually(lambda: not Path(f"/proc/{state.pid}/fd/1").exists())
    proc = Path(f"/proc/{state.keeper_pid}")
    await eventually(lambda: len(list((proc / "fd").iterdir())) <= 8)
    before = switches(proc)

    for _ in range(20):
        await bench.status()

    assert switches(proc) - before <= 1


async def test_what_a_service_left_is_asked_before_it_is_killed(bench: Bench) -> None:
    """When a service ends by itself, what it has started gets the stop signal at once, and ends by itself if it can."""
    child = "sh -c \"trap 'echo asked; exit' TERM; echo up; while :; do sleep 0.02; done\" &"
    wait = f"while ! grep -q up {bench.folder}/web.log; do sleep 0.01; done"
    await bench.start("sh", "-c", f"{child} {wait}", grace_s=60.0)

    state = await bench.ended()

    assert (state.status, state.exit_code, "asked" in bench.log()) == ("exited", 0, True)


async def test_what_a_service_left_is_being_stopped(bench: Bench) -> None:
    """A service that ended and left something that ignores signals is stopping until that is gone, not running or lost."""
    await bench.start("sh", "-c", "sh -c \"trap '' TERM; echo up; while :; do sleep 60; done\" & sleep 0.3", grace_s=60.0)
    await eventually(lambda: "up" in bench.log() and bench.recorded() == "stopping")

    state = await bench.status()

    assert (state.status, state.exit_code) == ("stopping", None)


@pytest.mark.parametrize(
    ("argv", "fields", "code", "words"),
    [
        (("no-such-command",), {}, "not_found", "no-such-command"),
        (("/etc/passwd",), {}, "denied", "/etc/passwd"),
        (("true",), {"cwd": "/no/such/folder"}, "not_found", "/no/such/folder"),
        (("true",), {"user": "nobody-of-this-name"}, "not_found", "nobody-of-this-name"),
        (("true",), {"stop_signal": "SIGNOTHING"}, "invalid", "SIGNOTHING"),
        (("true",), {"cwd": "relative"}, "invalid", "relative"),
        (("true",), {"id": "../web"}, "invalid", "../web"),
        (("true",), {"env": {"A=B": "x"}}, "failed", "true"),
    ],
)
async def test_what_cannot_be_started_is_told(
    bench: Bench, argv: tuple[str, ...], fields: dict[str, Any], code: str, words: str
) -> None:
    """A missing command, folder or user, and an unusable value, are errors that name it; nothing runs and all can go."""
    with pytest.raises(HostError) as caught:
        await bench.start(*argv, **fields)

    state = await status(str(bench.state_dir), "web")
    assert (caught.value.code, words in caught.value.detail) == (code, True)
    assert state is None or state.status == "failed"
    await forget(str(bench.state_dir), "web")
    assert list(bench.state_dir.iterdir()) == []


async def test_a_log_and_a_folder_that_cannot_be_written_are_told(bench: Bench) -> None:
    """Without its log or its record a service is not started."""
    for changes in ({"log": "/no/such/folder/log"}, {"state_dir": "/no/such/folder"}):
        with pytest.raises(HostError) as caught:
            await start(msgspec.structs.replace(bench.spec("true"), **changes), clock=SystemClock())
        assert (caught.value.code, "/no/such/folder" in caught.value.detail) == ("not_found", True)


async def test_a_failed_start_can_be_mended(bench: Bench) -> None:
    """After a start that failed, the same id starts with what was wrong put right."""
    with pytest.raises(HostError):
        await bench.start("no-such-command")

    assert (await bench.start(*FOREVER)).status == "running"


async def test_only_an_ended_service_can_be_forgotten(bench: Bench) -> None:
    """Forgetting a running service is refused; after its end it leaves nothing but its log, and is unknown."""
    await bench.start(*FOREVER)
    with pytest.raises(HostError) as caught:
        await forget(str(bench.state_dir), "web")
    await bench.stop()

    await forget(str(bench.state_dir), "web")
    await forget(str(bench.state_dir), "web")

    assert caught.value.code == "in_use"
    assert (await status(str(bench.state_dir), "web"), await bench.stop()) == (None, None)
    assert list(bench.state_dir.iterdir()) == []


async def test_the_environment_is_in_no_argument_and_no_file(bench: Bench) -> None:
    """A secret given to a service is in its environment alone: no argument, no file, no text form, no keeper shows it."""
    secret = f"s3cret-{secrets.token_hex(8)}"
    spec = bench.spec(*FOREVER, env={"PASSWORD": secret})
    state = await start(spec, clock=SystemClock())

    await eventually(lambda: f"PASSWORD={secret}".encode() in environment(state.pid))
    assert not [pid for pid in running() if secret.encode() in b"\0".join(arguments(pid))]
    assert {path.name for path in bench.files()} >= {"web.json", "web.lock", "web.log"}
    assert not [path for path in bench.files() if secret.encode() in path.read_bytes()]
    assert secret.encode() not in b"\0".join(environment(state.keeper_pid))
    assert secret not in f"{spec!r} {spec} {spec.__rich_repr__()} {state!r}"


async def test_a_service_runs_as_its_user(bench: Bench) -> None:
    """Root's service for another user is that user, and dies with its keeper all the same; others are refused."""
    if os.geteuid() == 0:
        state = await bench.start("sleep", "60", user="nobody")
        ids = re.findall(r"^[UG]id:\s+(\d+)\s+(\d+)", told_by_kernel(state.pid, "status"), re.MULTILINE)
        os.kill(state.keeper_pid, signal.SIGKILL)
        assert ids == [("65534", "65534")] * 2
        await eventually(lambda: not lives(state.pid))
    else:
        with pytest.raises(HostError) as caught:
            await bench.start("sleep", "60", user="nobody")
        assert caught.value.code == "denied"


async def test_the_limit_of_open_files_is_set(bench: Bench) -> None:
    """A service gets the limit it asks for."""
    await bench.start("sh", "-c", "ulimit -n", nofile=123)
    await bench.ended()

    assert bench.log() == "123\n"
