"""A shell that waits on a machine and runs one program after another, so that a machine is entered once for all of them.

A program is whole or not run at all: it is read to its end first, and its end is marked. It is given on standard input and kept
in memory, because it may hold secrets, and arguments can be read by every user of the machine. Each runs in a process of its
own, which leaves nothing behind in the shell, and reads it itself if it is long; what all of them call is sent once.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from purvey._hosts.frames import Frame, Frames

if TYPE_CHECKING:
    from purvey._hosts.program import Program
    from purvey._hosts.shell import Pipes

INCOMPLETE: Final = 97
"""The return code of a shell that was given half a program."""

LINE_MAX: Final = 1_000
"""Characters of a program that is sent in one line: a shell reads a line by single bytes, which costs less than a process."""

PARTS_FIRST: Final = 65_536
"""From this many characters on, a program is sent after what it calls, or the waiting shell would hold on to what it read."""


def reader(mark: str) -> str:
    """What ``sh -c`` gets to wait for programs; what comes before the first one, a password nobody asked for, is dropped.

    It has no character that csh or fish, as somebody's login shell, would take for something else between single quotes. The
    variables may have come with the login, and would be given to every command.
    """
    whole = f'P=$(head -c "$C"); if [ "${{P%"#end {mark}"}}" = "$P" ]; then exit {INCOMPLETE}; fi'
    here = f'"+{mark}") {whole}; eval "$P" ;;'
    apart = f'"#{mark}") (case $C in 0) ;; *) {whole} ;; esac; exec </dev/null && eval "$P") ;;'
    after = f'case $? in {INCOMPLETE}) exit {INCOMPLETE} ;; esac; P=; printf "\\n%s over\\n" "$N"'
    return f"unset K C N P; while read -r K C N P; do case $K in {here} {apart} *) continue ;; esac; {after}; done"


class Session:
    """One waiting shell.

    Args:
        pipes: To and from it; it runs what `reader` gives.
        mark: Begins and ends what it is sent.
        lasts: Whether it runs more than one program. One that does not is itself the process of its program.
    """

    def __init__(self, pipes: Pipes, mark: str, *, lasts: bool) -> None:
        self.pipes = pipes
        self.is_new = True
        self.is_free = False
        self._mark = mark
        self._lasts = lasts
        self._known: set[str] = set()

    async def run(self, program: Program, nonce: str) -> AsyncGenerator[Frame]:
        """The frames of a program, as they come; after the last one `is_free` tells whether the shell waits for the next.

        Args:
            program: What is run.
            nonce: Begins each frame.

        Raises:
            HostError: ``unavailable`` if the link was lost.
        """
        self.is_free = False
        parts, calls = [_text(part) for part in program.parts if part not in self._known], program.calls
        self._known.update(program.parts)
        if not self._lasts:
            await self.pipes.send(self._letter("+", [*parts, *calls], nonce))
            await self.pipes.end()
        elif not parts:
            await self.pipes.send(self._calling(calls, nonce))
        elif sum(map(len, calls)) < PARTS_FIRST:
            await self.pipes.send(self._letter("+", [*parts, "(:", *calls, ") </dev/null"], nonce))
        else:
            await self.pipes.send(self._letter("+", parts, nonce))
            async for _ in self._until_over(nonce):
                pass
            if self.is_free:
                self.is_free = False
                await self.pipes.send(self._calling(calls, nonce))
        async with contextlib.aclosing(self._until_over(nonce)) as frames:
            async for frame in frames:
                yield frame

    async def _until_over(self, nonce: str) -> AsyncGenerator[Frame]:
        """What is told of one letter; nothing may follow it before, for head(1) may read more than it is asked for."""
        frames = Frames(nonce)
        while data := await self.pipes.receive():
            for frame in frames.feed(data):
                if frame.kind == "over":
                    self.is_new, self.is_free = False, self._lasts
                    return
                yield frame

    def _calling(self, calls: Sequence[str], nonce: str) -> bytes:
        line = "; ".join(calls)
        if len(line) <= LINE_MAX and "\n" not in line:
            return f"#{self._mark} 0 {nonce} {line}\n".encode(errors="surrogateescape")
        return self._letter("#", calls, nonce)

    def _letter(self, how: str, lines: Sequence[str], nonce: str) -> bytes:
        """What is run by the waiting shell itself (+), or is read and run by a process of its own (#)."""
        body = "\n".join([*lines, f"#end {self._mark}"]).encode(errors="surrogateescape")
        return f"{how}{self._mark} {len(body)} {nonce}\n".encode() + body


@cache
def _text(part: str) -> str:
    text = files("purvey._hosts").joinpath(f"{part}.sh").read_text()
    return "\n".join(line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))
