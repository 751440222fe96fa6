"""The file system from which every host starts: a small Debian, made once on each machine and kept in the cache folder.

A folder there is named for its recipe and appears whole or not at all, so that any number of test processes may ask for it.
It is only ever read: hosts write into layers of their own.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from purvey.testing.hosts._network import command

_SUITE: Final = "bookworm"
_PACKAGES: Final = (
    "adduser", "busybox", "ca-certificates", "cron", "iproute2", "nftables", "openssh-server", "passwd", "procps", "sudo",
)  # fmt: skip
"""No Python, so that nothing can rely on one."""

_SETUP: Final = Path(__file__).with_name("setup.sh")
_MAKE_S: Final = 1200.0
_APT: Final = Path("/etc/apt")


def base_tree(more: tuple[str, ...] = (), *, setup: Path = _SETUP) -> Path:
    """The folder of the tree, which is made if this machine does not have it yet; that takes a minute, and the network.

    Args:
        more: Packages that it has on top of a host's own.
        setup: A script for sh that makes a server of it.

    Raises:
        RuntimeError: if it cannot be made.
    """
    packages = (*_PACKAGES, *more)
    told = "\0".join((_SUITE, *packages, setup.read_text(encoding="utf-8")))
    name = f"{_SUITE}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"
    return cached(name, lambda draft, lock: _make(draft, packages, setup, lock))


def cached(name: str, make: Callable[[Path, int], None]) -> Path:
    """What has a name in the cache folder; it is made if this machine does not have it yet.

    Args:
        name: Its name, another one for another recipe.
        make: Makes it at the path that it is given, where nothing is yet. A program that it starts for this inherits the
            descriptor that it is given, so that whoever asks next waits for the program, even when this process is gone.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "purvey" / "hosts"
    path, draft = folder / name, folder / f"{name}.draft"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.lock").open("w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            shutil.rmtree(draft, ignore_errors=True)
            draft.unlink(missing_ok=True)
            make(draft, lock.fileno())
            draft.rename(path)
    return path


def _make(draft: Path, packages: tuple[str, ...], setup: Path, lock: int) -> None:
    argv = [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}",
        *(f"--aptopt={option}" for option in _options()), f'--customize-hook=chroot "$1" sh <{shlex.quote(str(setup))}',
        _SUITE, str(draft), *_sources(),
    ]  # fmt: skip
    ended = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_MAKE_S, check=False, pass_fds=(lock,)
    )
    if ended.returncode != 0:
        raise RuntimeError(f"mmdebstrap could not make the hosts' file system:\n{ended.stderr[-2000:]}")


def _sources() -> list[str]:
    """Where this machine has packages of the suite from; nothing, for the distribution's own servers."""
    files = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    known = [file for file in files if file.suffix in {".list", ".sources"} and file.exists()]
    return [str(file) for file in known if _SUITE in file.read_text(encoding="utf-8")]


def _options() -> Iterator[str]:
    """How this machine gets packages: its proxy, its certificates."""
    told = command("apt-config", "dump")
    return (line for line in told.splitlines() if line.startswith(("Acquire::http", "Acquire::Check-")))
