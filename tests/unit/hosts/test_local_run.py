"""Commands run as whom they should, are heard, end in time, and do not outlive purvey."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from purvey._hosts.command import TIMED_OUT, Command
from purvey._hosts.connector import Connector
from purvey._hosts.local import LocalConnector
from purvey.errors import HostError
from tests.unit.hosts.waiting import runs, until


@pytest.fixture
def host() -> Connector:
    """This machine."""
    return LocalConnector()


async def test_a_command_gets_its_input_environment_and_folder(host: Connector, tmp_path: Path) -> None:
    """Input, variables, secret variables and the working directory reach the command; its outputs and code come back."""
    script = 'cat; echo "$A$B" >/dev/stderr; echo more >/dev/stderr; pwd; exit 3'

    done = await host.run(
        Command(("sh", "-c", script), env={"A": "a"}, secret_env={"B": "b"}, cwd=str(tmp_path), stdin=b"in\n")
    )

    assert (done.returncode, done.stdout, done.stderr) == (3, f"in\n{tmp_path}\n".encode(), b"ab\nmore\n")


async def test_much_output_and_unread_input_hold_nobody_up(host: Connector) -> None:
    """Megabytes in both directions pass although nobody reads the input."""
    done = await host.run(Command(("sh", "-c", "head -c 5000000 /dev/zero"), stdin=b"x" * 5_000_000))

    assert (done.returncode, len(done.stdout)) == (0, 5_000_000)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        (Command(("no-such-program-here",)), "not_found", "no-such-program-here"),
        (Command(("/etc/passwd",)), "denied", "/etc/passwd"),
        (Command(("true",), cwd="/no/such/folder"), "not_found", "/no/such/folder"),
        (Command(("true",), user="nobody-of-this-name"), "not_found", "nobody-of-this-name"),
    ],
)
async def test_what_cannot_be_run_is_told(host: Connector, command: Command, code: str, words: str) -> None:
    """A missing program, folder or user, and a file that is no program, are errors which name it."""
    with pytest.raises(HostError) as caught:
        await host.run(command)

    assert (caught.value.code, words in caught.value.detail) == (code, True)


async def test_a_command_that_ends_by_a_signal_says_so(host: Connector) -> None:
    """The return code is the negative number of the signal."""
    done = await host.run(Command(("sh", "-c", "kill -KILL $$")))

    assert done.returncode == -signal.SIGKILL


async def test_a_command_ends_when_its_time_is_over(host: Connector, tmp_path: Path) -> None:
    """After its time the command and its children are gone, even those that ignore being asked; its words are kept."""
    pids = tmp_path / "pids"
    script = f"trap '' TERM; echo said; sleep 60 & echo $$ $! > {pids}; wait; wait; wait"

    done = await host.run(Command(("sh", "-c", script), timeout_s=0.5))

    assert (done.returncode, done.stdout) == (TIMED_OUT, b"said\n")
    assert until(lambda: not any(runs(int(pid)) for pid in pids.read_text().split()))


async def test_a_server_left_behind_does_not_hold_up_the_end(host: Connector) -> None:
    """A command is over when its process is, although a background process still holds its outputs."""
    done = await asyncio.wait_for(host.run(Command(("sh", "-c", "sleep 60 & echo $!"))), 10)

    pid = int(done.text())
    assert (done.returncode, runs(pid)) == (0, True)
    os.kill(pid, signal.SIGKILL)


async def test_another_user_gets_no_variables_of_ours(host: Connector, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's command for another user is that user in all respects; an ordinary user is told that only root may."""
    monkeypatch.setenv("OUR_SECRET", "x")
    command = Command(("sh", "-c", 'id -un; id -gn; echo "$HOME $USER [$OUR_SECRET]$PWD"'), user="nobody", cwd="/")
    if await host.is_root():
        done = await host.run(command)
        assert done.text() == "nobody\nnogroup\n/nonexistent nobody []/"
    else:
        with pytest.raises(HostError) as caught:
            await host.run(command)
        assert caught.value.code == "denied"


async def test_our_own_name_is_no_other_user(host: Connector) -> None:
    """Naming the user who runs purvey needs no root."""
    me = (await host.run(Command(("id", "-un")))).text()

    assert (await host.run(Command(("id", "-un"), user=me))).text() == me


async def test_a_cancelled_command_is_gone(host: Connector, tmp_path: Path) -> None:
    """When nobody waits any more, nothing runs on."""
    pids = tmp_path / "pids"
    task = asyncio.create_task(host.run(Command(("sh", "-c", f"sleep 60 & echo $$ $! > {pids}; wait"))))
    await asyncio.to_thread(until, lambda: pids.exists() and pids.read_text().endswith("\n"))

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert until(lambda: not any(runs(int(pid)) for pid in pids.read_text().split()))


def test_a_command_dies_with_purvey(tmp_path: Path) -> None:
    """A kill -9 of the process that runs a command leaves no command at work behind."""
    pid = tmp_path / "pid"
    program = (
        "import asyncio; from purvey._hosts.local import LocalConnector; from purvey._hosts.command import Command\n"
        f"asyncio.run(LocalConnector().run(Command(('sh', '-c', 'echo $$ > {pid}; exec sleep 60'))))"
    )
    with subprocess.Popen([sys.executable, "-c", program]) as purvey:
        assert until(lambda: pid.exists() and pid.read_text().endswith("\n"))
        purvey.kill()

    assert until(lambda: not runs(int(pid.read_text())))
