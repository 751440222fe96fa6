"""A shell on this machine: in a root file system that chroot(8) enters, in a network namespace, or as we are.

The commands are processes of ours that are let go of when nobody listens any more, as those of an SSH server are: a shell that
is closed ends none. They get the environment of a login and not ours, which may be secret.

An image's tree has no /proc, /dev and /sys, without which few programs run. They are bound into it in a mount namespace of the
command's own: nobody else sees them, so that nothing has to be taken down, and `rm -r` of the tree cannot reach the machine's
devices through them. A folder that the tree lacks is not made. What a command mounts ends with it, for the same reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from purvey._base.limits import EVIDENCE_BYTES_MAX
from purvey._hosts.route import ChrootRoute, NamespaceRoute, described
from purvey.errors import HostError

if TYPE_CHECKING:
    from purvey._hosts.shell import Pipes

CHUNK_BYTES: Final = 65_536
"""The size of a pipe: more is never there to read."""

PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NETNS_FOLDER: Final = "/run/netns"
"""Where ip-netns(8) keeps its names."""

FROM_ROOT: Final = ("/bin/sh", "-c", 'cd / && exec "$@"', "sh")
"""No command stands in the folder that purvey happens to be run from."""

IN_TREE: Final = (
    "unshare", "--mount", "/bin/sh", "-c",
    'for it in proc dev sys; do ! [ -d "$1/$it" ] || mount --rbind "/$it" "$1/$it" || exit 125; done; exec chroot "$@"',
    "sh",
)  # fmt: skip


class EnteredShell:
    """See `purvey._hosts.shell.Shell`.

    Args:
        route: Where to; None for this machine as it is.
    """

    lasts = False  # What is entered may be made anew under the same name.

    def __init__(self, route: ChrootRoute | NamespaceRoute | None = None) -> None:
        self._route = route

    def is_queued(self, waiting: int) -> bool:
        """See `Shell.is_queued`."""
        del waiting
        return False

    async def start(self, command: str) -> EnteredPipes:
        """See `Shell.start`."""
        return EnteredPipes([*_way(self._route), "/bin/sh", "-c", command])

    async def park(self, pipes: Pipes) -> None:
        """See `Shell.park`."""
        await pipes.close()

    def resume(self, pipes: Pipes) -> bool:
        """See `Shell.resume`."""
        del pipes
        return False

    async def close(self) -> None:
        """See `Shell.close`; there is no way to give up."""


class EnteredPipes:
    """See `purvey._hosts.shell.Pipes` for what each method does.

    Args:
        argv: The program, found in `PATH`, and its arguments.
    """

    def __init__(self, argv: list[str]) -> None:
        self._loop = asyncio.get_running_loop()
        self._complaints = bytearray()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        theirs_in, self._inlet = os.pipe()
        self._outlet, theirs_out = os.pipe()
        self._errors, theirs_errors = os.pipe()
        theirs = (theirs_in, theirs_out, theirs_errors)
        try:
            self._pid = _spawned(argv, theirs)
        except BaseException:
            self._close_ours()
            raise
        finally:
            for end in theirs:
                os.close(end)
        for end in (self._inlet, self._outlet, self._errors):
            os.set_blocking(end, False)
        self._loop.add_reader(self._errors, self._hear)
        self._process = os.pidfd_open(self._pid)
        self._loop.add_reader(self._process, self._reap)

    async def send(self, data: bytes) -> None:
        """See `Pipes.send`; what an ended command did not read is nobody's."""
        rest = memoryview(data)
        while rest and self._inlet >= 0:
            try:
                rest = rest[os.write(self._inlet, rest) :]
            except BlockingIOError:
                await self._ready(self._inlet, self._loop.add_writer, self._loop.remove_writer)
            except BrokenPipeError:
                return

    async def end(self) -> None:
        """See `Pipes.end`."""
        if self._inlet >= 0:
            os.close(self._inlet)
            self._inlet = -1

    async def receive(self) -> bytes:
        """See `Pipes.receive`."""
        while True:
            try:
                return os.read(self._outlet, CHUNK_BYTES)
            except BlockingIOError:
                await self._ready(self._outlet, self._loop.add_reader, self._loop.remove_reader)

    async def wait(self) -> int:
        """See `Pipes.wait`."""
        return await asyncio.shield(self._ended)

    def complaints(self) -> bytes:
        """See `Pipes.complaints`."""
        self._hear()
        return bytes(self._complaints)

    async def close(self) -> None:
        """See `Pipes.close`; its end is still taken notice of, so that no dead process stays."""
        self._hear()
        self._close_ours()

    def _close_ours(self) -> None:
        for end in (self._inlet, self._outlet, self._errors):
            if end >= 0:
                self._loop.remove_reader(end)
                os.close(end)
        self._inlet = self._outlet = self._errors = -1

    async def _ready(self, end: int, watch: Callable[..., None], unwatch: Callable[[int], bool]) -> None:
        ready = asyncio.Event()
        watch(end, ready.set)
        try:
            await ready.wait()
        finally:
            unwatch(end)

    def _hear(self) -> None:
        """Take all that was written to standard error, and keep the last of it."""
        with contextlib.suppress(BlockingIOError):
            while self._errors >= 0:
                said = os.read(self._errors, CHUNK_BYTES)
                self._complaints = (self._complaints + said)[-EVIDENCE_BYTES_MAX:]
                if not said:
                    self._loop.remove_reader(self._errors)
                    os.close(self._errors)
                    self._errors = -1

    def _reap(self) -> None:
        self._loop.remove_reader(self._process)
        os.close(self._process)
        _, status = os.waitpid(self._pid, 0)
        self._ended.set_result(os.waitstatus_to_exitcode(status))


