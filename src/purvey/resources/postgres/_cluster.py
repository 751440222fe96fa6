"""A server's folder on a machine: made step by step so that it can be killed anywhere, and removed as a whole.

    <root>/cluster.json          which operation made it; without it nothing is ever removed
    <root>/data.<random>/        ``initdb`` at work; what a killed one left is removed
    <root>/data/                 complete, because it got this name last
    <root>/server.conf, pg_hba.conf, pg_ident.conf
    <root>/run/                  the socket, or a short folder in /tmp where this path is too long for one
    <root>/server.*              the keeper's files and the log
    <root>/postgresql-<version>/ a copy of the programs, where their user cannot read the installed ones

As root the server runs as an unprivileged user, who owns the data, the socket's folder and nothing else here.
"""

from __future__ import annotations

import hashlib
import os
import pwd
from typing import TYPE_CHECKING, Final

import msgspec

from purvey._hosts.command import Command, check
from purvey.errors import HostError, ProviderError
from purvey.resources.postgres import _config
from purvey.resources.postgres._binaries import programs
from purvey.resources.process._folder import make_folders, names, remove_if_empty
from purvey.resources.process._instance import Instance
from purvey.resources.process.keeper_model import ServiceSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from purvey.providers import Call

SOCKET_PATH_MAX: Final = 107
"""Bytes in the path of a socket (`sun_path` of sys/un.h, less its final zero)."""

GRACE_S: Final = 60.0
"""Seconds the server gets to write its memory to disk before it is killed, which loses no data but time."""

_PORTS: Final = range(20_000, 32_768)
"""Where a port is chosen: above the well-known services, below the range from which Linux takes ports for clients."""

_TRIES_MAX: Final = 100
_ENVIRONMENT: Final = {"LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"}


class Made(msgspec.Struct, frozen=True):
    """Which operation made a folder."""

    operation: str


