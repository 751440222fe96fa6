"""Real OpenSSH on the loopback interface: servers with their own keys and settings, keys, certificates, an agent.

Everything runs as whoever runs the tests, in a folder of the test's own, and is gone after it.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from purvey._base.value import Secret
from purvey._hosts.route import SshRoute
from purvey._hosts.shell import Shell
from tests.unit.hosts.waiting import until

USER = getpass.getuser()

# SHLVL=5 keeps bash from reading ~/.bashrc on every command, as it does for sshd at level 1.
SETTINGS = """\
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
LogLevel VERBOSE
SetEnv SHLVL=5
"""


def keygen(path: Path, *arguments: str, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new key pair at `path`; its public part lies beside it."""
    made = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", str(path), *arguments]
    subprocess.run(made, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    return path


def sign(authority: Path, key: Path, *arguments: str) -> str:
    """A certificate of `authority` for a public key, as text."""
    made = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", *arguments, f"{key}.pub"]
    subprocess.run(made, check=True, capture_output=True)
    return Path(f"{key}-cert.pub").read_text()


def fingerprint(key: Path) -> str:
    """The fingerprint of a key as OpenSSH shows it."""
    shown = subprocess.run(["ssh-keygen", "-lf", f"{key}.pub"], check=True, capture_output=True, text=True)
    return shown.stdout.split()[1]


def public(key: Path) -> str:
    """Type and key, without the comment."""
    return " ".join(Path(f"{key}.pub").read_text().split()[:2])


@dataclass
class Sshd:
    """One server.

    Args:
        folder: A folder of its own.
        address: Where it listens.
        more: Other addresses where it listens.
        settings: Lines of sshd_config that come before ours, and so win.
        wrapper: What runs it, and whatever it is given as arguments.
        port: Where it listens; chosen when it starts.
    """

    folder: Path
    address: str = "127.0.0.2"
    more: tuple[str, ...] = ()
    settings: str = ""
    wrapper: tuple[str, ...] = ()
    port: int = 0
    process: subprocess.Popen[bytes] = field(init=False)

    @property
    def key(self) -> Path:
        """The key that is let in."""
        return self.folder / "user_key"

    @property
    def host_key(self) -> Path:
        """The key that it proves itself by."""
        return self.folder / "host_key"

    @property
    def known_hosts(self) -> Path:
        """A file that knows it, under every address."""
        return self.folder / "known_hosts"

    @property
    def log(self) -> str:
        """What it said."""
        return (self.folder / "log").read_text()

    @property
    def logins(self) -> int:
        """How many connections were let in."""
        return len(re.findall(r"Accepted \S+ for ", self.log))

    def route(self, address: str = "", **changes: object) -> SshRoute:
        """How to get there by the key, without the user's own configuration."""
        given: dict[str, object] = {
            "address": address or self.address, "port": self.port, "user": USER, "config": "",
            "key": Secret(self.key.read_text()), "known_hosts": str(self.known_hosts),
        }  # fmt: skip
        return SshRoute(**{**given, **changes})  # type: ignore[arg-type]

    def sessions(self) -> list[int]:
        """The processes that serve connections, one for each; none of a server that has ended, whose number is another's."""
        return _children(self.process.pid) if self.process.poll() is None else []

    def cut(self) -> None:
        """Kill what serves connections, and what was run over them, from the top, so that nobody reports another's end."""
        pids = self.sessions()
        for pid in pids:
            pids += _children(pid)
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def start(self) -> None:
        """Make what is missing, and listen."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in (self.host_key, self.key):
            if not path.exists():
                keygen(path)
        allowed = self.folder / "authorized_keys"
        if not allowed.exists():
            allowed.write_text(f"{public(self.key)}\n")
        self.port = self.port or free_port(self.address)
        self.know()
        listen = "".join(f"ListenAddress {address}:{self.port}\n" for address in (self.address, *self.more))
        settings = self.folder / "sshd_config"
        settings.write_text(self.settings + listen + SETTINGS.format(folder=self.folder))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        command = [*self.wrapper, "/usr/sbin/sshd", "-D", "-e", "-f", str(settings)]
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={"PATH": os.environ["PATH"]}
            )
        assert until(self._listens), self.log

    def know(self) -> None:
        """Write known_hosts anew, as the server is now."""
        lines = (f"[{address}]:{self.port} {public(self.host_key)}\n" for address in (self.address, *self.more))
        self.known_hosts.write_text("".join(lines))

    def stop(self) -> None:
        """End the server, and whom it serves."""
        for pid in self.sessions():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        self.process.terminate()
        self.process.wait()

    def _listens(self) -> bool:
        return self.log.count("Server listening on ") == 1 + len(self.more)


def _children(pid: int) -> list[int]:
    with contextlib.suppress(FileNotFoundError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


@contextlib.contextmanager
def running(server: Sshd) -> Iterator[Sshd]:
    """The server, for as long as it is needed."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[str]:
    """The socket of a real ssh-agent that holds these keys, the first one first."""
    path = folder / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL) as process:
        assert until(path.exists)
        try:
            for key in keys:
                environment = {**os.environ, "SSH_AUTH_SOCK": str(path)}
                subprocess.run(["ssh-add", "-q", str(key)], check=True, env=environment, capture_output=True)
            yield str(path)
        finally:
            process.terminate()


def configured(path: Path, *sections: str) -> str:
    """An OpenSSH configuration file with these sections."""
    path.write_text("\n".join(sections))
    return str(path)


def free_port(address: str) -> int:
    """A port of `address` where nobody listens."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


async def said(shell: Shell, command: str, data: bytes = b"") -> tuple[int, str, str]:
    """What a command ends with, writes, and complains."""
    pipes = await shell.start(command)
    await pipes.send(data)
    await pipes.end()
    written = b""
    while chunk := await pipes.receive():
        written += chunk
    code = await pipes.wait()
    await pipes.close()
    return code, written.decode(), pipes.complaints().decode()
