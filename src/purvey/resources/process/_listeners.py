"""Who listens on a port of this machine: the kernel's own tables, so that nobody else's server is taken for ours."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from typing import Final

_LISTEN: Final = "0A"  # The state TCP_LISTEN of include/net/tcp_states.h.
_TABLES: Final = ("/proc/self/net/tcp", "/proc/self/net/tcp6")
_SOCKET: Final = re.compile(r"socket:\[(\d+)\]")


def listeners(port: int) -> set[int]:
    """The processes that have a listening TCP socket on `port`, whatever its address; only those that we may look into."""
    inodes = {inode for table in _TABLES for inode in _listening(table, port)}
    return {pid for pid in _pids() if inodes & _sockets(pid)} if inodes else set()


def belongs_to(pid: int, service: int) -> bool:
    """Whether the process `pid` is `service` (0 for none), in its session, or below it in the tree of processes."""
    seen: set[int] = set()
    while service and pid > 1 and pid not in seen:
        if pid == service:
            return True
        seen.add(pid)
        parent, session = _family(pid)
        if session == service:
            return True
        pid = parent
    return False


def is_kept(pid: int) -> bool:
    """Whether the process was started by a keeper, be it this run's or another one's."""
    try:
        return any(part.startswith(b"PURVEY_INSTANCE=") for part in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"))
    except OSError:
        return False


def name_of(pid: int) -> str:
    """What the kernel calls the process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _listening(table: str, port: int) -> list[str]:
    try:
        lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
    except OSError:  # A kernel without IPv6.
        return []
    found: list[str] = []
    for line in lines:
        fields = line.split()
        if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
            found.append(fields[9])
    return found


def _pids() -> list[int]:
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208 - a thousand paths to read one name each.


def _sockets(pid: int) -> set[str]:
    """The inodes of a process's open sockets; none if it has ended, or is another user's."""
    found: set[str] = set()
    with suppress(OSError), os.scandir(f"/proc/{pid}/fd") as entries:
        for entry in entries:
            with suppress(OSError):  # This one was closed meanwhile.
                match = _SOCKET.fullmatch(os.readlink(entry.path))  # noqa: PTH115 - the target is no path.
                if match:
                    found.add(match[1])
    return found


def _family(pid: int) -> tuple[int, int]:
    """Parent and session of a process; (0, 0) if it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return 0, 0
    return int(fields[1]), int(fields[3])
