"""Jobs that systemd starts: a timer and the service that it starts, as two units of one name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from purvey._script.reference import refuse_tokens
from purvey._script.resource import Options
from purvey._script.words import replaced
from purvey.resources._given import ONE_LINE, ONE_LINE_SAYS, bad, text
from purvey.resources.services.systemd import Systemd

if TYPE_CHECKING:
    from purvey._script.resource import Resource

_NAME: Final = re.compile(r"[A-Za-z0-9:_.-]{1,200}")
_LINE_ENDS: Final = ("\n", "\r", "\0")
_MEANINGS: Final = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\0", ""), ("%", "%%"))
"""What means something to systemd in a word between quotes, and how it means itself."""

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def timer(
    name: str,
    /,
    *,
    command: Sequence[str],
    calendar: str | None = None,
    every: str | None = None,
    user: str | None = None,
    cwd: str | None = None,
    env: Mapping[str, str] | None = None,
    catch_up: bool = True,
    spread: str | None = None,
    on: object = None,
    after: Sequence[Resource | str] = (),
) -> Systemd:
    """Declare a job that systemd starts, as the nodes ``NAME.service`` and ``NAME.timer``.

        host.timer("backup", command=["/opt/shop/bin/backup", "--all"], calendar="*-*-* 03:15", user="shop")

    Args:
        name: The units' name.
        command: The program, by its path, and its arguments; they are given to it as they stand here.
        calendar: When, as systemd.time(7) writes it: ``daily``, ``Mon *-*-* 04:00``. Either this or `every` is given.
        every: How long after its last start it is started again: ``15min``; for the first time so long after the boot.
        user: As whom; by default as root.
        cwd: The folder in which it runs.
        env: Variables for it, which every user of the machine can read.
        catch_up: Whether a start that was missed while the machine was off is made up for.
        spread: A span over which starts of many machines are spread by chance: ``10min``.
        on: The machine.
        after: Nodes that must be complete first.

    Returns:
        The timer's node.

    Raises:
        ScriptError: ``script.bad_input``.
    """
    refuse_tokens(name, "The name of a timer")
    if not _NAME.fullmatch(name):
        raise bad(f"The name is {name!r}.", "Letters, digits, and `_`, `-`, `.`, `:`.")
    service = Systemd(
        f"{name}.service", unit=f"{name}.service", content=_service(command, user, cwd, env or {}), enabled=None, running=None,
        on=on, opts=Options(after=after),
    )  # fmt: skip
    content = _timer(calendar, every, spread, catch_up=catch_up)
    return Systemd(f"{name}.timer", unit=f"{name}.timer", content=content, on=on, opts=Options(after=[service]))


def _service(command: Sequence[str], user: str | None, cwd: str | None, env: Mapping[str, str]) -> str:
    if isinstance(command, str) or not command or not str(command[0]).startswith("/"):
        raise bad(f"`command` is {command!r}.", "Give a list that begins with the path of a program; systemd wants it whole.")
    lines = ["[Service]", "Type=oneshot", f"ExecStart={' '.join(_word(part, is_command=True) for part in command)}"]
    lines += [f"User={_line(user, 'user')}"] if user is not None else []
    lines += [f"WorkingDirectory={replaced(_line(cwd, 'cwd'), ('%', '%%'))}"] if cwd is not None else []
    for name, value in env.items():
        if not _VARIABLE.fullmatch(name):
            raise bad(f"A variable is {name!r}.", "Letters, digits and `_`.")
        lines.append(f"Environment={_word(f'{name}={value}', is_command=False)}")
    return "\n".join([*lines, ""])


def _timer(calendar: str | None, every: str | None, spread: str | None, *, catch_up: bool) -> str:
    if (calendar is None) == (every is None):
        raise bad("It was given both of `calendar` and `every`, or none.", "Say when it is started by one of them.")
    lines = ["[Timer]"]
    if calendar is not None:
        lines += [f"OnCalendar={_line(calendar, 'calendar')}", *(["Persistent=true"] if catch_up else [])]
    else:
        span = _line(every, "every")
        lines += [f"OnBootSec={span}", f"OnUnitActiveSec={span}"]
    lines += [f"RandomizedDelaySec={_line(spread, 'spread')}"] if spread is not None else []
    return "\n".join([*lines, "", "[Install]", "WantedBy=timers.target", ""])


def _line(value: Any, name: str) -> str:
    """A value that stands on one line of a unit; what comes late stays on it, and is refused by systemd if it had more."""
    known = text(value)
    if known is not None and (not ONE_LINE.fullmatch(known) or known.endswith("\\")):
        raise bad(f"`{name}` is {known!r}.", f"{ONE_LINE_SAYS} A backslash at its end would take in the next one.")
    return replaced(str(value), *((end, " ") for end in _LINE_ENDS))


def _word(value: str, *, is_command: bool) -> str:
    """A word as systemd reads it: what means something to it does not, and only a command has variables filled in."""
    plain = replaced(str(value), *_MEANINGS, *([("$", "$$")] if is_command else []))
    return f'"{plain}"'
