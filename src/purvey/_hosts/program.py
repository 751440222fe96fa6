"""Programs for a POSIX shell: questions and steps as text. Pure; what they call stands in the files beside this one."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from purvey._base.limits import CALL_DEADLINE_S
from purvey._hosts.actions import action, quoted
from purvey._hosts.change import Restore, Run, Write
from purvey._hosts.command import Completed
from purvey._hosts.fact import Answer, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf
from purvey._hosts.step import Machine, Step
from purvey.errors import InternalError

PATHS_MAX: Final = 250
"""Paths in the arguments of one process: 4,096 bytes each at most, they stay below the 2 MiB that Linux gives."""

WAYS_MAX: Final = 100
"""Folders on ways to files that are looked at with all else; where there are more, each file costs one process more."""

CLERK_STEPS_MIN: Final = 4
"""From this many steps on a clerk costs less than the processes that it saves."""

ASKED_S: Final = round(CALL_DEADLINE_S)
"""Seconds after which a command that is asked something is ended."""

_TYPE_BITS: Final = {"file": 0o100000, "directory": 0o040000, "link": 0o120000}
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.-]+")
_WORKER: Final = re.compile(r"(?!.*\.\.)[^/\0\n][^\0\n]*")


class Program(msgspec.Struct, frozen=True):
    """What is run.

    Attributes:
        parts: The files with the functions that are called, without ``.sh``.
        calls: The calls that follow a `hello`.
    """

    parts: tuple[str, ...]
    calls: tuple[str, ...]


def hello(machine: Machine | None) -> str:
    """The call that every program begins with, and by which the machine says what it is.

    Args:
        machine: What it has said in the same shell, so that it need not look again.
    """
    known = [] if machine is None else [machine.umask, machine.who, machine.machine_id, machine.boot_id]
    return shlex.join(["hello", *known])


def asking(facts: Sequence[Fact], *, folder: str, spent: Sequence[str] = ()) -> Program:
    """The program that asks.

    Args:
        facts: What is asked.
        folder: As for `working`.
        spent: Tokens of steps whose outputs nobody needs any more.
    """
    return Program(("asking", "ways"), (*_questions(facts), *_spending(folder, spent), "say left", "tell"))


def looking(*, folder: str, fence: int) -> Program:
    """The program that lets nobody older begin anything more, and tells what was begun; see `working`."""
    return Program(("asking", "runner"), (*_entering(folder, fence, "look"), "remembered", "leave"))


def working(steps: Sequence[Step], *, folder: str, fence: int, fresh: bool, spent: Sequence[str] = ()) -> Program:
    """The program that performs steps one after the other.

    Args:
        steps: The steps.
        folder: The name of the folder, inside purvey's own, of those who must not work at the same time.
        fence: Our number in the order of those who may work there; an older one is refused.
        fresh: Whether everything done before is settled.
        spent: Tokens of steps whose outputs nobody needs any more.
    """
    parts, lines = _parts(steps), [*_entering(folder, fence, "fresh" if fresh else "same"), *_spending(folder, spent)]
    if "clerk" in parts:
        lines.append("hire")
    for number, step in enumerate(steps):
        if not _TOKEN.fullmatch(step.token):
            raise InternalError(f"The token {step.token!r} is not one word.")
        how = "once" if step.once else "told" if step.is_told else "quiet"
        lines += [*_functions(number, step), f"step {number} {step.token} {step.attempt:d} {how}"]
    return Program(tuple(parts), (*lines, "leave"))


def _parts(steps: Sequence[Step]) -> list[str]:
    """What steps need: a machine's shell takes its time to read what it does not."""
    changes = [change for step in steps for change in step.changes]
    parts = ["asking", "ways", "runner"]
    if any(not isinstance(change, Run) for change in changes):
        parts.append("changes")
    if any(isinstance(change, Run | Restore) or (isinstance(change, Write) and change.validate) for change in changes):
        parts.append("commands")
    if len(steps) >= CLERK_STEPS_MIN:
        parts.append("clerk")
    return parts


def _entering(folder: str, fence: int, how: str) -> list[str]:
    return [f"S={_of_workers(folder)}", f"F={fence:d}", f"enter {how}"]


