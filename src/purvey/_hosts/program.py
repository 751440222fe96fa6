"""Programs for a machine's POSIX shell: questions and steps as text. Pure; what it means stands in `runner.sh`.

A program is whole or not run at all: it is read to its end first, and its end is marked. It is given on standard input and kept
in memory, because it may hold secrets, and arguments can be read by every user of the machine.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Final

from purvey._base.limits import CALL_DEADLINE_S
from purvey._hosts.actions import action, quoted
from purvey._hosts.command import Completed
from purvey._hosts.fact import Answer, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf
from purvey._hosts.step import Machine, Step
from purvey.errors import InternalError

PATHS_MAX: Final = 250
"""Paths in the arguments of one process: 4,096 bytes each at most, they stay below the 2 MiB that Linux gives."""

CLERK_STEPS_MIN: Final = 4
"""From this many steps on a clerk costs less than the processes that it saves."""

INCOMPLETE: Final = 97
"""The return code of a shell that was given half a program."""

ASKED_S: Final = round(CALL_DEADLINE_S)
"""Seconds after which a command that is asked something is ended."""

_TYPE_BITS: Final = {"file": 0o100000, "directory": 0o040000, "link": 0o120000}
_TOKEN: Final = re.compile(r"[A-Za-z0-9_.-]+")
_WORKER: Final = re.compile(r"(?!.*\.\.)[^/\0\n][^\0\n]*")


def reader(mark: str) -> str:
    """What ``sh -c`` gets to wait for a program; what comes before its first line, a password nobody asked for, is dropped.

    It has no character that csh or fish, as somebody's login shell, would take for something else between single quotes. The
    variables may have come with the login, and would be given to every command.
    """
    return (
        f'unset P N; P=$(cat); P=${{P#*"#{mark}"}}; if [ "${{P%"#end {mark}"}}" = "$P" ]; then exit {INCOMPLETE}; fi; eval "$P"'
    )


def enveloped(program: bytes, mark: str) -> bytes:
    """A program with the marks of its beginning and its end, as `reader` waits for it."""
    return b"#%b\n%b\n#end %b" % (mark.encode(), program, mark.encode())


def asking(
    facts: Sequence[Fact], nonce: str, machine: Machine | None = None, *, folder: str, spent: Sequence[str] = ()
) -> bytes:
    """The program that asks.

    Args:
        facts: What is asked.
        nonce: Begins each frame.
        machine: What the machine has said of us over the same link, so that it need not look again.
        folder: As for `working`.
        spent: Tokens of steps whose outputs nobody needs any more.
    """
    return _program(nonce, machine, ["asking"], [*_questions(facts), *_spending(folder, spent), "say left"])


def looking(nonce: str, machine: Machine | None = None, *, folder: str, fence: int) -> bytes:
    """The program that lets nobody older begin anything more, and tells what was begun; see `working`."""
    return _program(nonce, machine, ["asking", "runner"], [*_entering(folder, fence, "look"), "remembered", "leave"])


def working(
    steps: Sequence[Step], nonce: str, machine: Machine | None = None, *, folder: str, fence: int, fresh: bool,
    spent: Sequence[str] = (),
) -> bytes:  # fmt: skip
    """The program that performs steps one after the other.

    Args:
        steps: The steps.
        nonce: Begins each frame.
        machine: See `asking`.
        folder: The name of the folder, inside purvey's own, of those who must not work at the same time.
        fence: Our number in the order of those who may work there; an older one is refused.
        fresh: Whether everything done before is settled.
        spent: Tokens of steps whose outputs nobody needs any more.
    """
    lines = [*_entering(folder, fence, "fresh" if fresh else "same"), *_spending(folder, spent)]
    if len(steps) >= CLERK_STEPS_MIN:
        lines.append("hire")
    for number, step in enumerate(steps):
        if not _TOKEN.fullmatch(step.token):
            raise InternalError(f"The token {step.token!r} is not one word.")
        how = "once" if step.once else "told" if step.is_told else "quiet"
        lines += [*_functions(number, step), f"step {number} {step.token} {step.attempt:d} {how}"]
    return _program(nonce, machine, ["asking", "runner"], [*lines, "leave"])


def _entering(folder: str, fence: int, how: str) -> list[str]:
    return [f"S={_of_workers(folder)}", f"F={fence:d}", f"enter {how}"]


def _spending(folder: str, tokens: Sequence[str]) -> list[str]:
    return [f"spend {_of_workers(folder)} {shlex.join(tokens)}"] if tokens else []


def _of_workers(folder: str) -> str:
    if not _WORKER.fullmatch(folder):
        raise InternalError(f"Those who work on a machine are called {folder!r}, which names no folder.")
    return f'"$B"/work/{shlex.quote(folder)}'


def _program(nonce: str, machine: Machine | None, parts: Sequence[str], lines: Sequence[str]) -> bytes:
    hello = f"hello {shlex.quote(machine.umask)} {shlex.quote(machine.who)}" if machine is not None else "hello"
    return "\n".join([f"N={nonce}", *map(_text, parts), hello, *lines]).encode(errors="surrogateescape")


@cache
def _text(part: str) -> str:
    text = files("purvey._hosts").joinpath(f"{part}.sh").read_text()
    return "\n".join(line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))


def paths_of(facts: Sequence[Fact]) -> list[str]:
    """The paths that are looked at for `facts`, in the order in which they are."""
    return list(dict.fromkeys(fact.path for fact in facts if not isinstance(fact, Ask)))


def digested(facts: Sequence[Fact]) -> list[str]:
    """The paths whose digests are asked for, in that order."""
    return [fact.path for fact in facts if isinstance(fact, DigestOf)]


def _questions(facts: Sequence[Fact]) -> Iterator[str]:
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
            return f'[ "$(says {ASKED_S} {shlex.join(argv)})" = {shlex.quote(f"{wished}code {code}")} ]'
        case _:
            raise InternalError(f"{fact!r} is never answered by {answer!r}.")


def _stat_guard(path: str, answer: FileStat) -> str:
    owner, group = ("%u" if answer.owner.isdecimal() else "%U"), ("%g" if answer.group.isdecimal() else "%G")
    mode = f"{_TYPE_BITS[answer.kind] | answer.mode:x}"
    test = f"""[ "$(stat -c '%f:{owner}:{group}' -- {path})" = {shlex.quote(f"{mode}:{answer.owner}:{answer.group}")} ]"""
    return test if answer.kind != "link" else f'{test} && [ "$(readlink -- {path})" = {shlex.quote(answer.target)} ]'
