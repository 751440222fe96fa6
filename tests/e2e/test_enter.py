"""The shell on this machine, and in a root file system or a network namespace of it, where root runs the tests."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from purvey._base.clock import SystemClock
from purvey._hosts.enter import CHUNK_BYTES, EnteredShell
from purvey._hosts.pool import Pool
from purvey._hosts.route import ChrootRoute, NamespaceRoute, Route
from purvey.errors import HostError
from tests.e2e.sshd import said
from tests.unit.hosts.waiting import until

ROOT = os.geteuid() == 0


@pytest.fixture
def shell() -> EnteredShell:
    """This machine's own shell."""
    return EnteredShell()


async def test_a_command_reads_writes_complains_and_ends(shell: EnteredShell) -> None:
    """Input, both outputs and the return code pass."""
    assert await said(shell, "cat; echo 'a  b' >&2; exit 3", b"in") == (3, "in", "a  b\n")
    assert await said(shell, "kill -KILL $$") == (-signal.SIGKILL, "", "")


async def test_a_command_gets_the_environment_of_a_login(shell: EnteredShell, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is in our environment is ours, and the folder that we were started from is nobody's business."""
    monkeypatch.setenv("OUR_SECRET", "x")

    code, written, _ = await said(shell, 'echo "$HOME [$OUR_SECRET] $(pwd)"')

    assert (code, written) == (0, f"{pwd.getpwuid(os.geteuid()).pw_dir} [] /\n")


async def test_megabytes_pass_in_both_directions(shell: EnteredShell) -> None:
    """Five million bytes go there and come back, and no more than a pipe's size comes at once."""
    data = os.urandom(5_000_000)
    pipes = await shell.start("cat")

    async def send() -> None:
        """Feed it."""
        await pipes.send(data)
        await pipes.end()

    sending = asyncio.create_task(send())
    received = b""
    while chunk := await pipes.receive():
        received += chunk
        assert len(chunk) <= CHUNK_BYTES
    await sending

    assert (await pipes.wait(), received == data) == (0, True)
    await pipes.close()


async def test_complaints_are_bounded_and_keep_the_end(shell: EnteredShell) -> None:
    """Of much on standard error the last 8 KiB are kept, and nobody is held up."""
    code, _, complaints = await said(shell, "head -c 3000000 /dev/zero >&2; echo end >&2")

    assert (code, len(complaints), complaints[-4:]) == (0, 8_192, "end\n")


async def test_what_an_ended_command_did_not_read_is_nobody_s(shell: EnteredShell) -> None:
    """Sending more to a command that has ended is no error."""
    pipes = await shell.start("exit 4")

    await pipes.send(b"x" * 5_000_000)
    await pipes.end()

    assert await pipes.wait() == 4
    await pipes.close()


async def test_a_command_that_is_let_go_of_goes_on_and_is_reaped(shell: EnteredShell, tmp_path: Path) -> None:
    """Nobody listens any more, and the command does its work; no dead process stays."""
    pipes = await shell.start(f"echo $$; read -r line; echo done > {tmp_path / 'done'}; exec sleep 0")
    pid = int(await pipes.receive())
    await pipes.close()
    await shell.close()

    assert await asyncio.to_thread(until, (tmp_path / "done").exists)
    assert await asyncio.to_thread(until, lambda: not Path(f"/proc/{pid}").exists())


async def test_what_cannot_be_entered_is_told(tmp_path: Path) -> None:
    """Root is told that there is nothing; others, that only root may."""
    pool = Pool(SystemClock())
    routes: tuple[Route, ...] = (ChrootRoute(root=str(tmp_path)), NamespaceRoute(name="no-such-namespace"))
    for route in routes:
        with pytest.raises(HostError) as caught:
            await pool.shell(route).start("true")
        assert caught.value.code == ("not_found" if ROOT else "denied")
    await pool.close()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root file system with a shell and what it needs, and empty /proc, /dev and /sys as in an image."""
    root = tmp_path / "tree"
    for folder in ("bin", "proc", "dev", "sys", "etc"):
        (root / folder).mkdir(parents=True)
    for program in ("sh", "cat", "ls"):
        path = os.path.realpath(shutil.which(program) or program)
        shutil.copy(path, root / "bin" / program)
        linked = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
        for library in {part for part in linked.split() if part.startswith("/")}:
            (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, root / library[1:])
    return root


async def test_a_root_file_system_is_entered(tree: Path) -> None:
    """Root's commands see the tree as their root, with processes and devices that nobody else sees there."""
    route = ChrootRoute(root=str(tree))
    if not ROOT:
        with pytest.raises(HostError):
            await EnteredShell(route).start("true")
        return
    script = "echo here > /etc/note; cat /proc/self/status > /dev/null && ls /dev/null /sys/kernel > /dev/null && cat; pwd"

    assert await said(EnteredShell(route), script, b"in ") == (0, "in /\n", "")
    assert (tree / "etc/note").read_text() == "here\n"
    assert [len(list((tree / folder).iterdir())) for folder in ("proc", "dev", "sys")] == [0, 0, 0]


async def test_a_network_namespace_is_entered() -> None:
    """Root's commands see the namespace's interfaces and this machine's files."""
    name = f"purvey-test-{os.getpid()}"
    shell = EnteredShell(NamespaceRoute(name=name))
    if not ROOT:
        with pytest.raises(HostError):
            await shell.start("true")
        return
    await said(EnteredShell(), f"ip netns add {name}")
    try:
        code, written, _ = await said(shell, "ls /sys/class/net; cat /etc/hostname")
    finally:
        await said(EnteredShell(), f"ip netns delete {name}")

    assert (code, written.split()[0]) == (0, "lo")
    assert "eth" not in written.partition("\n")[0]
