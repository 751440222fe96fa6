"""One host of a lab: how it boots and ends, and what can happen to its network."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from purvey._base.clock import SystemClock
from purvey.testing.hosts._keys import KeyPair
from purvey.testing.hosts._network import NAMESPACES, await_end, command, run

ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8",
}  # fmt: skip
_BOOT: Final = ("sh", str(Path(__file__).with_name("boot.sh")))
_BOOT_S: Final = 60.0
_LOOK_S: Final = 0.005
_LISTENING: Final = ":0016 00000000:0000 0A"
"""What /proc/net/tcp says of a server on port 22."""

_HOMES: Final = {"root": 0, "home/admin": 1000, "home/deploy": 1001}


class Site(msgspec.Struct, frozen=True):
    """What the hosts of a lab share.

    Args:
        namespace: Of the switch.
        folder: Of the lab, in memory.
        tree: The file system under theirs.
        public_key: Which may log in.
        names: What `/etc/hosts` says, as text.
    """

    namespace: str
    folder: Path
    tree: Path
    public_key: str
    names: str


class Host:
    """A host of a `Lab`, which makes and starts it.

    Attributes:
        name: Its host name.
        address: Its address on the lab's switch.
        port: Of its sshd.
        namespace: Its network namespace, as ip-netns(8) knows it.
        root: Its file system, as a folder of this machine; without what is mounted in it, such as /proc and /run.
        folder: Where `root` is, and ``log`` with what its init said.
    """

    def __init__(self, site: Site, number: int, key: KeyPair) -> None:
        self._site = site
        self._key = key
        self._process: subprocess.Popen[bytes] | None = None
        self._port_name = f"port{number}"
        self._machine_id = secrets.token_hex(16)
        self._mac = f"02:00:00:00:00:{number:02x}"
        self.name = f"host{number}"
        self.address = address_of(number)
        self.port = 22
        self.namespace = f"{site.namespace}-{number}"
        self.folder = site.folder / self.name
        self.root = self.folder / "root"

    @property
    def boot_id(self) -> str:
        """Which boot this is; empty before the first."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / "boot_id").read_text(encoding="ascii").strip()
        return ""

    # Power.

    def start(self) -> None:
        """Boot, with its network mended; returns when its sshd listens. One that runs goes on.

        Raises:
            RuntimeError: if it does not boot, with what it said.
        """
        if self._process is not None and self._process.poll() is None:
            return
        if not self.root.exists():
            self._furnish()
        (self.folder / "pid").unlink(missing_ok=True)
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                _BOOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/", start_new_session=True,
                env={
                    "PATH": ENVIRONMENT["PATH"], "LAB": self._site.namespace, "HOST": self.namespace, "PORT": self._port_name,
                    "ADDRESS": self.address, "MAC": self._mac, "NAME": self.name, "FOLDER": str(self.folder),
                },
            )  # fmt: skip
        self.await_boot()

    def await_boot(self, other_than: str = "") -> None:
        """Return when its sshd listens.

        Args:
            other_than: The boot id of a boot that does not count, for a host that was told to reboot.

        Raises:
            RuntimeError: if it does not listen in time, with what it said.
        """
        deadline = SystemClock().monotonic() + _BOOT_S
        while self.boot_id == other_than or not self._listens():
            if self._process is None or self._ended(_LOOK_S) or SystemClock().monotonic() > deadline:
                said = (self.folder / "log").read_text(encoding="utf-8", errors="replace")
                raise RuntimeError(f"{self.name} does not boot: {said[-2000:]}")

    def stop(self) -> None:
        """End every process in it, so that connections are closed; its address refuses new ones. Its files stay."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.ExitStack() as stack:
            with contextlib.suppress(OSError, RuntimeError):  # It has not come so far, or has ended.
                init = os.pidfd_open(self._pid())
                stack.callback(os.close, init)
                stack.callback(await_end, init)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def kill(self) -> None:
        """Cut its power: nobody hears from it any more, and nothing of its memory is left. Its files stay."""
        self.link_down()
        self.stop()
        command("ip", "netns", "delete", self.namespace)

    def restart(self) -> None:
        """Boot anew, with another boot id and a mended network; connections are closed, its files stay."""
        self.stop()
        self.start()

    # Within.

    def exec(self, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a program in it as root, past its sshd.

        Args:
            argv: The program and its arguments.
            options: For `subprocess.run`; 60 s, no input and captured text unless they say otherwise.

        Raises:
            RuntimeError: if it does not run.
        """
        enter = ("nsenter", f"--target={self._pid()}", "--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--")
        leashed = ("setpriv", "--pdeathsig=KILL", "--")  # It is nsenter's child, and nsenter is what a time limit kills.
        return run([*enter, *leashed, *argv], {"env": ENVIRONMENT, **options})

    # Its network.

    def link_down(self) -> None:
        """Pull its cable out: nothing reaches it and nothing comes from it, and connections hang."""
        self._switch("link", "set", self._port_name, "down")

    def link_up(self) -> None:
        """Plug its cable in again."""
        self._switch("link", "set", self._port_name, "up")

    def loss(self, percent: int) -> None:
        """Lose so many of a hundred packets in each direction, by chance, from 0 for none to 100."""
        rule = f"numgen random mod 100 >= {100 - percent} drop"
        ends = f'iifname "{self._port_name}" {rule}; ', f'oifname "{self._port_name}" {rule}; '
        table = f"bridge {self._port_name}"
        chains = (
            f"chain {hook} {{ type filter hook {hook} priority 0; {''.join(ends[first:last])} }}\n"
            for hook, first, last in (("input", 0, 1), ("output", 1, 2), ("forward", 0, 2))
        )
        rules = f"table {table}\ndelete table {table}\n" + (f"table {table} {{\n{''.join(chains)}}}\n" if percent else "")
        command(
            "ip", "netns", "exec", self._site.namespace, "chroot", str(self._site.tree), "nft", "-f", "-", input=rules
        )  # fmt: skip

    def bandwidth(self, rate: str) -> None:
        """Let no more than `rate` through in each direction, as tc(8) writes it: ``1mbit``; empty lets everything through."""
        for namespace, device in ((self._site.namespace, self._port_name), (self.namespace, "eth0")):
            root = ("tc", "-n", namespace, "qdisc", "replace", "dev", device, "root")
            command(*root, *(("tbf", "rate", rate, "burst", "16kb", "latency", "200ms") if rate else ("noqueue",)))

    def _switch(self, *words: str) -> None:
        command("ip", "-n", self._site.namespace, *words)

    def _pid(self) -> int:
        """The process that is its init, by its number out here; never one that has got the number since."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder / "pid").read_text(encoding="ascii"))
            if Path(f"/proc/{pid}/ns/net").samefile(NAMESPACES / self.namespace):
                return pid
        raise RuntimeError(f"{self.name} does not run.")

    def _listens(self) -> bool:
        with contextlib.suppress(OSError, RuntimeError):
            return _LISTENING in Path(f"/proc/{self._pid()}/net/tcp").read_text(encoding="ascii")
        return False

    def _ended(self, within_s: float) -> bool:
        assert self._process is not None
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(within_s)
        return self._process.returncode is not None

    def _furnish(self) -> None:
        """Make its file system, with what tells it from the others."""
        for part in ("upper", "work", "root"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        layers = f"lowerdir={self._site.tree},upperdir={self.folder}/upper,workdir={self.folder}/work"
        command("mount", "-t", "overlay", "-o", layers, "overlay", str(self.root))
        etc = self.root / "etc"
        self._key.write(etc / "ssh" / "ssh_host_ed25519_key")
        (etc / "hostname").write_text(f"{self.name}\n", encoding="ascii")
        (etc / "hosts").write_text(self._site.names, encoding="ascii")
        (etc / "machine-id").write_text(f"{self._machine_id}\n", encoding="ascii")
        for home, uid in _HOMES.items():
            folder = self.root / home / ".ssh"
            folder.mkdir(0o700)
            (folder / "authorized_keys").write_text(f"{self._site.public_key}\n", encoding="ascii")
            for path in (folder, folder / "authorized_keys"):
                os.chown(path, uid, uid)


def address_of(number: int) -> str:
    """The address of a lab's host by its number from 1; the range is set aside for documentation (RFC 5737)."""
    return f"192.0.2.{number + 10}"
