"""A command to run on a machine, and its outcome, as data: shown, masked and compared before and after it runs.

Secrets travel in `Command.secret_env` and `Command.stdin` only, and neither has a text form; an argument never holds one,
because every user of a machine can read the arguments of every process. This module is light: it loads no event loop.
"""

from __future__ import annotations

import shlex
from typing import Any, Final

import msgspec

from purvey._base.limits import CALL_DEADLINE_S, EVIDENCE_BYTES_MAX
from purvey.errors import HostError

EVIDENCE_LINES: Final = 20
"""Lines of each of a failed command's outputs that an error repeats: enough for a message, few enough for a screen."""

_MASK: Final = "(secret)"

PATH_MARK: Final = "{path}"
"""What stands in the arguments of a validating command for the file to validate."""

FAILED: Final = "A command failed"
TOOK_TOO_LONG: Final = "A command took too long"
"""What is told of a command that was run, and did not end as it should."""

TIMED_OUT: Final = -1000
"""The return code of a command that was ended because its time was over; no signal has this number."""

SECRET_CHARS_MIN: Final = 3
"""Characters of the shortest secret that is masked in what a command says."""

OUT_BYTES_MAX: Final = 65_536
"""What is told of the end of what a step's commands print; of their complaints it is `EVIDENCE_BYTES_MAX`."""


class Command(msgspec.Struct, frozen=True):
    """What to run, without a shell.

    Args:
        argv: The program and its arguments; at least one. Never a secret.
        env: Variables on top of those that the connector gives every command.
        cwd: The working directory; empty for the connector's own choice.
        user: The name to run as; None for the user whom the connector works as. Another one needs root.
        stdin: What the command reads; may be secret.
        timeout_s: Seconds after which the command and its process group are ended.
        secret_env: More variables, whose values are secret.
        hides_stdout: Whether what it writes to standard output may be secret, so that no error repeats it.
        umask: Which permissions its files do not get, in octal; empty for what the connector gives every command.
    """

    argv: tuple[str, ...]
    env: dict[str, str] = {}
    cwd: str = ""
    user: str | None = None
    stdin: bytes = b""
    timeout_s: float = CALL_DEADLINE_S
    secret_env: dict[str, str] = {}
    hides_stdout: bool = False
    umask: str = ""

    def __str__(self) -> str:
        """The command as one would type it, secrets masked."""
        names = [f"{name}=(secret)" for name in self.secret_env]
        plain = [f"{name}={shlex.quote(value)}" for name, value in self.env.items()]
        return " ".join([*plain, *names, shlex.join(self.argv)])

    def __repr__(self) -> str:
        """As `__str__`, and where, and as whom."""
        who = f", user={self.user!r}" if self.user else ""
        where = f", cwd={self.cwd!r}" if self.cwd else ""
        read = ", stdin=(masked)" if self.stdin else ""
        return f"Command({str(self)!r}{where}{who}{read})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """As `__repr__`, for the terminal's printer."""
        return [("", repr(self))]

    def about(self, path: str) -> Command:
        """This command with ``{path}`` in its arguments replaced by `path`."""
        return msgspec.structs.replace(self, argv=tuple(part.replace(PATH_MARK, path) for part in self.argv))


class Completed(msgspec.Struct, frozen=True):
    """What a command left: its return code (negative: the signal that ended it) and what it printed."""

    returncode: int
    stdout: bytes = b""
    stderr: bytes = b""

    def text(self) -> str:
        """Standard output as text, without the line end at its end; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode(errors="replace").rstrip("\n")


def check(command: Command, completed: Completed) -> Completed:
    """`completed`, if the command succeeded.

    Raises:
        HostError: if it did not; see `failed`.
    """
    if completed.returncode == 0:
        return completed
    raise failed(command, completed)


def failed(command: Command, completed: Completed) -> HostError:
    """That a command did not end as it should: with the command, its secrets masked, and the last lines of what it said."""
    said = evidence(command, completed)
    return HostError(
        "timeout" if completed.returncode == TIMED_OUT else "failed",
        TOOK_TOO_LONG if completed.returncode == TIMED_OUT else FAILED,
        detail=f"The command {_ending(command, completed.returncode)}:\n  {command}\n" + (said or "It said nothing."),
    )


def not_accepted(file: str, command: Command, completed: Completed) -> HostError:
    """That a new file was not accepted by the command that looked at it; `file` is what people call it."""
    said = evidence(command, completed) or "It said nothing."
    return HostError(
        "invalid",
        "A new file was not accepted, so the old one stays",
        detail=f"{file} was checked by a command that {_ending(command, completed.returncode)}:\n  {command}\n{said}",
        hint="Correct the content; the message above is the validating command's own.",
    )


def evidence(command: Command, completed: Completed) -> str:
    """The last lines of what the command wrote, its secrets masked; its complaints last, as they say the most."""
    return "\n".join(line for part in outputs(command, completed) for line in part if line)


def outputs(command: Command, completed: Completed) -> list[tuple[str, str]]:
    """The ends of what the command wrote, its secrets masked, each after its name; one that stands alone needs none."""
    said, complaints = _end_of(command, completed.stdout), _end_of(command, completed.stderr)
    if said and command.hides_stdout:
        said = "(not shown, for it may be secret)"
    elif not said or not complaints or said == _MASK:  # A filter that repeats what it was given tells nothing.
        return [("", complaints or said)] if complaints or said else []
    return [("standard output:", said), *([("standard error:", complaints)] if complaints else [])]


def _end_of(command: Command, data: bytes) -> str:
    text = data.strip().decode(errors="replace")
    for value in sorted(_secrets(command, text), key=len, reverse=True):
        text = text.replace(value, _MASK)
    return "\n".join(text[-EVIDENCE_BYTES_MAX:].splitlines()[-EVIDENCE_LINES:])


def _secrets(command: Command, text: str) -> set[str]:
    """The values that a text repeats; what was read is secret line by line, as programs quote lines.

    One of fewer than `SECRET_CHARS_MIN` is in words by chance, and tells nobody anything. Lines may be many, so those of one
    length are looked up at once, where they are many.
    """
    read = command.stdin.decode(errors="replace")
    values = {*command.secret_env.values(), read.strip(), *(line.strip() for line in read.splitlines())}
    by_length: dict[int, set[str]] = {}
    for value in values:
        if SECRET_CHARS_MIN <= len(value) <= len(text):
            by_length.setdefault(len(value), set()).add(value)
    found: set[str] = set()
    for length, group in by_length.items():
        if len(group) * SECRET_CHARS_MIN > length:
            found |= group & {text[at : at + length] for at in range(len(text) - length + 1)}
        else:
            found |= {value for value in group if value in text}
    return found


def _ending(command: Command, returncode: int) -> str:
    if returncode == TIMED_OUT:
        return f"was ended after {command.timeout_s:g} s"
    if returncode < 0:
        return f"was ended by signal {-returncode}"
    return f"ended with code {returncode}"
