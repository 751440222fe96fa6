"""The disk from which every virtual machine starts: a Debian with a kernel, systemd and cloud-init, made once and kept.

It is kept where the labs keep their trees, and is only ever read: a machine writes into a layer of its own.
"""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

from purvey.testing.hosts._tree import base_tree, cached

_PACKAGES: Final = (
    "cloud-init", "dbus", "kmod", "linux-image-cloud-amd64", "netplan.io", "qemu-guest-agent", "systemd-sysv",
    "systemd-timesyncd", "tzdata", "udev", "util-linux-extra",
)  # fmt: skip
_SETUP: Final = Path(__file__).with_name("vm_setup.sh")
_FORMAT: Final = ("mke2fs", "-q", "-t", "ext4", "-L", "root")
_SIZE: Final = "3G"
_MAKE_S: Final = 600.0


class Disk(NamedTuple):
    """What a machine is started with: its disk, the tree that is on it, and what a boot loader would have found there."""

    image: Path
    tree: Path
    kernel: Path
    initrd: Path


def base_disk() -> Disk:
    """The disk, which is made if this machine does not have it yet; that takes two minutes, and the network.

    Raises:
        RuntimeError: if it cannot be made.
    """
    tree = base_tree(_PACKAGES, setup=_SETUP)
    recipe = hashlib.sha256("\0".join((tree.name, *_FORMAT, _SIZE)).encode()).hexdigest()[:16]

    def make(draft: Path, lock: int) -> None:
        argv = [*_FORMAT, "-d", str(tree), str(draft), _SIZE]
        ended = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_MAKE_S, check=False, pass_fds=(lock,)
        )
        if ended.returncode != 0:
            raise RuntimeError(f"mke2fs could not make the disk: {ended.stderr[-2000:]}")

    image = cached(f"disk-{recipe}.img", make)
    return Disk(image, tree, tree / "vmlinuz", tree / "initrd.img")
