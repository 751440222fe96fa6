"""One kept process of a node: where its files are, and how it is started, replaced and removed.

An instance has an id, the absolute path that its files begin with, so that it is found again when its node is renamed:

    <id>.json, <id>.lock     the keeper's
    <id>.log, <id>.log.1 ... what the process printed
    <id>.operation           which operation started it, and when

Invariant: ``.operation`` is written only while nothing runs. So an instance that runs was started by the operation that it
names, with that operation's inputs, and an operation that is repeated after a crash knows its own work.
"""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

import msgspec

from purvey._base.limits import EVIDENCE_BYTES_MAX
from purvey.errors import HostError
from purvey.resources.process import keeper_client
from purvey.resources.process._folder import make_folders, names, remove_if_empty

if TYPE_CHECKING:
    from purvey.providers import Call
    from purvey.resources.process.keeper_model import ServiceSpec, ServiceState

LOG_LINES = 20
"""Lines of a log that an error repeats: enough for a message, few enough for a screen."""

_OWN = (".log", ".operation")


class Started(msgspec.Struct, frozen=True):
    """Which operation started an instance, and when, in seconds since the epoch."""

    operation: str
    at: float


class Instance:
    """The files and the process behind one id.

    Args:
        call: The operation.
        id: The instance's id; its folder need not exist.
        folder_mode: Permission bits of that folder.
    """

    def __init__(self, call: Call, id: str, *, folder_mode: int = 0o700) -> None:
        self.call = call
        self.id = id
        self.folder_mode = folder_mode
        self.folder, self.name = os.path.split(id)

    @property
    def log(self) -> str:
        """The path of its log."""
        return f"{self.id}.log"

    async def state(self) -> ServiceState | None:
        """What the keeper and the kernel say; None if nothing is known of it."""
        return await keeper_client.status(self.folder, self.name)

    async def started(self) -> Started | None:
        """Who started it last; None if it never was."""
        try:
            return msgspec.json.decode(await self.call.host.read(f"{self.id}.operation"), type=Started)
        except (HostError, msgspec.DecodeError):
            return None

    async def start(self, spec: ServiceSpec, *, operation: str) -> None:
        """Have it run as started by `operation`: what another one started is stopped; what this one has started stays.

        Raises:
            HostError: if the command cannot be run, or the former process cannot be stopped.
        """
        state, started = await self.state(), await self.started()
        if state is not None and state.alive and started is not None and started.operation == operation:
            return
        await self.stop(spec.grace_s)
        await make_folders(self.call.host, self.folder, mode=self.folder_mode)
        note = Started(operation, self.call.clock.now())
        await self.call.host.write(f"{self.id}.operation", msgspec.json.encode(note), mode=0o600)
        await keeper_client.start(spec, clock=self.call.clock)

    async def stop(self, grace_s: float) -> None:
        """End the process and all that it started; nothing if it does not run."""
        if await self.call.host.stat(self.folder) is not None:
            await keeper_client.stop(self.folder, self.name, grace_s)

    async def remove(self, grace_s: float) -> None:
        """End it, and remove its files, and its folder if nothing else is in it."""
        host = self.call.host
        if await host.stat(self.folder) is None:
            return
        await self.stop(grace_s)
        await keeper_client.forget(self.folder, self.name)
        for name in await names(host, self.folder):
            if name.startswith(tuple(f"{self.name}{suffix}" for suffix in _OWN)):
                await host.remove(f"{self.folder}/{name}")
        await remove_if_empty(host, self.folder)

    async def last_lines(self) -> str:
        """The end of its log; empty if there is none."""
        try:
            data = await self.call.host.read(self.log)
        except HostError:
            return ""
        text = data[-EVIDENCE_BYTES_MAX:].decode(errors="replace")
        return "\n".join(text.splitlines()[-LOG_LINES:])


def ended_how(state: ServiceState | None) -> str:
    """How a process that does not run came to its end, for people."""
    if state is None:
        return "it was never started"
    if state.exit_code is not None:
        return f"it ended with code {state.exit_code}"
    if state.exit_signal is not None:
        return f"signal {state.exit_signal} ended it"
    return "it was killed together with its keeper" if state.status == "lost" else "it is not running"
