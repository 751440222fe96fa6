"""Taking on another user's rights on a machine: by which program, and how it gets its password.

A password goes to the program's standard input, never into its arguments. Whether it asks is up to the machine: a program that
lets us through unasked leaves the password to the shell, which drops what comes before its program (see `program.reader`).
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import msgspec

from purvey._base.value import Secret
from purvey._hosts.program import reader
from purvey._hosts.route import Become
from purvey.errors import HostError

if TYPE_CHECKING:
    from purvey._hosts.shell import Pipes


class Becoming(msgspec.Struct, frozen=True):
    """How we come to the rights that we work with; without a program we work as whom we log in.

    Args:
        by: The program.
        user: Whose rights.
        password: What the program may ask for.
    """

    by: Become = ""
    user: str = "root"
    password: Secret | None = None

    def command(self, mark: str) -> str:
        """The command line that waits for a program; any login shell reads it the same way."""
        waiting = shlex.quote(reader(mark))
        shell = f"/bin/sh -c {waiting}"
        user = shlex.quote(self.user)
        match self.by:
            case "":
                return f"exec {shell}"
            case "sudo":  # -k: asked for anew, so that one who has not to be asked and one who has are told apart by nothing.
                asks = "-S -k -p ''" if self.password is not None else "-n"
                return f"exec sudo {asks} -H -u {user} -- {shell}"
            case "doas":
                return f"exec doas -n -u {user} -- {shell}"
            case "su":
                return f"exec su -s /bin/sh -c {waiting} -- {user}"

    async def give(self, pipes: Pipes, program: bytes) -> None:
        """Send the program, after the password."""
        if self.by and self.password is not None:
            await pipes.send(f"{self.password.reveal()}\n".encode())
        await pipes.send(program)
        await pipes.end()

    def refused(self, name: str, evidence: str) -> HostError:
        """What it means that not even a shell could be begun."""
        if self.by:
            return HostError(
                "denied",
                "The rights to work on a machine were refused",
                detail=f"On {name}, {self.by} does not let us be {self.user}:\n{evidence}",
                hint="Give the password as `become_password=secret(…)`, or allow it without one.",
            )
        return HostError(
            "failed", "A machine does not run what it is sent", detail=f"{name} says:\n{evidence}",
            hint="It needs a POSIX shell at /bin/sh for the user that logs in.",
        )  # fmt: skip
