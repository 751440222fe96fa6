"""Shells on this machine as ways to a machine: they can be slowed, counted, cut off and killed at any frame."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Final

from purvey._base.clock import Clock, SystemClock
from purvey._base.limits import EVIDENCE_BYTES_MAX
from purvey._hosts.become import Becoming
from purvey._hosts.shell import Pipes
from purvey._hosts.shell_host import ShellHost
from purvey.errors import HostError

SHELLS: Final = os.environ.get("PURVEY_TEST_SHELLS", "dash bash").split()
"""The shells that promises are tried with: those of a bare Debian, unless others are named."""

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY: Final = 65534
FRAME: Final = re.compile(rb"\n[0-9a-f]{24} ")


class Brief:
    """What is the same for all shells whose commands run one program."""

    lasts = False

    def is_queued(self, waiting: int) -> bool:
        """See `Shell.is_queued`."""
        del waiting
        return False

    async def park(self, pipes: Pipes) -> None:
        """See `Shell.park`."""
        await pipes.close()

    def resume(self, pipes: Pipes) -> bool:
        """See `Shell.resume`."""
        del pipes
        return False


class LocalShell:
    """See `purvey._hosts.shell.Shell`.

    Args:
        shell: Its path, and arguments that make it a POSIX shell.
        path: Where commands are looked for first.
        before: The command that it is started by.
        environment: Variables besides the usual ones.
        lasts: Whether what runs one program waits for the next.
    """

    def __init__(
        self, shell: Sequence[str], path: str = PATH, *, before: Sequence[str] = (), environment: dict[str, str] | None = None,
        lasts: bool = False,
    ) -> None:  # fmt: skip
        self.lasts = lasts
        self.shell = " ".join(shell)
        self.environment = {"PATH": path, "HOME": str(Path.home()), **(environment or {})}
        self.before = tuple(before)
        self.started: list[LocalPipes] = []
        self.cuts: list[Callable[[LocalPipes], None]] = []
        self.refusals: list[HostError] = []

    def is_queued(self, waiting: int) -> bool:
        """See `Shell.is_queued`."""
        del waiting
        return False

    async def start(self, command: str) -> LocalPipes:
        """See `Shell.start`."""
        if self.refusals:
            raise self.refusals.pop(0)
        process = await asyncio.create_subprocess_exec(
            *self.before, *self.shell.split(), "-c", command.replace("/bin/sh", self.shell, 1),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self.environment, start_new_session=True, cwd="/",
        )  # fmt: skip
        pipes = LocalPipes(process, self.cuts.pop(0) if self.cuts else lambda _: None)
        self.started.append(pipes)
        return pipes

    async def park(self, pipes: Pipes) -> None:
        """See `Shell.park`."""
        if not self.lasts:
            await pipes.close()

    def resume(self, pipes: Pipes) -> bool:
        """See `Shell.resume`; whether it is still there is for whoever uses it to see."""
        return isinstance(pipes, LocalPipes) and not pipes.is_cut

    async def close(self) -> None:
        """See `Shell.close`; what still runs is ended, and its end is waited for."""
        for pipes in self.started:
            await pipes.close()
            pipes.kill()
            await pipes.process.wait()


class LocalPipes:
    """See `purvey._hosts.shell.Pipes`.

    Args:
        process: The shell.
        at_frame: Is called with these pipes for each frame that arrives, before it is given on.
    """

    def __init__(self, process: asyncio.subprocess.Process, at_frame: Callable[[LocalPipes], None]) -> None:
        self.process = process
        self.frames = 0
        self.is_cut = False
        self._at_frame = at_frame
        self._complaints = bytearray()
        self._held = b""
        self._listening = asyncio.ensure_future(self._listen())

    async def send(self, data: bytes) -> None:
        """See `Pipes.send`."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.process.stdin.write(data)
            await self.process.stdin.drain()

    async def end(self) -> None:
        """See `Pipes.end`."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def receive(self) -> bytes:
        """See `Pipes.receive`; the bytes of a frame and of those before it are given on at once."""
        assert self.process.stdout is not None
        if not self._held and not self.is_cut:
            self._held = await self.process.stdout.read(65_536)
        if self.is_cut:
            raise lost()
        found = FRAME.search(self._held)
        end = len(self._held) if found is None else found.end()
        given, self._held = self._held[:end], self._held[end:]
        if found is not None:
            self.frames += 1
            self._at_frame(self)
        return given

    async def wait(self) -> int:
        """See `Pipes.wait`."""
        code = await self.process.wait()
        await self._listening
        return code

    def complaints(self) -> bytes:
        """See `Pipes.complaints`."""
        return bytes(self._complaints[-EVIDENCE_BYTES_MAX:])

    async def close(self) -> None:
        """See `Pipes.close`."""
        self.cut()
        self._listening.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._listening

    def cut(self) -> None:
        """Break the link: nothing more is read from it, and nothing more comes."""
        self.is_cut = True
        for number in (0, 1, 2):
            pipe = self.process._transport.get_pipe_transport(number)  # type: ignore[attr-defined]  # No public way.
            if pipe is not None:
                pipe.close()

    def kill(self) -> None:
        """Kill the shell and what it is itself in a process of its own, whatever else it has started."""
        if self.process.returncode is None:  # Once it has ended its number may be another's.
            for pid in (*_forks(self.process.pid), self.process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    async def _listen(self) -> None:
        assert self.process.stderr is not None
        while data := await self.process.stderr.read(65_536):
            self._complaints += data


def _forks(pid: int) -> list[int]:
    """The children of a shell that have become no other program; any of them may end meanwhile."""
    own = _told(f"/proc/{pid}/cmdline")
    return [
        int(child) for child in _told(f"/proc/{pid}/task/{pid}/children").split() if _told(f"/proc/{int(child)}/cmdline") == own
    ]


def _told(path: str) -> bytes:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(path).read_bytes()
    return b""


class HastyClock(SystemClock):
    """A clock whose pauses between two links are short."""

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await asyncio.sleep(min(seconds, 0.01))


def lost() -> HostError:
    """What a lost link raises."""
    return HostError("unavailable", "The link to a machine was lost", detail="It was cut by a test.")


def local_shell(
    name: str, *, before: Sequence[str] = (), environment: dict[str, str] | None = None, first: str = "", lasts: bool = False
) -> LocalShell:
    """A shell of this machine by name; busybox brings its own tools, which are found before all others but those in `first`."""
    folders = [first, str(applets()) if name == "busybox" else "", PATH]
    shell = ["/usr/bin/busybox", "sh"] if name == "busybox" else [f"/bin/{name}"]
    return LocalShell(shell, ":".join(filter(None, folders)), before=before, environment=environment, lasts=lasts)


def logged(folder: Path, *names: str) -> tuple[Path, Path]:
    """A folder with programs that leave their name in a file, a line each time, before they do what they do; and that file."""
    made, log = folder / "tools", folder / "ran"
    made.mkdir()
    for name in names:
        (made / name).write_text(f'#!/bin/sh\necho {name} >>{log}\nexec /usr/bin/{name} "$@"\n')
        (made / name).chmod(0o755)
    return made, log


def applets() -> Path:
    """A folder with busybox's tools, made once."""
    folder = Path("/tmp") / f"purvey-busybox-{os.getuid()}"
    if not folder.exists():
        made = Path(subprocess.run(["/bin/mktemp", "-d"], check=True, capture_output=True, text=True).stdout.strip())
        made.chmod(0o755)
        for applet in subprocess.run(["/usr/bin/busybox", "--list"], check=True, capture_output=True, text=True).stdout.split():
            (made / applet).symlink_to("/usr/bin/busybox")
        with contextlib.suppress(OSError):  # Another worker was faster.
            made.rename(folder)
    return folder


