"""The machine that purvey runs on: files by the system's own calls, commands by processes that do not outlive us."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from purvey._hosts import local_files, local_stage, local_steps, local_users
from purvey._hosts.command import Command, Completed, not_accepted
from purvey._hosts.connector import Told, User
from purvey._hosts.fact import Answer, Answers, Fact, FileStat, Unanswered
from purvey._hosts.identity import identity_of
from purvey._hosts.local_log import LocalLog
from purvey._hosts.local_run import run
from purvey._hosts.local_ways import require_way
from purvey._hosts.step import Ending, Machine, Step
from purvey.errors import HostError

THREADS: Final = 4
"""Files written at once: enough to keep a disk busy with fsync, few enough not to starve the event loop of cores."""

MACHINE_ID_FILES: Final = ("/etc/machine-id", "/var/lib/dbus/machine-id")

T = TypeVar("T")


class LocalConnector:
    """This machine; see `purvey._hosts.connector.Connector` for what each method does.

    Args:
        log: Remembers the steps that must not be done twice; without one, nothing does.
    """

    def __init__(self, log: LocalLog | None = None) -> None:
        self.log = log
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="purvey-files")
        self.known: dict[Fact, Answer | Unanswered] = {}
        self.is_halted = False

    async def machine(self) -> Machine:
        """See `Connector.machine`."""
        name = local_users.user_name(os.geteuid())
        return Machine(name, os.geteuid(), str(Path.home()), _machine_id().decode(errors="replace"), "", "")

    async def renew(self) -> None:
        """See `Connector.renew`; nothing lies between us and this machine."""

    async def identity(self) -> str:
        """See `Connector.identity`."""
        return identity_of(_machine_id())

    async def ask(self, facts: Sequence[Fact]) -> Answers:
        """See `Connector.ask`."""
        answers = await local_steps.ask(self, facts)
        self.known.update(answers.known)
        return answers

    async def perform(self, steps: Sequence[Step], *, fresh: bool = False, told: Told = lambda *_: None) -> list[Ending]:
        """See `Connector.perform`."""
        self.is_halted = False
        self.known.clear()  # Nobody keeps book here of what steps change, for it costs nothing to ask again.
        return await local_steps.perform(self, steps, told)

    async def halt(self) -> None:
        """See `Connector.halt`."""
        self.is_halted = True

    async def begun(self) -> None:
        """See `Connector.begun`; only what must not be done twice is remembered."""

    async def remembers(self, token: str) -> bool:
        """See `Connector.remembers`."""
        return self.log is not None and self.log.remembers(token)

    def spend(self, tokens: Sequence[str]) -> None:
        """See `Connector.spend`; nothing is kept here."""

    async def tidy(self) -> None:
        """See `Connector.tidy`."""

    async def is_root(self) -> bool:
        """See `Connector.is_root`."""
        return os.geteuid() == 0

    async def user(self, name: str) -> User | None:
        """See `Connector.user`."""
        return local_users.user(name)

    async def stat(self, path: str) -> FileStat | None:
        """See `Connector.stat`."""
        return local_files.stat(path)

    async def read(self, path: str) -> bytes:
        """See `Connector.read`."""
        require_way(path)
        return await self._in_thread(partial(local_files.read, path))

    async def digest(self, path: str) -> str:
        """See `Connector.digest`."""
        require_way(path)
        return await self._in_thread(partial(local_files.digest, path))

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        mode: int,
        owner: str | None = None,
        group: str | None = None,
        validate: Command | None = None,
    ) -> None:
        """See `Connector.write`."""
        require_way(path)
        build = partial(local_stage.stage, path, data, mode=mode, owner=owner, group=group)
        if validate is None:
            await self._in_thread(lambda: local_stage.commit(build()))
            return
        staged = await self._in_thread(build, undo=local_stage.discard)
        try:
            await self._validate(validate.about(str(staged.temporary)), path)
        except BaseException:
            local_stage.discard(staged)
            raise
        await self._in_thread(partial(local_stage.commit, staged))

    async def make_directory(self, path: str, *, mode: int, owner: str | None = None, group: str | None = None) -> None:
        """See `Connector.make_directory`."""
        require_way(path)
        await self._in_thread(partial(local_files.make_directory, path, mode=mode, owner=owner, group=group))

    async def link(self, path: str, target: str) -> None:
        """See `Connector.link`."""
        require_way(path)
        await self._in_thread(partial(local_stage.link, path, target))

    async def remove(self, path: str) -> None:
        """See `Connector.remove`."""
        require_way(path)
        await self._in_thread(partial(local_files.remove, path))

    async def is_folder(self, path: str) -> bool:
        """Whether a directory is at `path`, or a link leads to one."""
        return local_files.is_folder(path)

    async def remove_tree(self, path: str) -> None:
        """Remove a directory and all that is in it, or whatever is there; nothing if there is nothing."""
        require_way(path)
        await self._in_thread(partial(local_files.remove_tree, path))

    async def set_attributes(
        self, path: str, *, mode: int | None = None, owner: str | None = None, group: str | None = None
    ) -> None:
        """See `Connector.set_attributes`."""
        require_way(path)
        local_files.set_attributes(path, mode=mode, owner=owner, group=group)

    async def port_free(self, port: int, *, host: str = "127.0.0.1") -> bool:
        """See `Connector.port_free`."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # Connections that wind down hold no port.
            try:
                probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    return False
                raise _unusable(error, host, port) from error
        return True

    async def run(self, command: Command) -> Completed:
        """See `Connector.run`."""
        return await run(command)

    async def _validate(self, command: Command, path: str) -> None:
        completed = await self.run(command)
        if completed.returncode != 0:
            raise not_accepted(path, command, completed)

    async def _in_thread(self, work: Callable[[], T], *, undo: Callable[[T], None] | None = None) -> T:
        """The result of `work`; when cancelled, wait for its end all the same, for a thread cannot be stopped."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await asyncio.wait([future])
            if undo is not None and future.exception() is None:
                undo(future.result())
            raise


def _machine_id() -> bytes:
    """What the system was given when it was installed; the host's name where there is none, as in small containers."""
    for path in MACHINE_ID_FILES:
        with contextlib.suppress(OSError):
            if number := Path(path).read_bytes().strip():
                return number
    return socket.gethostname().encode()


def _unusable(error: OSError, host: str, port: int) -> HostError:
    if error.errno == errno.EACCES:
        return HostError(
            "denied",
            "A port is reserved for root",
            detail=f"We may not listen on port {port} of {host}.",
            hint="Use a port from 1024 on, or run purvey as root.",
        )
    return HostError(
        "invalid",
        "There is no such address on this machine",
        detail=f"Nothing can listen on {host}: {os.strerror(error.errno or 0)}.",
        hint="See the addresses there are:\n  ip address",
    )
