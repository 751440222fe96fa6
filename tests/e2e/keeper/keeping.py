"""A bench for kept services: what they are, and what the kernel says about them."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from purvey._base.clock import SystemClock
from purvey.resources.process.keeper_client import ServiceSpec, ServiceState, start, status, stop

FOREVER = ("sh", "-c", "while :; do sleep 60; done")
STUBBORN = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 60; done")


class Bench:
    """A folder for keepers, specs of services in it, and the processes that belong to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state_dir = folder / "state"
        self.state_dir.mkdir(mode=0o700)
        self.mark = f"mark-{secrets.token_hex(8)}"

    def spec(self, *argv: str, **fields: Any) -> ServiceSpec:
        """A service of the bench, with a mark in its environment that nothing else has."""
        name = fields.pop("id", "web")
        env = {"PATH": os.environ["PATH"], "MARK": self.mark, **fields.pop("env", {})}
        log = str(self.folder / f"{name}.log")
        return ServiceSpec(id=name, state_dir=str(self.state_dir), argv=argv, env=env, log=log, **fields)

    async def start(self, *argv: str, **fields: Any) -> ServiceState:
        """Start such a service."""
        return await start(self.spec(*argv, **fields), clock=SystemClock())

    async def status(self) -> ServiceState:
        """The state of the service, which is known."""
        state = await status(str(self.state_dir), "web")
        assert state is not None
        return state

    async def ended(self) -> ServiceState:
        """The state of the service once it is no longer alive, and its keeper is gone."""
        await eventually(lambda: not self.keepers())
        return await self.status()

    async def stop(self, grace_s: float = 5.0) -> ServiceState | None:
        """Stop the service."""
        return await stop(str(self.state_dir), "web", grace_s)

    def recorded(self) -> str:
        """The status that the record tells, true or not; empty if there is none."""
        try:
            return str(json.loads((self.state_dir / "web.json").read_bytes())["status"])
        except FileNotFoundError:
            return ""

    def log(self) -> str:
        """What the service printed."""
        return (self.folder / "web.log").read_text()

    def files(self) -> list[Path]:
        """Every file that starting the service has made."""
        return [path for path in self.folder.rglob("*") if path.is_file()]

    def services(self) -> list[int]:
        """Every running process that has the mark in its environment."""
        return [pid for pid in running() if f"MARK={self.mark}".encode() in environment(pid)]

    async def runs_exactly(self, *pids: int) -> None:
        """Return when the marked processes are these; the kernel shows an environment a moment after the program began."""
        await eventually(lambda: self.services() == sorted(pids))

    def keepers(self) -> list[int]:
        """Every running keeper of this bench, starting ones too."""
        folder = str(self.state_dir).encode()
        return [pid for pid in running() if folder in arguments(pid)]

    def nobody_starts(self) -> bool:
        """Whether no keeper is there, nor one that changes its pid as it detaches, which a single look can miss."""
        return not any(self.keepers() for _ in range(5))


def running() -> list[int]:
    """The pids of all processes that run."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and lives(int(path.name))]


def lives(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _of_process(pid: int, name: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().split(b"\0")
    except OSError:
        return []


def told_by_kernel(pid: int, name: str) -> str:
    """One of the kernel's text files about a process."""
    return Path(f"/proc/{pid}/{name}").read_text()


def environment(pid: int) -> list[bytes]:
    """The variables of a process."""
    return _of_process(pid, "environ")


def arguments(pid: int) -> list[bytes]:
    """The arguments of a process."""
    return _of_process(pid, "cmdline")


async def eventually(condition: Callable[[], object]) -> None:
    """Return when the condition is true; fail when it is not within a bound that a loaded machine keeps."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not come"
        await asyncio.sleep(0.01)