def _way(route: ChrootRoute | NamespaceRoute | None) -> tuple[str, ...]:
    """What comes before the shell on the command line.

    Raises:
        HostError: if there is no such place, or we may not enter it.
    """
    match route:
        case None:
            return FROM_ROOT
        case ChrootRoute(root=root):
            _check(
                route,
                str(Path(root) / "bin/sh"),
                f"Unpack an image there, one with a shell:\n  debootstrap --variant=minbase stable {root}",
            )
            return (*IN_TREE, root)
        case NamespaceRoute(name=name):
            _check(route, f"{NETNS_FOLDER}/{name}", f"Make it:\n  ip netns add {name}")
            return (*FROM_ROOT, "ip", "netns", "exec", name)


def _check(route: ChrootRoute | NamespaceRoute, needed: str, hint: str) -> None:
    if os.geteuid() != 0:
        raise HostError(
            "denied",
            "Only root enters another root file system or network",
            detail=f"We are not root, and are to enter {described(route)}.",
            hint="Run purvey as root, or reach the machine by SSH.",
        )
    if not os.path.lexists(needed):
        raise HostError(
            "not_found", "There is nothing to enter", detail=f"{described(route)} has no {needed}.".capitalize(), hint=hint
        )


def _spawned(argv: list[str], streams: tuple[int, int, int]) -> int:
    """The id of the process that runs it, in a session of its own so that a Ctrl-C here is not for it."""
    actions = [(os.POSIX_SPAWN_DUP2, theirs, number) for number, theirs in enumerate(streams)]
    try:
        return os.posix_spawnp(argv[0], argv, _environment(), file_actions=actions, setsid=True)
    except OSError as error:
        raise HostError(
            "not_found",
            "A program of this machine is missing",
            detail=f"{argv[0]} is needed to enter a root file system or a network namespace: {os.strerror(error.errno or 0)}.",
            hint="Install it:\n  apt install util-linux iproute2",
        ) from error


def _environment() -> dict[str, str]:
    """What a login would give."""
    account = pwd.getpwuid(os.geteuid())
    return {"PATH": PATH, "HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name, "SHELL": "/bin/sh"}
