"""Run a command on this machine: as whom, with which environment, for how long, and not longer than we live.

The input is a file in memory, so that a command which does not read it holds nobody up. The outputs are pipes of our own:
the end of the command is the end of its process, not of the pipes, which a server that it left behind may hold open.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator
from typing import Final, Self

from purvey._hosts import leash
from purvey._hosts.command import TIMED_OUT, Command, Completed
from purvey._hosts.connector import User
from purvey._hosts.local_errors import CODES
from purvey._hosts.local_users import groups_of, user, user_name
from purvey.errors import HostError

GRACE_S: Final = 2.0
"""Seconds that a command gets to leave when its time is over, before it is killed."""

LINGER_S: Final = 0.2
"""Seconds that an ended command's outputs are read on, in case it left something behind that holds them open."""

KEPT_FOR_OTHERS: Final = frozenset({"LANG", "LANGUAGE", "LD_LIBRARY_PATH", "PATH", "TERM", "TZ"})
"""What another user's command gets of our environment; the rest is ours, and may be secret."""

CHUNK_BYTES: Final = 65_536
"""The size of a pipe: more is never there to read."""


class Pipe:
    """What a command writes into one pipe, collected as it comes."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = asyncio.Event()
        self.inlet = -1
        self._outlet = -1

    def __enter__(self) -> Self:
        """Open it."""
        self._outlet, self.inlet = os.pipe()
        os.set_blocking(self._outlet, False)
        asyncio.get_running_loop().add_reader(self._outlet, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        """Close it, whoever still holds the other end."""
        asyncio.get_running_loop().remove_reader(self._outlet)
        os.close(self._outlet)
        self.close_inlet()

    def close_inlet(self) -> None:
        """Leave writing to the command alone, so that the pipe ends when it does."""
        if self.inlet >= 0:
            os.close(self.inlet)
            self.inlet = -1

    def _take(self) -> None:
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(self._outlet, CHUNK_BYTES)
            self.data += chunk
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._outlet)
                self.ended.set()


async def run(command: Command) -> Completed:
    """See `Connector.run`."""
    account = _account(command)
    with Pipe() as output, Pipe() as errors, Pipe() as failure, _input(command.stdin) as given:
        process = await asyncio.create_subprocess_exec(
            *_leashed(command, account, failure.inlet),
            stdin=given, stdout=output.inlet, stderr=errors.inlet, pass_fds=(failure.inlet,),
            env=_environment(command, account), start_new_session=True,
        )  # fmt: skip
        pipes = (output, errors, failure)
        for pipe in pipes:
            pipe.close_inlet()
        returncode = await _outcome(process, command.timeout_s)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(pipe.ended.wait() for pipe in pipes)), LINGER_S)
        if failure.data:
            raise _not_run(command, failure.data.decode())
        return Completed(returncode, bytes(output.data), bytes(errors.data))


def _account(command: Command) -> User | None:
    """Whom the command must become; None if that is who we are."""
    if command.user is None:
        return None
    account = user(command.user)
    if account is None:
        raise HostError(
            "not_found",
            "There is no such user",
            detail=f"A command is to run as {command.user!r}, which this machine does not know:\n  {command}",
            hint=f"Create it, or name another one:\n  useradd --system {command.user}",
        )
    if account.uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise HostError(
            "denied",
            "Only root runs commands as another user",
            detail=f"We are {user_name(os.geteuid())}, and a command is to run as {account.name}:\n  {command}",
            hint="Run purvey as root, or leave the user out.",
        )
    return account


def _leashed(command: Command, account: User | None, failure: int) -> list[str]:
    """The arguments of `leash`, which becomes the command."""
    who = ["", "", ""]
    if account is not None:
        groups = groups_of(account)
        who = [str(account.uid), str(account.gid), ",".join(map(str, groups))]
    leashing = [sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), str(failure), command.umask]
    return [*leashing, *who, command.cwd, *command.argv]


def _environment(command: Command, account: User | None) -> dict[str, str]:
    """Ours for a command of ours; for another user's what every program needs, and who it is."""
    base = dict(os.environ)
    if account is not None:
        base = {name: value for name, value in base.items() if name in KEPT_FOR_OTHERS or name.startswith("LC_")}
        base |= {"HOME": account.home, "USER": account.name, "LOGNAME": account.name}
    return {**base, **command.env, **command.secret_env}


@contextlib.contextmanager
def _input(data: bytes) -> Iterator[int]:
    """A file in memory with what the command reads."""
    file = os.memfd_create("stdin", os.MFD_CLOEXEC)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.lseek(file, 0, os.SEEK_SET)
        yield file
    finally:
        os.close(file)


async def _outcome(process: asyncio.subprocess.Process, timeout_s: float) -> int:
    """The return code; the whole process group is ended when the time is over or nobody waits any more."""
    try:
        return await asyncio.wait_for(process.wait(), timeout_s)
    except TimeoutError:
        _signal_group(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), GRACE_S)
        return TIMED_OUT
    finally:
        if process.returncode is None:
            _signal_group(process, signal.SIGKILL)
            await process.wait()


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _not_run(command: Command, complaint: str) -> HostError:
    """Why `leash` could not become the command."""
    stage, number = complaint.split()
    whose = f"the user {command.user}" if command.user else "us"
    what = {
        "command": f"{command.argv[0]} cannot be run by {whose}",
        "cwd": f"The folder {command.cwd} cannot be entered by {whose}",
        "user": f"We cannot become {whose}",
    }[stage]
    hint = ""
    if stage == "command" and int(number) == errno.ENOENT:
        hint = "Install it, or check the name, the PATH, and, for a script, the interpreter in its first line."
    code = CODES.get(int(number), "failed")
    detail = f"{what}: {os.strerror(int(number) or errno.EINVAL)}. The command is:\n  {command}"
    return HostError(code, "A command cannot be run", detail=detail, hint=hint)
