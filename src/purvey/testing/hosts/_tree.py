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
    "adduser", "busybox", "ca-certificates", "cron", "iproute2", "nftables", "opendoas", "openssh-server", "passwd", "procps",
    "sudo",
)  # fmt: skip
"""No Python, so that nothing can rely on one."""

_SETUP: Final = Path(__file__).with_name("setup.sh")
_MAKE_S: Final = 1200.0
_APT: Final = Path("/etc/apt")


def base_tree(more: tuple[str, ...] = (), offered: tuple[str, ...] = (), *, setup: Path = _SETUP) -> Path:
    """The folder of the tree, which is made if this machine does not have it yet; that takes a minute, and the network.

    Args:
        more: Packages that it has on top of a host's own.
        offered: Packages that it does not have, but could install; see `offers`.
        setup: A script for sh that makes a server of it.

    Raises:
        RuntimeError: if it cannot be made.
    """
    packages = (*_PACKAGES, *more)
    told = "\0".join((_SUITE, *packages, setup.read_text(encoding="utf-8"), *(f"offers {name}" for name in offered)))
    name = f"{_SUITE}-{hashlib.sha256(told.encode()).hexdigest()[:16]}"

    def make(draft: Path, lock: int) -> None:
        """Make the tree, and beside it the packages that it could install."""
        folder = _offers_of(draft.with_name(name))
        shutil.rmtree(folder, ignore_errors=True)
        _make(draft, packages, setup, lock, _fetching(folder, offered))

    return cached(name, make)


def offers(tree: Path) -> list[Path]:
    """The packages that hosts of the tree could install, with all that those need and it does not have."""
    return sorted(_offers_of(tree).glob("*.deb"))


def _offers_of(tree: Path) -> Path:
    return tree.with_name(f"{tree.name}.offers")


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


def _make(draft: Path, packages: tuple[str, ...], setup: Path, lock: int, fetching: list[str]) -> None:
    argv = [
        "mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", f"--include={','.join(packages)}",
        *(f"--aptopt={option}" for option in _options()), *fetching,
        f'--customize-hook=chroot "$1" sh <{shlex.quote(str(setup))}',
        _SUITE, str(draft), *_sources(),
    ]  # fmt: skip
    ended = subprocess.run(
        argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_MAKE_S, check=False, pass_fds=(lock,)
    )
    if ended.returncode != 0:
        raise RuntimeError(f"mmdebstrap could not make the hosts' file system:\n{ended.stderr[-2000:]}")


def _fetching(folder: Path, offered: tuple[str, ...]) -> list[str]:
    """How mmdebstrap puts packages into a folder while the tree's own apt still reaches their servers."""
    if not offered:
        return []
    at = shlex.quote(str(folder))
    fetch = f"apt-get --yes --quiet --download-only -o Dir::Cache::archives={at} install {shlex.join(offered)}"
    return [f'--customize-hook=mkdir -p {at}/partial && APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" {fetch}']


def _sources() -> list[str]:
    """Where this machine has packages of the suite from; nothing, for the distribution's own servers."""
    files = [_APT / "sources.list", *sorted((_APT / "sources.list.d").glob("*"))]
    known = [file for file in files if file.suffix in {".list", ".sources"} and file.exists()]
    return [str(file) for file in known if _SUITE in file.read_text(encoding="utf-8")]


def _options() -> Iterator[str]:
    """How this machine gets packages: its proxy, its certificates."""
    told = command("apt-config", "dump")
    return (line for line in told.splitlines() if line.startswith(("Acquire::http", "Acquire::Check-")))
