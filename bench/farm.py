"""Machines to measure on: an OpenSSH server of its own for each, on the loopback network, with a folder of its own for purvey.

Their disk, processors and users are this machine's. What each was asked to run is counted in its server's log.
"""

from __future__ import annotations

import asyncio
import contextlib
import copy
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from purvey._base.clock import SystemClock
from purvey.testing.hosts.relay import Relay

PORT = 2222
SSHD = "/usr/sbin/sshd"
SFTP = "/usr/lib/openssh/sftp-server"
KEPT = "/var/lib/purvey"
"""Where purvey keeps its own things on a machine when it is root there."""

SETTINGS = """\
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/client_key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
PidFile none
LogLevel VERBOSE
SetEnv SHLVL=5
Subsystem sftp {sftp}
"""
"""SHLVL=5 keeps bash from reading ~/.bashrc for every command, as it does under sshd, so no tool pays for what is in it."""

ENTER = 'mount --bind "$0" "$1" && shift && exec "$@"'
"""Runs a server with another folder in the place of the one where purvey keeps its things."""


class Farm:
    """So many servers, while the block lasts.

    Args:
        folder: For keys, logs and what is kept on the machines.
        count: How many, at most 253.

    Attributes:
        hosts: Their addresses.
        port: Where all listen.
        key: The private key that they let in, as root.
        host_key: The fingerprint of theirs.
        pids: The servers.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.hosts: Sequence[str] = [f"127.0.0.{number + 2}" for number in range(count)]
        self.port = PORT
        self.key = folder / "client_key"
        self.host_key = ""
        self.pids: list[int] = []
        self._folder = folder
        self._servers: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        """Start them, and wait until all answer."""
        self._folder.mkdir(parents=True)
        for name in ("host_key", "client_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._folder / name], check=True)
        shown = subprocess.run(["ssh-keygen", "-lf", self._folder / "host_key.pub"], check=True, capture_output=True, text=True)
        self.host_key = shown.stdout.split()[1]
        settings = SETTINGS.format(folder=self._folder, sftp=SFTP if Path(SFTP).exists() else "internal-sftp")
        (self._folder / "sshd_config").write_text(settings)
        for folder in (Path("/run/sshd"), Path(KEPT)):
            folder.mkdir(parents=True, exist_ok=True)
        for host in self.hosts:
            self._servers[host] = self._started(host)
        self.pids = [server.pid for server in self._servers.values()]
        for host in self.hosts:
            _wait_for(host)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End them."""
        for server in self._servers.values():
            server.terminate()
        for server in self._servers.values():
            server.wait()

    def requests(self) -> int:
        """How many commands and subsystems the one that was asked most has been asked to run so far."""
        return max(self._log(host).read_text(errors="replace").count("Starting session: ") for host in self._servers)

    @contextmanager
    def far(self, round_trip_ms: float) -> Iterator[Farm]:
        """The same machines, behind a way that takes so much longer; what it costs is in this process, and nobody's."""
        far = copy.copy(self)
        far.hosts = [f"127.0.1.{host.rpartition('.')[2]}" for host in self.hosts]
        with _relayed(dict(zip(far.hosts, self.hosts, strict=True)), round_trip_ms):
            yield far

    def _log(self, host: str) -> Path:
        return self._folder / f"{host}.log"

    def _started(self, host: str) -> subprocess.Popen[bytes]:
        kept = self._folder / f"{host}.kept"
        kept.mkdir()
        server = [SSHD, "-D", "-E", str(self._log(host)), "-f", str(self._folder / "sshd_config")]
        argv = ["unshare", "--mount", "sh", "-c", ENTER, str(kept), KEPT, *server, "-o", f"ListenAddress={host}:{PORT}"]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"]})


def _wait_for(host: str) -> None:
    """Return when a server answers.

    Raises:
        RuntimeError: if it does not.
    """
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection((host, PORT), 1) as connection:
            if connection.recv(4) == b"SSH-":
                return
        time.sleep(0.05)
    raise RuntimeError(f"no server answers on {host}:{PORT}")


@contextmanager
def _relayed(targets: Mapping[str, str], round_trip_ms: float) -> Iterator[None]:
    """Listens on each address, and passes on to another."""
    loop = asyncio.new_event_loop()

    async def listen() -> None:
        """Open all."""
        for address, target in targets.items():
            relay = Relay(SystemClock(), round_trip_ms / 2000, target, PORT)
            await asyncio.start_server(relay.serve, address, PORT)

    loop.run_until_complete(listen())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
