"""A shell that waits on a machine and runs one program after another, so that a machine is entered once for all of them.

It is given on standard input what it runs, because that may hold secrets, and arguments can be read by every user of the
machine. A program is whole or not run at all, as a shell reads a compound command to its end first; a long one is marked at its
end. Each but the last runs in a process of its own, which leaves nothing behind in the shell; what all call is sent once.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from purvey._hosts.frames import Frame, Frames
from purvey._hosts.program import hello

if TYPE_CHECKING:
    from purvey._hosts.program import Program
    from purvey._hosts.shell import Pipes
    from purvey._hosts.step import Machine

INCOMPLETE: Final = 97
"""The return code of a shell that was given half a long program."""

LONG: Final = 65_536
"""From this many characters on, a program is read by its own process, or the waiting shell would hold on to all of it."""


def waiting(mark: str) -> str:
    """What becomes a shell that runs what it reads once it has read a line of `mark`; what comes before, it drops.

    It has no character that csh or fish, as somebody's login shell, would take for something else between single quotes.
    """
    return f'while read -r purvey; do case $purvey in "{mark}") exec /bin/sh ;; esac; done'


class Session:
    """One waiting shell.

    Args:
        pipes: To and from it; it runs what it reads.
        mark: Ends what is long.
        lasts: Whether it runs more than one program.

    Attributes:
        pipes: See above.
        machine: What the machine has said of itself and of us in this shell; None before it has run anything.
        is_free: Whether it waits for the next program.
    """

    def __init__(self, pipes: Pipes, mark: str, *, lasts: bool) -> None:
        self.pipes = pipes
        self.machine: Machine | None = None
        self.is_free = False
        self._mark = mark
        self._lasts = lasts
        self._known: set[str] = set()

    async def run(self, program: Program, nonce: str, *, is_last: bool = False) -> AsyncGenerator[Frame]:
        """The frames of a program, as they come; after the last one `is_free` tells whether the shell waits for the next.

        Args:
            program: What is run.
            nonce: Begins each frame.
            is_last: Whether nothing follows, so that a short one needs no process of its own.

        Raises:
            HostError: ``unavailable`` if the link was lost.
        """
        self.is_free = False
        lines = [*(_text(part) for part in program.parts if part not in self._known), f"N={nonce}"]
        self._known.update(program.parts)
        over = 'printf "\\n%s over\\n" "$N"'  # Where a program has not said by itself that it left.
        calls = [hello(self.machine), *program.calls]
        if sum(map(len, calls)) < LONG:
            begin, end = ("{", "}") if is_last else ("(", ")")
            await self._send([*lines, begin, *calls, f"{end} </dev/null || {over}"])
        else:
            body = "\n".join([*calls, f"#end {self._mark}"]).encode(errors="surrogateescape")
            await self._send(
                [*lines, f"{self._reading(len(body))}; case $? in 0) ;; {INCOMPLETE}) exit {INCOMPLETE} ;; *) {over} ;; esac"]
            )
            if await self._is_ready(nonce):
                await self.pipes.send(body)
        lasts = self._lasts and not is_last
        if not lasts:
            await self.pipes.end()
        async with contextlib.aclosing(self._until_over(nonce, lasts=lasts)) as frames:
            async for frame in frames:
                yield frame

    async def _send(self, lines: Sequence[str]) -> None:
        await self.pipes.send("\n".join([*lines, ""]).encode(errors="surrogateescape"))

    def _reading(self, size: int) -> str:
        """Runs so many bytes that come next; they may be sent once it says so, or the waiting shell would read some of them.

        Nothing may follow them before they have been run, for head(1) may read more than it is asked for.
        """
        whole = f'P=$(head -c {size}); if [ "${{P%"#end {self._mark}"}}" = "$P" ]; then exit {INCOMPLETE}; fi'
        return f'(printf "\\n%s ready\\n" "$N"; {whole}; exec </dev/null && eval "$P")'

    async def _is_ready(self, nonce: str) -> bool:
        frames = Frames(nonce)
        while data := await self.pipes.receive():
            if any(frame.kind == "ready" for frame in frames.feed(data)):
                return True
        return False

    async def _until_over(self, nonce: str, *, lasts: bool) -> AsyncGenerator[Frame]:
        """What is told of one program, until it leaves or the shell sees that it ended otherwise."""
        frames = Frames(nonce)
        while data := await self.pipes.receive():
            for frame in frames.feed(data):
                self.is_free = lasts and frame.kind in ("left", "over")
                if frame.kind != "over":
                    yield frame
                if frame.kind in ("left", "over"):
                    return


@cache
def _text(part: str) -> str:
    text = Path(__file__).with_name(f"{part}.sh").read_text()
    return "\n".join(line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))
