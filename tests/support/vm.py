"""A virtual machine by QEMU: a kernel, a systemd, a swap and a disk of its own. Needs root.

It is faster by KVM, and works without, where its bounds are longer. It writes into a file in a file system in memory that only
QEMU sees, and QEMU ends with the thread that has started it; so nothing is left of it, however a test ends.

It has a second disk, /dev/vdc, with nothing on it.

It comes up as one in a cloud does: it is given user data at its start (NoCloud), and lets in whom that says. What is run in it
past its sshd goes through QEMU's guest agent, which works while its network does not.
"""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

from purvey._base.clock import SystemClock
from purvey.testing.hosts._keys import new_key
from tests.support.vm_disk import base_disk
from tests.support.vm_talk import Agent, Monitor

TCG_PATIENCE: Final = 15
"""How many times longer everything may take where no processor helps."""

_SNAPSHOT: Final = "ready"
_LEASH: Final = ("setpriv", "--pdeathsig=KILL", "--", "unshare", "--mount", "--")
_START: Final = """
set -eu
mount -t tmpfs -o mode=700 memory memory
qemu-img create -q -f qcow2 -F raw -b "$1" memory/disk
qemu-img create -q -f qcow2 memory/data 64M
shift
exec "$@"
"""
_KERNEL: Final = (
    "root=/dev/vda rw console=ttyS0 net.ifnames=0 quiet mitigations=off no_timer_check systemd.default_timeout_start_sec=900"
)
_LOOK_S: Final = 0.1


class Vm:
    """One machine, off at first.

    Args:
        folder: For what it is made of; empty.

    Attributes:
        folder: As given.
        key: The private key that a user data should let in; its public half is beside it, as ``key.pub``.
        port: Its OpenSSH is there on the loopback address.
        patience: How many times longer than with KVM everything may take.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "key"
        self.patience = 1 if has_kvm() else TCG_PATIENCE
        new_key().write(self.key)
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port: int = found.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self._heard_bytes = 0
        self._monitor = Monitor(folder / "monitor")
        self._agent = Agent(folder / "agent", 60.0 * self.patience)

    def __enter__(self) -> Self:
        """It is off."""
        return self

    def __exit__(self, *error: object) -> None:
        """Switch it off for good."""
        self.stop()

    @property
    def pid(self) -> int:
        """Of its QEMU."""
        assert self._process is not None, "it is off"
        return self._process.pid

    # Power.

    def start(self, user_data: str) -> None:
        """Switch it on, for the first time; returns at once.

        Raises:
            RuntimeError: if QEMU does not start.
        """
        disk = base_disk()
        self._make_seed(user_data)
        (self.folder / "memory").mkdir()
        argv = [
            *_LEASH, "sh", "-c", _START, "sh", str(disk.image),
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine", "q35,hpet=off",
            "-cpu", "max,la57=off", "-accel", "kvm" if has_kvm() else "tcg,thread=multi,tb-size=256", "-smp", "1", "-m", "768",
            "-kernel", str(disk.kernel), "-initrd", str(disk.initrd),
            "-append", _KERNEL,
            "-drive", "file=memory/disk,format=qcow2,if=virtio,cache=unsafe",
            "-drive", "file=seed.iso,format=raw,if=virtio,readonly=on",
            "-drive", "file=memory/data,format=qcow2,if=virtio,cache=unsafe",
            "-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22",
            "-device", "virtio-net-pci,netdev=net,romfile=", "-device", "virtio-rng-pci", "-serial", "file:console",
            "-device", "virtio-serial", "-chardev", "socket,id=agent,path=agent,server=on,wait=off",
            "-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0",
            "-qmp", "unix:monitor,server=on,wait=off",
        ]  # fmt: skip
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True
            )
        if not self.until((self.folder / "monitor").exists):
            raise RuntimeError(f"QEMU does not start: {(self.folder / 'log').read_text(encoding='utf-8')[-2000:]}")

    def stop(self) -> None:
        """Cut its power; nothing of its disk is left."""
        process, self._process = self._process, None
        self._agent.close()
        self._monitor.close()
        if process is not None:
            process.kill()
            process.wait()

    def save(self) -> None:
        """Remember all of it as it is now, its memory included."""
        self._monitor.person(f"savevm {_SNAPSHOT}")

    def reset(self) -> None:
        """Make it again what it was when it was saved; connections to it hang."""
        self._monitor.person(f"loadvm {_SNAPSHOT}")
        self._agent.close()
        self._heard_bytes = (self.folder / "console").stat().st_size

    # Within.

    def exec(self, *argv: str) -> subprocess.CompletedProcess[str]:
        """Run a program in it as root, past its sshd."""
        return self._agent.run(argv)

    def told(self, *argv: str) -> str:
        """What a program in it prints, which must succeed."""
        ended = self.exec(*argv)
        assert ended.returncode == 0, f"{' '.join(argv)} ended with {ended.returncode}: {ended.stdout}{ended.stderr}"
        return ended.stdout.strip()

    def until(self, condition: Callable[[], bool], within_s: float = 60.0) -> bool:
        """Whether the condition comes true within a bound, while the machine is on."""
        clock = SystemClock()
        deadline = clock.monotonic() + within_s * self.patience
        while not condition():
            if clock.monotonic() > deadline or (self._process is not None and self._process.poll() is not None):
                return False
            time.sleep(_LOOK_S)
        return True

    def console(self) -> str:
        """The end of what its kernel and its systemd have said since it was made what it was."""
        return (self.folder / "console").read_bytes()[self._heard_bytes :].decode(errors="replace")[-4000:]

    def _make_seed(self, user_data: str) -> None:
        seed = self.folder / "seed"
        seed.mkdir()
        (seed / "user-data").write_text(user_data, encoding="utf-8")
        (seed / "meta-data").write_text("instance-id: one\nlocal-hostname: vm\n", encoding="utf-8")
        argv = ["genisoimage", "-quiet", "-output", f"{seed}.iso", "-volid", "cidata", "-joliet", "-rock", str(seed)]
        subprocess.run(argv, stdin=subprocess.DEVNULL, check=True, timeout=60)


def has_kvm() -> bool:
    """Whether this machine runs virtual machines by its processor; where it is one itself, /dev/kvm alone does not tell."""
    flags = set(Path("/proc/cpuinfo").read_text(encoding="ascii").split())
    return bool(flags & {"vmx", "svm"}) and os.access("/dev/kvm", os.R_OK | os.W_OK)