def below(folder: Path) -> list[str]:
    """The paths of all that is in a folder, at any depth."""
    return sorted(str(path) for path in folder.rglob("*"))


class Desk:
    """A machine to work on: this one, under a worker's name of its own.

    Args:
        shell: The way to it.
        worker: Who works there.
        state: Where purvey keeps its own things there.
    """

    def __init__(self, shell: LocalShell, worker: str, state: Path) -> None:
        self.shell = shell
        self.worker = worker
        self.own = f"@purvey/test/{worker}"
        self.kept = state / "test" / worker
        self.log = state / "work" / worker
        self.fence = 1
        self.host = self.another()

    def another(self, *, shell: LocalShell | None = None, clock: Clock | None = None) -> ShellHost:
        """One more run of the same worker, newer than all before."""
        self.fence += 1
        number = self.fence
        way = shell or self.shell
        return ShellHost(way, "the machine", clock or HastyClock(), Becoming(), worker=self.worker, fence=lambda: number)

    def logged(self) -> list[str]:
        """The lines of the log."""
        path = self.log / "log"
        return path.read_text().splitlines() if path.exists() else []


@contextlib.asynccontextmanager
async def desk(shell: LocalShell, state: Path | None = None) -> AsyncIterator[Desk]:
    """A machine to work on; what purvey kept there is removed afterwards, as far as it is this worker's."""
    worker = f"purvey-test-{os.urandom(8).hex()}"
    if state is None:
        state = Path("/var/lib/purvey") if os.geteuid() == 0 else Path(shell.environment["HOME"]) / ".local/state/purvey"
    found = Desk(shell, worker, state)
    try:
        yield found
    finally:
        await shell.close()
        for folder in (found.kept, found.log):  # Not those above, in which others may be about to make theirs.
            shutil.rmtree(folder, ignore_errors=True)


class Gone(Brief):
    """A way to a machine that is not there, or that ends in another way.

    Args:
        why: Why nobody gets there.
    """

    def __init__(self, why: HostError | None = None) -> None:
        super().__init__()
        self._why = why

    async def start(self, command: str) -> None:
        """See `Shell.start`."""
        if self._why is not None:
            raise self._why
        raise HostError("unavailable", "A host cannot be reached", detail="No route to it.", hint="Look:\n\n    ping -c 1 box")

    async def close(self) -> None:
        """See `Shell.close`."""