def _spending(folder: str, tokens: Sequence[str]) -> list[str]:
    return [f"spend {_of_workers(folder)} {shlex.join(tokens)}"] if tokens else []


def _of_workers(folder: str) -> str:
    if not _WORKER.fullmatch(folder):
        raise InternalError(f"Those who work on a machine are called {folder!r}, which names no folder.")
    return f'"$B"/work/{shlex.quote(folder)}'


def paths_of(facts: Sequence[Fact]) -> list[str]:
    """The paths that are looked at for `facts`, in the order in which they are."""
    return list(dict.fromkeys((*_ways(facts), *(fact.path for fact in facts if not isinstance(fact, Ask)))))


def _ways(facts: Sequence[Fact]) -> list[str]:
    """The folders on the ways to files whose content is asked for, each after the one that it is in."""
    found: dict[str, None] = {}
    for fact in facts:
        if isinstance(fact, ContentOf) and fact.path.startswith("/"):
            names = fact.path.split("/")
            found |= dict.fromkeys("/".join(names[:count]) or "/" for count in range(1, len(names)))
    return list(found) if len(found) <= WAYS_MAX else []


def digested(facts: Sequence[Fact]) -> list[str]:
    """The paths whose digests are asked for, in that order."""
    return [fact.path for fact in facts if isinstance(fact, DigestOf)]


def _questions(facts: Sequence[Fact]) -> Iterator[str]:
    if ways := _ways(facts):
        yield f"ahead={len(ways)}"
    for function, paths in (("stats", paths_of(facts)), ("digests", digested(facts))):
        for start in range(0, len(paths), PATHS_MAX):
            yield f"{function} {' '.join(map(quoted, paths[start : start + PATHS_MAX]))}"
    for number, fact in enumerate(facts):
        if isinstance(fact, ContentOf):
            yield f"content {number} {quoted(fact.path)}"
        elif isinstance(fact, Ask):
            yield f"answer {number} {ASKED_S} {shlex.join(fact.argv)}"


def _functions(number: int, step: Step) -> Iterator[str]:
    """The three functions of a step; a function cannot be empty."""
    guards = [f"g={index}; {_guard(fact, answer)} || return" for index, (fact, answer) in enumerate(step.guard)]
    yield f"guard_{number}() {{\n{_body(guards)}\n}}"
    changes = [f"w={index}\n{action(change)} || return" for index, change in enumerate(step.changes)]
    yield f"do_{number}() {{\n{_body(changes)}\n}}"
    yield f"after_{number}() {{\n{_body(list(_questions(step.after)))}\n}}"


def _body(lines: Sequence[str]) -> str:
    return "\n".join(lines) or ":"


def _guard(fact: Fact, answer: Answer) -> str:
    """A test that the answer is still the same."""
    match fact, answer:
        case StatOf(path), None:
            return f"{{ [ ! -e {quoted(path)} ] && [ ! -L {quoted(path)} ]; }}"
        case StatOf(path), FileStat():
            return _stat_guard(quoted(path), answer)
        case ((DigestOf(path) | ContentOf(path)), None):
            return f"! plain_file {quoted(path)}"
        case ((DigestOf(path) | ContentOf(path)), (str() | bytes())):
            digest = answer if isinstance(answer, str) else hashlib.sha256(answer).hexdigest()
            return f"""plain_file {quoted(path)} && [ "$(sha256sum <{quoted(path)})" = {shlex.quote(f"{digest}  -")} ]"""
        case Ask(argv), Completed(code, said):
            wished = said.replace(b"\0", b"").decode(errors="surrogateescape")  # A shell's variables hold none.
            return f'busy; [ "$(says {ASKED_S} {shlex.join(argv)})" = {shlex.quote(f"{wished}code {code}")} ]'
        case _:
            raise InternalError(f"{fact!r} is never answered by {answer!r}.")


def _stat_guard(path: str, answer: FileStat) -> str:
    mode = f"{_TYPE_BITS[answer.kind] | answer.mode:x}"
    test = f"still {path} {mode} {shlex.quote(answer.owner)} {shlex.quote(answer.group)}"
    return test if answer.kind != "link" else f'{test} && [ "$(readlink -- {path})" = {shlex.quote(answer.target)} ]'
