"""Network namespaces by name, as ip-netns(8) has them: commands in them, processes of them, and this thread in one."""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

NAMESPACES: Final = Path("/run/netns")

_OWN: Final = Path("/proc/thread-self/ns/net")
_CLONE_NEWNET: Final = 0x40000000
_COMMAND_S: Final = 60.0
_END_MS: Final = 10_000


def run(argv: Sequence[str], options: Mapping[str, Any]) -> subprocess.CompletedProcess[str]:
    """Run a program with `options` for `subprocess.run`; unless they say otherwise, bounded, without input, its text kept."""
    given = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": _COMMAND_S, "check": False}
    if "input" not in options:
        given["stdin"] = subprocess.DEVNULL
    return subprocess.run(argv, **{**given, **options})  # noqa: PLW1510 - it is in `given`.


def command(*argv: str, input: str = "") -> str:
    """Run a program of this machine; returns what it said.

    Raises:
        RuntimeError: with its error, if it fails.
    """
    ended = run(argv, {"input": input})
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)} ended with {ended.returncode}: {ended.stderr.strip()}")
    return ended.stdout


@contextlib.contextmanager
def inside(namespace: str) -> Iterator[None]:
    """Put this thread into a network namespace, with the sockets that it makes and the processes and threads that it starts."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(descriptor: int) -> None:
        if libc.setns(descriptor, _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), namespace)

    with contextlib.ExitStack() as stack:
        home, away = (stack.enter_context(path.open("rb")) for path in (_OWN, NAMESPACES / namespace))
        enter(away.fileno())
        stack.callback(enter, home.fileno())
        yield


def names(lab: str) -> list[str]:
    """The namespaces of a lab, its hosts' first."""
    return sorted((path.name for path in NAMESPACES.glob(f"{lab}*")), reverse=True)


def remove(namespace: str) -> None:
    """End every process in a namespace but this one, then remove it."""
    for pid in command("ip", "netns", "pids", namespace).split():
        if int(pid) != os.getpid():
            end(int(pid))
    command("ip", "netns", "delete", namespace)


def end(pid: int) -> None:
    """Kill a process, and wait until it is dead; one that is dead already is not an error.

    Raises:
        RuntimeError: if it survives.
    """
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            await_end(descriptor)
        finally:
            os.close(descriptor)


def await_end(descriptor: int) -> None:
    """Return when the process of a pidfd is dead.

    Raises:
        RuntimeError: if it is not in time.
    """
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(_END_MS):
        raise RuntimeError("A process of the lab does not die.")
