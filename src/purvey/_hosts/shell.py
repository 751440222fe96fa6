"""The port to whatever runs a POSIX shell on a machine: OpenSSH, a chroot, a network namespace.

What is said over it is not known here. One `Shell` is one way to one machine; each `Pipes` is one command on it, and many
may be open at once.
"""

from __future__ import annotations

from typing import Protocol


class Pipes(Protocol):
    """One running command: what it reads and what it writes. Each method raises `HostError` ``unavailable`` on a lost link."""

    async def send(self, data: bytes) -> None:
        """Give the command something to read; returns when there is room for more."""

    async def end(self) -> None:
        """Give it nothing more to read."""

    async def receive(self) -> bytes:
        """What the command has written since, at most 64 KiB at a time; empty when it has ended and all is read."""

    async def wait(self) -> int:
        """Its return code, once it has ended; negative: the signal that ended it."""

    def complaints(self) -> bytes:
        """What it has written to standard error so far, the last `EVIDENCE_BYTES_MAX` of it."""

    async def close(self) -> None:
        """Let go of the command; it may go on."""


class Shell(Protocol):
    """One way to run commands on one machine.

    Attributes:
        lasts: Whether a command that waits for more to do still stands where a new one would.
    """

    lasts: bool

    def is_queued(self, waiting: int) -> bool:
        """Whether the machine has not been asked yet for anything that `waiting` of us wait for, because others come first."""

    async def start(self, command: str) -> Pipes:
        """Run a command line through the machine's POSIX shell.

        Args:
            command: What ``sh -c`` gets. Never a secret: every user of the machine can read it.

        Raises:
            HostError: ``unavailable`` if the machine cannot be reached now, ``denied`` if it lets us in no more or is not the
                one that it should be.
        """

    async def park(self, pipes: Pipes) -> None:
        """Hold on to a command that waits for more to do; it is let go of where its place is needed."""

    def resume(self, pipes: Pipes) -> bool:
        """Have a command do more that was parked; false if it is no longer there."""

    async def close(self) -> None:
        """Give up the way; commands that run are let go of."""
