"""Programs for a machine's POSIX shell: questions and steps as text. Pure; what it all means stands in `runner.sh`.

A program is whole or not run at all: it is read to its end first, and its end is marked. It is given on standard input and kept
in memory, because it may hold secrets, and arguments can be read by every user of the machine.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import shlex
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from typing import Final, assert_never

from purvey._hosts.change import (
    Change,
    Keep,
    MakeDirectory,
    MakeLink,
    MakeOwnFolder,
    Remove,
    Restore,
    Run,
    SetAttributes,
    Write,
)
from purvey._hosts.command import Command
from purvey._hosts.fact import Answer, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf
from purvey._hosts.step import Step

LITERAL_BYTES_MAX: Final = 4096
"""A longer content is compressed; up to this a shell prints it itself, which saves two processes."""

PATHS_MAX: Final = 500
"""Paths in the arguments of one process: 4,096 bytes each at most, they stay below the 2 MiB that Linux gives."""

NAME_BYTES_MAX: Final = 240
"""A longer name, with what is put around it, would exceed the 255 bytes that file systems allow."""

OWN_FOLDER: Final = "@purvey"
"""Begins a path in the folder where purvey keeps its own things on the machine, which the machine alone knows."""

INCOMPLETE: Final = 97
"""The return code of a shell that was given half a program."""

_TYPE_BITS: Final = {"file": 0o100000, "directory": 0o040000, "link": 0o120000}
_EXECUTABLE_OR_SPECIAL: Final = 0o7111


def reader(nonce: str) -> str:
    """What ``sh -c`` gets to wait for a program; what comes before its first line, a password nobody asked for, is dropped."""
    return f'P=$(cat); P=${{P#*"#{nonce}"}}; case $P in *"#end {nonce}") eval "$P";; *) exit {INCOMPLETE};; esac'


def asking(facts: Sequence[Fact], nonce: str) -> bytes:
    """The program that asks."""
    return _program(nonce, _questions(facts))


def working(steps: Sequence[Step], nonce: str, *, folder: str, fence: int, fresh: bool) -> bytes:
    """The program that performs steps one after the other.

    Args:
        steps: The steps.
        nonce: Begins each frame.
        folder: The name of the folder, inside purvey's own, of those who must not work at the same time.
        fence: Our number in the order of those who may work there; an older one is refused.
        fresh: Whether everything done before is settled.
    """
    lines = [f"S=$B/{shlex.quote(folder)}", f"F={fence}", f"enter {'fresh' if fresh else 'same'}"]
    for number, step in enumerate(steps):
        lines += _functions(number, step)
        how = "once" if step.once else "told" if step.is_told else "quiet"
        lines.append(f"step {number} {step.token} {step.attempt} {how}")
    return _program(nonce, [*lines, "leave"])


def _program(nonce: str, lines: Iterable[str]) -> bytes:
    return "\n".join([f"#{nonce}", f"N={nonce}", _runner(), "hello", *lines, f"#end {nonce}"]).encode(errors="surrogateescape")


@cache
def _runner() -> str:
    text = files("purvey._hosts").joinpath("runner.sh").read_text()
    return "\n".join(line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))


# Questions.


def _questions(facts: Sequence[Fact]) -> Iterator[str]:
    stats = [fact.path for fact in facts if isinstance(fact, StatOf)]
    digests = [fact.path for fact in facts if isinstance(fact, DigestOf)]
    for function, paths in (("stats", stats), ("digests", digests)):
        for start in range(0, len(paths), PATHS_MAX):
            yield f"{function} {' '.join(map(_path, paths[start : start + PATHS_MAX]))}"
    for number, fact in enumerate(facts):
        if isinstance(fact, ContentOf):
            yield f"content {number} {_path(fact.path)}"
        elif isinstance(fact, Ask):
            yield f"answer {number} {shlex.join(fact.argv)}"


def _path(path: str) -> str:
    """A path as a word of the shell."""
    if path.startswith(OWN_FOLDER):
        return '"$B"' + shlex.quote(path[len(OWN_FOLDER) :])
    return shlex.quote(path)


# Steps.


def _functions(number: int, step: Step) -> Iterator[str]:
    """The three functions of a step; a function cannot be empty."""
    guards = [f"g={index}; {_guard(fact, answer)} || return" for index, (fact, answer) in enumerate(step.guard)]
    yield f"guard_{number}() {{\n{_body(guards)}\n}}"
    changes = [f"w={index}\n{_change(change)} || return" for index, change in enumerate(step.changes)]
    yield f"do_{number}() {{\n{_body(changes)}\n}}"
    yield f"after_{number}() {{\n{_body(list(_questions(step.after)))}\n}}"


def _body(lines: Sequence[str]) -> str:
    return "\n".join(lines) or ":"


def _guard(fact: Fact, answer: Answer) -> str:
    """A test that the answer is still the same."""
    match fact, answer:
        case StatOf(path), None:
            return f"[ ! -e {_path(path)} ] && [ ! -L {_path(path)} ]"
        case StatOf(path), FileStat():
            return _stat_guard(_path(path), answer)
        case ((DigestOf(path) | ContentOf(path)), None):
            return f"{{ [ ! -f {_path(path)} ] || [ -L {_path(path)} ]; }}"
        case ((DigestOf(path) | ContentOf(path)), (str() | bytes())):
            digest = answer if isinstance(answer, str) else hashlib.sha256(answer).hexdigest()
            return f"""[ "$(sha256sum <{_path(path)})" = '{digest}  -' ]"""
        case Ask(argv), _:
            assert not isinstance(answer, bytes | str | FileStat | None)  # A command's answer is what it left.
            said = answer.stdout.decode(errors="surrogateescape")
            return f'[ "$({shlex.join(argv)}; echo "code $?")" = {shlex.quote(f"{said}code {answer.returncode}")} ]'
        case _:
            raise AssertionError(fact)


def _stat_guard(path: str, answer: FileStat) -> str:
    owner, group = ("%u" if answer.owner.isdecimal() else "%U"), ("%g" if answer.group.isdecimal() else "%G")
    mode = f"{_TYPE_BITS[answer.kind] | answer.mode:x}"
    test = f"""[ "$(stat -c '%f {owner} {group}' -- {path})" = {shlex.quote(f"{mode} {answer.owner} {answer.group}")} ]"""
    return test if answer.kind != "link" else f'{test} && [ "$(readlink -- {path})" = {shlex.quote(answer.target)} ]'


def _change(change: Change) -> str:
    match change:
        case Write():
            return _write(change)
        case MakeDirectory(path, mode, owner, group):
            mask = 0o777 & ~mode
            after = f"{mode:04o}" if mode & 0o7000 or owner or group else ""
            words = [f"{mask:03o}", _path(path), _path(_parent(path)), f"{mode:04o}", _owner(owner, group), after or "''"]
            return f"folder {' '.join(words)}"
        case MakeOwnFolder(path):
            return f"own_folder {_path(path)}"
        case MakeLink(path, target):
            return f"link {shlex.quote(target)} {_path(_beside(path))} {_path(path)} {_path(_parent(path))}"
        case SetAttributes(path, mode, owner, group):
            bits = "''" if mode is None else f"{mode:04o}"
            return f"attributes {_path(path)} {bits} {_owner(owner, group)}"
        case Remove(path, whole, if_empty):
            how = "whole" if whole else "if_empty" if if_empty else "plain"
            return f"gone {_path(path)} {_path(_parent(path))} {how}"
        case Keep(path, copy, token):
            return f"keep {_path(path)} {_path(copy)} {_path(_parent(copy))} {token}"
        case Restore():
            return _restore(change)
        case Run():
            return _run(change)
    assert_never(change)


def _write(change: Write) -> str:
    """A file, with as few processes as will do: the umask gives most modes."""
    masked = not (change.mode & _EXECUTABLE_OR_SPECIAL or change.owner or change.group)
    mask = f"{0o666 & ~change.mode:03o}" if masked else "077"
    mode = "''" if masked else f"{change.mode:04o}"
    paths = f"{_path(_beside(change.path))} {_path(change.path)} {_path(_parent(change.path))}"
    functions = f"c() {{ {_content(change.data)}; }}\nv() {{ {_validation(change.validate)}; }}"
    return f"{functions}\nput {mask} {paths} {mode} {_owner(change.owner, change.group)}"


def _content(data: bytes) -> str:
    """What prints the content."""
    if len(data) <= LITERAL_BYTES_MAX and b"\0" not in data:
        return f"printf %s {shlex.quote(data.decode(errors='surrogateescape'))}"
    packed = base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()
    return f"printf %s '{packed}' | base64 -d | gzip -dc"


def _validation(command: Command | None) -> str:
    if command is None:
        return ":"
    words = ['"$1"' if word == "{path}" else shlex.quote(word).replace("{path}", "'\"$1\"'") for word in command.argv]
    return _in_shell(command, " ".join(words))


def _restore(change: Restore) -> str:
    words = [_path(change.path), _path(change.copy), _path(_parent(change.copy)), change.token, _path(_beside(change.path))]
    otherwise = "\n".join(f"{_change(item)} || return" for item in change.otherwise)
    return f"restore {' '.join(words)} || {{ [ $? = 75 ] || return\n{otherwise or ':'}\n}}"


def _run(change: Run) -> str:
    command = change.command
    text = _in_shell(command, shlex.join(command.argv))
    if command.stdin:
        text = f"{{ {_content(command.stdin)}; }} | {text}"
    if change.codes == (0,):
        return text
    codes = "|".join(map(str, change.codes))
    return f"{text}\ncase $? in {codes}) true ;; *) (exit $?) ;; esac"


def _in_shell(command: Command, words: str) -> str:
    """A command in a shell of its own, with its folder, its variables, its user and the time it may take."""
    variables = {**command.env, **command.secret_env}
    before = "".join(f"export {name}={shlex.quote(value)}; " for name, value in variables.items())
    if command.cwd:
        before += f"cd {_path(command.cwd)} || exit 72; "
    if command.user is not None:
        words = f"""su -s /bin/sh -c 'exec "$0" "$@"' -- {shlex.quote(command.user)} {words}"""
    return f"(trap - PIPE; {before}exec timeout -k 2 {command.timeout_s:g} {words})"


def _owner(owner: str | None, group: str | None) -> str:
    """What chown(1) gets; quotes around nothing where it need not be called."""
    if owner is None and group is None:
        return "''"
    return shlex.quote(f"{owner or ''}{':' + group if group is not None else ''}")


def _parent(path: str) -> str:
    return str(PurePosixPath(path).parent)


def _beside(path: str) -> str:
    """The one name under which a successor of `path` is built."""
    whole = PurePosixPath(path)
    name = whole.name
    if len(name.encode(errors="surrogateescape")) > NAME_BYTES_MAX:
        name = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    return str(whole.with_name(f".{name}.purvey"))