class Cluster:
    """One server's folder.

    Args:
        call: The operation.
        root: The folder.
        user: The user the server runs as; None for ourselves.
    """

    def __init__(self, call: Call, root: str, user: str | None) -> None:
        self.call = call
        self.root = root
        self.user = user
        self.host = call.host
        self.instance = Instance(call, f"{root}/server", folder_mode=0o755 if user else 0o700)

    @property
    def data(self) -> str:
        """The data directory."""
        return f"{self.root}/data"

    @property
    def socket(self) -> str:
        """The folder of the socket."""
        if len(f"{self.root}/run/.s.PGSQL.65535".encode()) <= SOCKET_PATH_MAX:
            return f"{self.root}/run"
        return f"/tmp/purvey-{hashlib.sha256(self.root.encode()).hexdigest()[:16]}"  # noqa: S108 - see `_make_socket_folder`.

    async def make(self) -> str:
        """Make what is missing, up to the data directory; the folder of the programs."""
        await make_folders(self.host, self.root, mode=self.instance.folder_mode)
        complete = await self.host.stat(self.data) is not None
        if not complete:
            await self.host.write(f"{self.root}/cluster.json", msgspec.json.encode(Made(self.call.token)), mode=0o600)
        found = await programs(self.host, self.root, self.user)
        if not complete:
            for name in await names(self.host, self.root):
                if name.startswith("data."):
                    await self._remove_unfinished(f"{self.root}/{name}")
            await self._initialise(found)
        await self._make_socket_folder()
        return found

    async def _initialise(self, found: str) -> None:
        unfinished = f"{self.data}.{self.call.clock.entropy(6).hex()}"
        await self.host.make_directory(unfinished, mode=0o700, owner=self.user)
        self.call.progress("making the data directory")
        command = Command(
            (
                f"{found}/initdb", "--pgdata", unfinished, "--username", "postgres", "--auth-local", "peer",
                "--auth-host", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-instructions",
            ),
            env=_ENVIRONMENT, cwd="/", user=self.user,
        )  # fmt: skip
        check(command, await self.host.run(command))
        await self._run("mv", "-T", "--", unfinished, self.data)

    async def _make_socket_folder(self) -> None:
        """Make the socket's folder as the server's user; one that is there must be that user's alone.

        In /tmp anybody may have made it before. ``mkdir`` follows no link, and the owner and mode are looked at afterwards.
        """
        if await self.host.stat(self.socket) is None:
            if self.socket.startswith(self.root):
                await self.host.make_directory(self.socket, mode=0o700, owner=self.user)
            else:
                await self._run("mkdir", "-m", "0700", "--", self.socket, user=self.user)
        found = await self.host.stat(self.socket)
        owner = self.user or pwd.getpwuid(os.geteuid()).pw_name
        if found is None or (found.kind, found.mode, found.owner) != ("directory", 0o700, owner):
            raise HostError(
                "denied",
                "The folder of a socket is not safe",
                detail=f"{self.socket} exists and is not {owner}'s alone; who can write there could pose as the server.",
                hint=f"See whose it is, and remove it:\n\n    ls -ld {self.socket}",
            )

    async def configuration(self) -> str:
        """The main configuration file; empty if there is none yet."""
        path = f"{self.root}/server.conf"
        if await self.host.stat(path) is None:
            return ""
        return (await self.host.read(path)).decode(errors="replace")

    async def configure(self, found: str, host: str, port: int, settings: Mapping[str, str]) -> None:
        """Write the configuration; the server itself looks at it before it takes the old one's place.

        Raises:
            HostError: ``invalid`` with the server's own words.
        """
        users = [pwd.getpwuid(os.geteuid()).pw_name, *([self.user] if self.user else [])]
        for name, text in (("pg_hba.conf", _config.HBA), ("pg_ident.conf", _config.ident(users))):
            await self.host.write(f"{self.root}/{name}", text.encode(), mode=0o600, owner=self.user)
        text = _config.server_conf(self.root, self.socket, host, port, settings)
        look = ("-C", "port", "-c", "config_file={path}")
        validate = Command((f"{found}/postgres", "-D", self.data, *look), env=_ENVIRONMENT, cwd="/", user=self.user)
        path = f"{self.root}/server.conf"
        await self.host.write(path, text.encode(), mode=0o600, owner=self.user, validate=validate)

    async def free_port(self, host: str) -> int:
        """A port on which nobody listens.

        Raises:
            HostError: if none is found.
        """
        for _ in range(_TRIES_MAX):
            port = _PORTS[int(self.call.clock.random() * len(_PORTS))]
            if await self.host.port_free(port, host=host):
                return port
        raise HostError("quota_exceeded", "No free port was found", detail=f"{_TRIES_MAX} ports were tried on {host}.")

    def spec(self, found: str) -> ServiceSpec:
        """How the server is kept."""
        return ServiceSpec(
            id=self.instance.name,
            state_dir=self.root,
            argv=(f"{found}/postgres", "-D", self.data, "-c", f"config_file={self.root}/server.conf"),
            env=_ENVIRONMENT,
            log=self.instance.log,
            user=self.user,
            stop_signal="SIGINT",
            grace_s=GRACE_S,
            umask=0o077,
        )

    async def stop(self) -> None:
        """Stop the server; nothing if it does not run."""
        await self.instance.stop(GRACE_S)

    async def made_now(self) -> bool:
        """Whether this very operation made the folder."""
        try:
            return (
                msgspec.json.decode(await self.host.read(f"{self.root}/cluster.json"), type=Made).operation == self.call.token
            )
        except (HostError, msgspec.DecodeError):
            return False

    async def remove(self) -> None:
        """Stop the server and remove everything, the data too.

        Raises:
            ProviderError: ``conflict`` if the folder is not one that purvey made.
        """
        if await self.host.stat(self.root) is None:
            return
        await self.stop()
        if await self.host.stat(f"{self.root}/cluster.json") is None and await names(self.host, self.root):
            raise ProviderError("conflict", "A folder is not purvey's to remove", detail=f"{self.root} has no cluster.json.")
        if not self.socket.startswith(self.root):
            await self._run("rm", "-rf", "--", self.socket)
        await self._run("rm", "-rf", "--", self.root)
        await remove_if_empty(self.host, os.path.dirname(self.root))  # noqa: PTH120 - a path of another machine.

    async def _remove_unfinished(self, path: str) -> None:
        """Remove what a killed ``initdb`` left.

        Raises:
            ProviderError: ``in_use`` while a process that it had started is still writing there; that ends by itself.
        """
        try:
            await self._run("rm", "-rf", "--", path)
        except HostError as error:
            raise ProviderError(
                "in_use",
                "What an interrupted creation left is still written in",
                detail=f"{path} could not be removed: {error.detail}",
                hint=f"If it stays so, see who has it open:\n\n    fuser -v {path}",
            ) from error

    async def _run(self, *argv: str, user: str | None = None) -> None:
        command = Command(argv, user=user)
        check(command, await self.host.run(command))
