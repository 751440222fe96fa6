"""Taking on another user's rights on a machine: by which program, and what is said to it until it lets us in.

A password is written to the program's standard input when the program asks for it, and never before; it is no argument, and no
program of ours follows it until the shell behind has said that we are in. So a wrong password is one try and no more: nothing
else that we send can be taken for another one, and none is made for the rest of the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
from typing import TYPE_CHECKING, Final

import msgspec

from purvey._base.value import Secret
from purvey._hosts import become_refusals as refusals
from purvey._hosts.route import Become
from purvey._hosts.session import waiting
from purvey.errors import HostError

if TYPE_CHECKING:
    from purvey._hosts.shell import Pipes, Shell

ANSWER_S: Final = 60.0
"""Seconds that a program has to ask or to let us in: directories of users that do not answer are given up within 30."""

_IN_ENGLISH: Final = 'A=${LC_ALL-}; export LC_ALL=C; exec "$@" "$A"'
"""What is said is read by us; the language of the login goes along as the last argument."""

_IN_THEIRS: Final = 'if [ -n "$0" ]; then export LC_ALL="$0"; else unset LC_ALL; fi; '
"""The shell behind, which has the language as its name."""


_SAID_INSIDE: Final = 'M={}; echo "purvey $M is in"; exec 2>/dev/null; '
"""What it says first. The words are not there as they are said, for a refusal may quote the command that was refused."""


class Becoming(msgspec.Struct, frozen=True):
    """How we come to the rights that we work with; without a program we work as whom we log in.

    Args:
        by: The program.
        user: Whose rights.
        password: What the program may ask for; doas asks on a terminal only, so that it is of no use there.
    """

    by: Become = ""
    user: str = "root"
    password: Secret | None = None

    @property
    def may_ask(self) -> bool:
        """Whether the program may ask for a password: su cannot be told not to."""
        return self.by == "su" or (self.by == "sudo" and self.password is not None)

    def command(self, mark: str) -> str:
        """The command line that waits for programs; any login shell reads it the same way."""
        if not self.by:
            return "exec /bin/sh"
        # What the programs say comes in one stream, until the shell behind has said that we are in.
        told, waits = (" 2>&1", _SAID_INSIDE.format(mark) + waiting(mark)) if self.may_ask else ("", "exec /bin/sh")
        words = ("sh", *self._words(mark, _IN_THEIRS + waits))
        return f"exec /bin/sh -c {shlex.quote(_IN_ENGLISH + told)} {shlex.join(words)}"

    def _words(self, mark: str, line: str) -> tuple[str, ...]:
        shell = ("/bin/sh", "-c", line)
        match self.by:
            case "su":
                return ("su", "-s", *shell, "--", self.user)
            case "doas":
                return ("doas", "-n", "-u", self.user, "--", *shell)
            case _:  # -k: nobody who has our login can go on with what we were let in for, and each time is like the first.
                asks = ("-S", "-k", "-p", _sign(mark)) if self.password is not None else ("-n",)
                return ("sudo", *asks, "-H", "-u", self.user, "--", *shell)

    def questions(self, said: str, mark: str) -> list[str]:
        """What was said before, between and after the times that we were asked for the password."""
        return re.split(r"password: ?", said, flags=re.IGNORECASE) if self.by == "su" else said.split(_sign(mark))


class Door:
    """The way to another user's rights on one machine.

    Args:
        becoming: How they are taken on.
        name: What people call the machine.
    """

    def __init__(self, becoming: Becoming, name: str) -> None:
        self._becoming = becoming
        self._name = name
        self._first = asyncio.Lock()
        self._is_known = False
        self._refused: tuple[list[str], int | None] | None = None

    async def open(self, shell: Shell, mark: str) -> Pipes:
        """Start what waits for a program, with the rights that we are to have. Nobody follows before the first one is in.

        Raises:
            HostError: ``unavailable`` as `Shell.start`; ``denied`` or ``not_found`` if we were refused, now or before.
        """
        if not self._becoming.may_ask:
            return await shell.start(self._becoming.command(mark))
        async with contextlib.nullcontext() if self._is_known else self._first:
            if self._refused is not None:
                raise self._refusal(*self._refused)
            pipes = await shell.start(self._becoming.command(mark))
            try:
                await self._enter(pipes, mark)
            except BaseException:
                await pipes.close()
                raise
            self._is_known = True
            return pipes

    async def _enter(self, pipes: Pipes, mark: str) -> None:
        """Answer what we are asked, once, until we are in."""
        password, said, is_given, code = self._becoming.password, "", False, None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                while data := await pipes.receive():
                    said += data.decode(errors="replace")
                    if _inside(mark) in said:
                        await pipes.send(f"{mark}\n".encode())  # What we said and nobody heard is dropped until then.
                        return
                    asked = len(self._becoming.questions(said, mark)) - 1
                    if asked > is_given and (is_given or password is None):
                        break
                    if asked and password is not None and not is_given:
                        is_given = True
                        await pipes.send(f"{password.reveal()}\n".encode())
                else:
                    code = await pipes.wait()
        self._refused = (self._becoming.questions(said, mark), code)
        raise self._refusal(*self._refused)

    def _refusal(self, said: list[str], code: int | None) -> HostError:
        by, user, name = self._becoming.by, self._becoming.user, self._name
        if len(said) == 1:
            return refusals.refused(by, user, name, said[0], code)
        if self._becoming.password is None:
            return refusals.wanted(by, user, name)
        if len(said) > 2:  # noqa: PLR2004 - before the first question, after it, after the second.
            return refusals.wrong_password(by, user, name)
        return refusals.after_password(by, user, name, said[1], code)

    def refusal(self, said: str, code: int | None) -> HostError:
        """What it means that a program did not begin.

        Args:
            said: What we were told instead.
            code: The return code; None if it has not ended.
        """
        if not self._becoming.by:
            return refusals.no_shell(self._name, said, code)
        return refusals.refused(self._becoming.by, self._becoming.user, self._name, said, code)


def _sign(mark: str) -> str:
    """What sudo asks with: nothing else that it says is like it."""
    return f"(purvey {mark}) "


def _inside(mark: str) -> str:
    """What `_SAID_INSIDE` says."""
    return f"purvey {mark} is in"
