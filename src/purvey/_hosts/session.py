"""A shell that waits on a machine and runs one program after another, so that a machine is entered once for all of them.

A program is whole or not run at all: it is read to its end first, and its end is marked. It is given on standard input and kept
in memory, because it may hold secrets, and arguments can be read by every user of the machine. Each runs in a process of its
own, which leaves nothing behind in the shell; what all of them call is sent once.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
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


def reader(mark: str) -> str:
    """What ``sh -c`` gets to wait for programs; what comes before the first one, a password nobody asked for, is dropped.

    It has no character that csh or fish, as somebody's login shell, would take for something else between single quotes. The
    variables may have come with the login, and would be given to every command.
    """
    longer = f'P=$(head -c "$C"); if [ "${{P%"#end {mark}"}}" = "$P" ]; then exit {INCOMPLETE}; fi'
    each = f'case $C in 0) ;; *) {longer} ;; esac; eval "$P"; printf "\\n%s over %s\\n" "$N" "$?"'
    return f'unset P N; while read -r K C N P; do if [ "$K" = "#{mark}" ]; then {each}; fi; done'


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
        new = [part for part in program.parts if part not in self._known]
        self._known.update(new)
        await self.pipes.send(self._letter([*map(_text, new), *self._alone(program.calls)], nonce))
        if not self._lasts:
            await self.pipes.end()
        frames = Frames(nonce)
        while data := await self.pipes.receive():
            for frame in frames.feed(data):
                if frame.kind == "over":
                    self.is_new, self.is_free = False, True
                    return
                yield frame

    def _alone(self, calls: Sequence[str]) -> Iterable[str]:
        """The calls in a process of their own, where more are to come."""
        return ("(:", *calls, ") </dev/null") if self._lasts else calls

    def _letter(self, lines: Sequence[str], nonce: str) -> bytes:
        line = "; ".join(lines)
        if len(line) <= LINE_MAX and "\n" not in line:
            return f"#{self._mark} 0 {nonce} {line}\n".encode(errors="surrogateescape")
        body = "\n".join([*lines, f"#end {self._mark}"]).encode(errors="surrogateescape")
        return f"#{self._mark} {len(body)} {nonce}\n".encode() + body


@cache
def _text(part: str) -> str:
    text = files("purvey._hosts").joinpath(f"{part}.sh").read_text()
    return "\n".join(line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))
