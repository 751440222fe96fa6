"""What the cases need to see of this machine without asking purvey: processes, ports, and how both come to their end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WITHIN_S = 20.0


def processes(*marks: str) -> list[int]:
    """Living processes whose command line holds all of `marks`, oldest first."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with suppress(OSError):
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and all(mark in line for mark in marks):
                    found.append(int(entry.name))
    return sorted(found)


def parent(pid: int) -> int:
    """Who started a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def eventually(passes: Callable[[], bool]) -> None:
    """Return as soon as `passes` does."""
    deadline = time.monotonic() + WITHIN_S
    while not passes():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.01)


def end(pid: int, number: signal.Signals = signal.SIGKILL) -> None:
    """End a process, and wait until it is gone."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    eventually(lambda: pid not in processes())


def end_with_keeper(pid: int) -> None:
    """End a kept process as a power cut would: its keeper first."""
    end(parent(pid))
    end(pid)


def free_port(folder: Path) -> int:
    """A port on which nobody listened when it was first asked for; the same for everybody who asks in that folder."""
    path = folder / "port"
    if not path.exists():
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            path.write_text(str(probe.getsockname()[1]))
    return int(path.read_text())


@contextmanager
def illegible(path: Path) -> Iterator[None]:
    """For a while a file cannot be read by anybody, root included: a folder has its name."""
    aside = path.with_name(f"{path.name}-aside")
    path.rename(aside)
    path.mkdir()
    try:
        yield
    finally:
        path.rmdir()
        aside.rename(path)


@contextmanager
def moved_away(path: Path) -> Iterator[None]:
    """For a while something is not where it belongs."""
    aside = path.with_name(f"{path.name}-aside")
    path.rename(aside)
    try:
        yield
    finally:
        aside.rename(path)


def clear(folder: Path) -> None:
    """Remove a folder with all that is in it."""
    shutil.rmtree(folder)
