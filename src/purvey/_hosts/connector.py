"""The port to a machine: what every connector can do there, be it this machine or one behind SSH.

The set is small, and each operation can be batched: none depends on an open file or on the answer to another. Every change
of a file is atomic for those who read it and durable when it returns. All changes may be repeated, as recovery does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias

import msgspec

from purvey._hosts.command import Command, Completed
from purvey._hosts.fact import Answer, Answers, Fact, FileStat, Unanswered
from purvey._hosts.step import Ending, Machine, Step

Told: TypeAlias = Callable[[int, Ending | None], None]
"""Is told of each step, by its number, that begins to take a while (None), and of each that ends."""


class User(msgspec.Struct, frozen=True):
    """A user of the machine."""

    name: str
    uid: int
    gid: int
    home: str


class Connector(Protocol):
    """One machine. Paths are absolute; every method raises `HostError`, whose codes are those of a provider.

    Attributes:
        known: What it answered last, with what was done since taken into account; what that left open is not in it.
    """

    known: dict[Fact, Answer | Unanswered]

    async def machine(self) -> Machine:
        """What it says of itself and of us."""

    async def renew(self) -> None:
        """Give up the connection; what follows goes over a new one, and so proves that one can still be made."""

    async def identity(self) -> str:
        """What names this machine and no other; the same after it was restarted or renamed."""

    async def ask(self, facts: Sequence[Fact]) -> Answers:
        """What the machine answers, all in one go.

        Raises:
            HostError: if the machine cannot be asked at all; a single question without an answer raises when that is looked up.
        """

    async def perform(self, steps: Sequence[Step], *, fresh: bool = False, told: Told = lambda *_: None) -> list[Ending]:
        """Perform steps one after the other, all in one go, until one does not go through.

        Args:
            steps: The steps.
            fresh: Whether everything that was done before is settled, so that the machine may forget it.
            told: See `Told`.

        Returns:
            How each ended.

        Raises:
            HostError: ``unavailable`` if the machine is out of reach; with `may_exist`, steps may still be at work there.
            HostError: ``conflict`` if somebody else works there by now.
        """

    async def halt(self) -> None:
        """Let no further step of what is performed begin, and return when none is at work.

        `perform` then tells the rest as not reached, or raises ``conflict``; where the link is lost, it seeks no other.
        """

    async def begun(self) -> frozenset[str] | None:
        """The tokens of the steps that were begun, as far as they are remembered; None where not all of them are.

        No other is begun any more of what an earlier call of `perform` was given; one of them may still be at work.
        """

    async def remembers(self, token: str) -> bool:
        """Whether a step was begun that must not be done twice, or whose end would be told again; it may still be at work.

        As after `begun`, no other is begun any more of what an earlier call of `perform` was given.
        """

    def spend(self, tokens: Sequence[str]) -> None:
        """Take what steps printed, and what they told, for written down: the machine need keep it no longer."""

    async def tidy(self) -> None:
        """Leave nothing there of what is spent; otherwise it goes with whatever is asked or done next."""

    async def is_root(self) -> bool:
        """Whether we may become other users."""

    async def user(self, name: str) -> User | None:
        """The user of that name; None if there is none."""

    async def run(self, command: Command) -> Completed:
        """What the command left. A code other than zero is a result, not an error (see `check`).

        The command does not outlive us: if we are killed, it is. What it leaves in the background stays, but is not
        waited for, and cannot write to the command's outputs any more.

        Raises:
            HostError: if it could not be run: no such program, folder or user, or no permission.
        """

    async def stat(self, path: str) -> FileStat | None:
        """What is at `path`; None if there is certainly nothing."""

    async def read(self, path: str) -> bytes:
        """The content of a file."""

    async def digest(self, path: str) -> str:
        """SHA-256 of the content of a file, in hexadecimal digits."""

    async def write(
        self,
        path: str,
        data: bytes,
        *,
        mode: int,
        owner: str | None = None,
        group: str | None = None,
        validate: Command | None = None,
    ) -> None:
        """Put a file there, at once and whole, in place of a file or link; the old one stays if anything fails.

        Args:
            path: The file; its folder exists.
            data: The content; readable by nobody else before it has its owner and mode.
            mode: Permission bits.
            owner: Name of the owner; None for us.
            group: Name of the group; None for the one that the folder gives.
            validate: A command that must accept the new file, ``{path}`` in its arguments, before it replaces the old.

        Raises:
            HostError: ``invalid`` with the command's own words, if it does not accept the file.
        """

    async def make_directory(self, path: str, *, mode: int, owner: str | None = None, group: str | None = None) -> None:
        """Make a directory in an existing one; one that is there gets these attributes."""

    async def link(self, path: str, target: str) -> None:
        """Put a symbolic link to `target` there, at once, in place of a file or link."""

    async def remove(self, path: str) -> None:
        """Remove a file, a link or an empty directory; nothing if there is nothing."""

    async def set_attributes(
        self, path: str, *, mode: int | None = None, owner: str | None = None, group: str | None = None
    ) -> None:
        """Change what is given; a link changes itself, and has no mode."""

    async def port_free(self, port: int, *, host: str = "127.0.0.1") -> bool:
        """Whether a TCP server could listen on that port (1 to 65535) of that address of the machine."""
