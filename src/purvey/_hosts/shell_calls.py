"""What a connector does one thing at a time, on a machine behind a shell: each a question or a step of its own."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from typing import Final

from purvey._base.clock import Clock
from purvey._hosts import ports
from purvey._hosts.change import Change, MakeDirectory, MakeLink, Remove, Run, SetAttributes, Write
from purvey._hosts.command import TIMED_OUT, Command, Completed
from purvey._hosts.connector import Told, User
from purvey._hosts.fact import Answers, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf
from purvey._hosts.failures import not_run
from purvey._hosts.identity import identity_of
from purvey._hosts.step import Broken, Ended, Ending, Machine, Step
from purvey.errors import Code, HostError

_ANY_CODE: Final = (*range(256), TIMED_OUT)
_PASSWD_FIELDS: Final = 7


class ShellCalls:
    """The single calls of a `ShellHost`; see `purvey._hosts.connector.Connector` for what each does."""

    name: str
    _clock: Clock

    async def machine(self) -> Machine:
        """See `ShellHost.machine`."""
        raise NotImplementedError

    async def ask(self, facts: Sequence[Fact]) -> Answers:
        """See `Connector.ask`."""
        raise NotImplementedError

    async def perform(self, steps: Sequence[Step], *, fresh: bool = False, told: Told = lambda *_: None) -> list[Ending]:
        """See `Connector.perform`."""
        raise NotImplementedError

    def spend(self, tokens: Sequence[str]) -> None:
        """See `Connector.spend`."""
        raise NotImplementedError

    async def identity(self) -> str:
        """See `Connector.identity`."""
        if machine_id := (await self.machine()).machine_id.strip():
            return identity_of(machine_id.encode(errors="surrogateescape"))
        fact = Ask(("uname", "-n"))
        return identity_of((await self.ask([fact]))[fact].stdout)

    async def is_root(self) -> bool:
        """See `Connector.is_root`."""
        return (await self.machine()).uid == 0

    async def user(self, name: str) -> User | None:
        """See `Connector.user`; a machine without getent(1) has all its users in one file."""
        entry, table = Ask(("getent", "passwd", "--", name)), ContentOf("/etc/passwd")
        answers = await self.ask([entry, table])
        for text in (answers[entry].stdout, answers[table] or b""):
            for line in text.decode(errors="surrogateescape").splitlines():
                fields = line.split(":")
                if fields[0] == name and len(fields) == _PASSWD_FIELDS:
                    return User(name, int(fields[2]), int(fields[3]), fields[5])
        return None

    async def run(self, command: Command) -> Completed:
        """See `Connector.run`. It is a step, so that it outlives a lost link, and only the end of what it prints is told."""
        ended = await self._do(Run(command, codes=_ANY_CODE, repeats=False, touches=None, in_english=False))
        said = Completed(ended.returncode, ended.out, ended.err)
        if (error := not_run(command, said, self.name)) is not None:
            raise error
        return said

    async def stat(self, path: str) -> FileStat | None:
        """See `Connector.stat`."""
        return (await self.ask([fact := StatOf(path)]))[fact]

    async def read(self, path: str) -> bytes:
        """See `Connector.read`."""
        answers = await self.ask([fact := ContentOf(path)])
        if (found := answers[fact]) is None:
            answers = await self.ask([fact := ContentOf(await self._aim(path))])
            found = answers[fact]
        if found is None:
            raise _unread(path, "not_found", errno.ENOENT)
        return found

    async def digest(self, path: str) -> str:
        """See `Connector.digest`."""
        answers = await self.ask([fact := DigestOf(path)])
        if (found := answers[fact]) is None:
            answers = await self.ask([fact := DigestOf(await self._aim(path))])
            found = answers[fact]
        if found is None:
            raise _unread(path, "not_found", errno.ENOENT)
        return found

    async def write(
        self, path: str, data: bytes, *, mode: int, owner: str | None = None, group: str | None = None,
        validate: Command | None = None,
    ) -> None:  # fmt: skip
        """See `Connector.write`."""
        await self._do(Write(path, data, mode, owner, group, validate))

    async def make_directory(self, path: str, *, mode: int, owner: str | None = None, group: str | None = None) -> None:
        """See `Connector.make_directory`."""
        await self._do(MakeDirectory(path, mode, owner, group))

    async def link(self, path: str, target: str) -> None:
        """See `Connector.link`."""
        await self._do(MakeLink(path, target))

    async def remove(self, path: str) -> None:
        """See `Connector.remove`."""
        await self._do(Remove(path))

    async def set_attributes(
        self, path: str, *, mode: int | None = None, owner: str | None = None, group: str | None = None
    ) -> None:
        """See `Connector.set_attributes`."""
        await self._do(SetAttributes(path, mode, owner, group))

    async def port_free(self, port: int, *, host: str = "127.0.0.1") -> bool:
        """See `Connector.port_free`."""
        answers = await self.ask(ports.FACTS)
        return ports.is_free(port, host, answers, root=await self.is_root())

    async def _do(self, change: Change) -> Ended:
        """Perform one change, under a token that nobody has had.

        Raises:
            HostError: why it could not be.
        """
        step = Step(self._clock.entropy(16).hex(), 1, (change,))
        (ending,) = await self.perform([step])
        if isinstance(ending, Broken) or (isinstance(ending, Ended) and ending.out + ending.err):
            self.spend([step.token])  # Nobody else can ask for it.
        if isinstance(ending, Broken):
            raise ending.error
        if isinstance(ending, Ended):
            return ending
        raise HostError(
            "failed",
            "A command was interrupted, and must not be run twice",
            detail=f"It was begun on {self.name}, and its end is not recorded there: one of the two was killed.",
            may_exist=True,
        )

    async def _aim(self, path: str) -> str:
        """The file that a link leads to.

        Raises:
            HostError: ``not_found`` or ``conflict`` if it leads to none.
        """
        status, aim = StatOf(path), Ask(("readlink", "-f", "--", path))
        answers = await self.ask([status, aim])
        found = answers[status]
        if found is None or answers[aim].returncode != 0:
            raise _unread(path, "not_found", errno.ENOENT)
        if found.kind == "directory":
            raise _unread(path, "conflict", errno.EISDIR)
        return answers[aim].stdout.removesuffix(b"\n").decode(errors="surrogateescape")


def _unread(path: str, code: Code, number: int) -> HostError:
    return HostError(
        code, "A file or folder could not be read", detail=f"{path} could not be read: {os.strerror(number)}.",
        hint="Declare what it is, and let this come after it.",
    )  # fmt: skip
