"""Machines on which cases are replayed: each a view of one tree, entered by its root, that is thrown away afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import re
import shutil
import stat
import subprocess
import threading
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final, Self

import msgspec

from purvey._base.clock import SystemClock
from purvey._hosts.become import Becoming
from purvey._hosts.enter import EnteredShell
from purvey._hosts.route import ChrootRoute
from purvey._hosts.shell import Shell
from purvey._hosts.shell_host import ShellHost
from purvey.testing.hosts._place import Place
from purvey.testing.hosts._tree import base_tree

TOOLS: Final = ("curl", "unzip", "wget", "xz-utils")
"""What the kinds use where it is there, and a host of a lab has not."""

_OWN: Final = "var/lib/purvey/"
_ASIDE: Final = re.compile(
    r"etc/((passwd|group|shadow|gshadow|subuid|subgid)-|\.pwd\.lock)/|etc/init\.d/\.depend\.\w+/|var/log/\w+/"
)
"""What programs leave by the way: the former files of users with their lock, the order of init scripts, and who logged in."""

_FOLDERS: Final = ("bin", "dev", "etc", "proc", "root", "srv", "sys", "tmp", "var/lib")


class Entry(msgspec.Struct, frozen=True):
    """What is at a path of a machine; `mode` with its type."""

    mode: int
    uid: int
    gid: int
    content: bytes = b""


class CaseHost:
    """One machine.

    Args:
        tree: What it has from the beginning.
        folder: Where its own part is.
    """

    def __init__(self, tree: Path, folder: Path) -> None:
        self._tree = tree
        self._upper = folder / "upper"
        self.root = folder / "root"
        self._shell: Shell = EnteredShell(ChrootRoute(root=str(self.root)))
        self.host = ShellHost(self._shell, "the case's machine", SystemClock(), Becoming(), worker="cases", fence=lambda: 1)

    async def prepare(self, lines: Sequence[str]) -> None:
        """Bring it into a state."""
        if not lines:
            return
        pipes = await self._shell.start('set -eu; eval "$(cat)"')
        try:
            await pipes.send("\n".join(lines).encode())
            await pipes.end()
            while await pipes.receive():
                pass
            code = await pipes.wait()
            assert code == 0, f"the state cannot be brought about: {pipes.complaints().decode()}"
        finally:
            await pipes.close()

    def changed(self) -> dict[str, Entry | None]:
        """Everything that is not as in the tree, by its path; what purvey keeps for itself is left out."""
        found: dict[str, Entry | None] = {}
        for folder, folders, files in os.walk(self._upper):
            for name in (*folders, *files):
                path = Path(folder, name)
                relative = str(path.relative_to(self._upper))
                if not f"{relative}/".startswith(_OWN) and not _ASIDE.fullmatch(f"{relative}/"):
                    found[relative] = _entry(path)
        return found

    def differences(self, before: Mapping[str, Entry | None], after: Mapping[str, Entry | None]) -> list[str]:
        """The paths at which two states differ."""
        names = sorted({*before, *after})
        return [name for name in names if self._state(name, before) != self._state(name, after)]

    def _state(self, name: str, known: Mapping[str, Entry | None]) -> Entry | None:
        return known[name] if name in known else _entry(self._tree / name)


def _entry(path: Path) -> Entry | None:
    """What is at a path; None for nothing, which a layer tells by a device without a number."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if stat.S_ISCHR(status.st_mode) and status.st_rdev == 0:
        return None
    content = b""
    if stat.S_ISREG(status.st_mode):
        content = path.read_bytes()
    elif stat.S_ISLNK(status.st_mode):
        content = os.fsencode(path.readlink())
    return Entry(status.st_mode, status.st_uid, status.st_gid, content)


class CaseHosts:
    """Makes machines, for the length of a ``with`` block.

    Args:
        busybox: Whether they have nothing but busybox.
        packages: What they have on top of what every kind may need.
    """

    def __init__(self, *, busybox: bool = False, packages: tuple[str, ...] = ()) -> None:
        self._busybox = busybox
        self._packages = packages
        self._count = 0

    def __enter__(self) -> Self:
        """Make the tree."""
        self._tree = base_tree((*TOOLS, *self._packages))
        self._place = Place()
        if self._busybox:
            self._tree = busybox_tree(self._tree, self._place.folder / "busybox")
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing."""
        self._place.remove()

    @contextlib.asynccontextmanager
    async def machine(self) -> AsyncIterator[CaseHost]:
        """A new machine."""
        self._count += 1
        folder = self._place.folder / str(self._count)
        for part in ("upper", "work", "root"):
            (folder / part).mkdir(parents=True)
        layers = f"lowerdir={self._tree},upperdir={folder}/upper,workdir={folder}/work"
        await _run("mount", "-t", "overlay", "-o", layers, "overlay", str(folder / "root"))
        try:
            yield CaseHost(self._tree, folder)
        finally:
            await _run("umount", "--lazy", str(folder / "root"))


def busybox_tree(tree: Path, folder: Path) -> Path:
    """A tree in `folder` with nothing but the busybox of another tree."""
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True)
    (folder / "tmp").chmod(0o1777)
    shutil.copy2(tree / "usr/bin/busybox", folder / "bin/busybox")
    linked = subprocess.run(
        ["chroot", str(tree), "ldd", "/usr/bin/busybox"], capture_output=True, text=True, check=True, timeout=60.0
    )
    for library in (word for word in linked.stdout.split() if word.startswith("/")):
        (folder / library[1:]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(tree / library[1:], folder / library[1:])
    for name in ("passwd", "group"):
        shutil.copy2(tree / "etc" / name, folder / "etc" / name)
    subprocess.run(["chroot", str(folder), "/bin/busybox", "--install", "-s", "/bin"], check=True, timeout=60.0)
    return folder


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(*argv)
    assert await process.wait() == 0, argv


class _Server(SimpleHTTPRequestHandler):
    """Serves files, some to those who log in, and tells nobody."""

    def do_GET(self) -> None:
        """A file, a way to another place, or a refusal; see `tests.support.cases`."""
        kind, _, rest = self.path.removeprefix("/").partition("/")
        logged_in = self.headers.get("Authorization") == 'Bearer s3cret & "q"'
        if kind == "down":
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        elif kind in ("moved", "away"):
            self.send_response(HTTPStatus.FOUND)
            other = f"http://localhost:{self.connection.getsockname()[1]}/open"
            self.send_header("Location", f"{other if kind == 'away' else ''}/{rest}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif (kind == "secret" and not logged_in) or (kind == "open" and self.headers.get("Authorization")):
            self.send_error(HTTPStatus.FORBIDDEN)
        else:
            self.path = f"/{rest}" if kind in ("secret", "open") else self.path
            super().do_GET()

    def log_message(self, *words: Any) -> None:
        """Nothing."""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of a server of HTTP that serves a folder."""
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Server, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
