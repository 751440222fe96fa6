"""Changes as calls of the functions of `changes.sh` and `commands.sh`. Pure."""

from __future__ import annotations

import base64
import gzip
import math
import re
import shlex
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
from purvey._hosts.command import PATH_MARK, TIMED_OUT, Command
from purvey._hosts.paths import OWN_FOLDER, beside, parent, require_sound
from purvey.errors import HostError

LITERAL_BYTES_MAX: Final = 4096
"""A longer content is compressed; up to this a shell prints it itself, which saves two processes."""

CONTENT_BYTES_MAX: Final = 8 * 1024 * 1024
"""What a file's content may come to when it is compressed: a machine's shell needs several times as much memory for it."""

SIGNALLED: Final = 128
"""A shell tells a command ended by a signal by this and the signal's number."""

_SPECIAL: Final = 0o7000
_EXECUTABLE_OR_SPECIAL: Final = 0o7111
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def quoted(path: str) -> str:
    """A path as a word of the shell.

    Raises:
        HostError: ``invalid`` if it cannot be used.
    """
    require_sound(path)
    if path.startswith(OWN_FOLDER):
        return '"$B"' + shlex.quote(path[len(OWN_FOLDER) :])
    return shlex.quote(path)


def action(change: Change) -> str:
    """What performs a change.

    Raises:
        HostError: ``invalid`` if it can be done on no machine.
    """
    match change:
        case Write():
            return _write(change)
        case MakeDirectory(path, mode, owner, group):
            words = [f"{0o777 & ~mode:03o}", _places(path), _bits(mode), _owner(owner, group)]
            return f"folder {' '.join(words)} {_how(mode, owner, group, _SPECIAL)}"
        case MakeOwnFolder(path):
            return f"own_folder {quoted(path)}"
        case MakeLink(path, target):
            return f"link {shlex.quote(target)} {_places(path)}"
        case SetAttributes(path, mode, owner, group):
            return f"attributes {_places(path)} {chr(39) * 2 if mode is None else _bits(mode)} {_owner(owner, group)}"
        case Remove(path, whole, if_empty):
            beside(path)  # The root is not removed.
            how = "whole" if whole else "if_empty" if if_empty else "plain"
            return f"gone {quoted(path)} {quoted(parent(path))} {how}"
        case Keep(path, copy, token):
            return f"keep {quoted(path)} {quoted(copy)} {quoted(parent(copy))} {shlex.quote(token)}"
        case Restore():
            return _restore(change)
        case Run():
            return _run(change)
    assert_never(change)


def _places(path: str) -> str:
    """The name of a successor, the path itself and its folder."""
    return f"{quoted(beside(path))} {quoted(path)} {quoted(parent(path))}"


def _bits(mode: int) -> str:
    """Five digits, without which chmod(1) leaves the special bits of a directory as they are."""
    return f"0{mode:04o}"


def _write(change: Write) -> str:
    """A file, with as few processes as will do: the umask gives most modes."""
    how = _how(change.mode, change.owner, change.group, _EXECUTABLE_OR_SPECIAL)
    content = _content(change.data)
    if len(content) > CONTENT_BYTES_MAX * 4 // 3:
        raise _too_large(change)
    functions = f"c() {{ {content}; }}\nv() {{\n{_validation(change.validate)}\n}}"
    mask = f"{0o666 & ~change.mode:03o}"
    return f"{functions}\nput {mask} {_places(change.path)} {_bits(change.mode)} {_owner(change.owner, change.group)} {how}"


def _how(mode: int, owner: str | None, group: str | None, special: int) -> str:
    """Whether the umask can give a mode; to what is to be somebody's only where a wrong group would get no more than others."""
    is_owned = owner is not None or group is not None
    return "exact" if mode & special or (is_owned and mode >> 3 & 0o7 != mode & 0o7) else "masked"


def _too_large(change: Write) -> HostError:
    return HostError(
        "invalid",
        "A file is too large to be sent as text",
        detail=f"{change.path} is to hold {len(change.data):,} bytes, all of which a machine's shell would have in memory. "
        f"Compressed it may be {CONTENT_BYTES_MAX:,} bytes at most.",
        hint="Let the machine fetch it: `files.Download` does that, and looks at its digest.",
    )


def _content(data: bytes) -> str:
    """What prints the content."""
    if len(data) <= LITERAL_BYTES_MAX and b"\0" not in data:
        return f"printf %s {shlex.quote(data.decode(errors='surrogateescape'))}"
    packed = base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()
    return f"printf %s '{packed}' | base64 -d | gzip -dc"


def _validation(command: Command | None) -> str:
    if command is None:
        return ":"
    words = [
        shlex.quote(word).replace(PATH_MARK, "'\"$1\"'") if PATH_MARK in word else shlex.quote(word) for word in command.argv
    ]
    checked = f'{{\n{_command(command, " ".join(words), "0")}\n}} >"$S/v.out" 2>"$S/v.err"'
    return f"was=$last\n{checked} || refused && last=$was"  # How it ended says nothing of the step's own command.


def _restore(change: Restore) -> str:
    token = shlex.quote(change.token)
    words = [quoted(change.path), quoted(change.copy), quoted(parent(change.path)), token, quoted(beside(change.path))]
    otherwise = "\n".join(f"{action(item)} || return" for item in change.otherwise) or ":"
    return f"restore {' '.join(words)}\ncase $? in\n0) : ;;\n75)\n{otherwise}\n;;\n*) return 1 ;;\nesac"


def _run(change: Run) -> str:
    return _command(change.spoken, shlex.join(change.command.argv), " ".join(str(_seen(code)) for code in change.codes))


def _seen(code: int) -> int:
    """A return code as a shell sees it."""
    return SIGNALLED - code if TIMED_OUT < code < 0 else code


def _command(command: Command, words: str, codes: str) -> str:
    """A command with its folder, its variables, its user, its input and the time it may take."""
    variables = {**command.env, **command.secret_env}
    exports = [f"export {_name(name)}={shlex.quote(value)}" for name, value in variables.items()]
    given = f"input=1\ni() {{ {_content(command.stdin)}; }}" if command.stdin else "input="
    folder = quoted(command.cwd) if command.cwd else "''"
    user = shlex.quote(command.user or "")
    seconds = max(1, math.ceil(command.timeout_s))
    mask = f"M={shlex.quote(command.umask)}"
    return f"e() {{\n{chr(10).join(exports) or ':'}\n}}\n{given}\n{mask}\nrun {seconds} {user} {folder} '{codes}' {words}"


def _name(variable: str) -> str:
    if not _NAME.fullmatch(variable):
        raise HostError(
            "invalid",
            "A variable cannot be given to a command",
            detail=f"{variable!r} is no name that a shell knows, which has letters, digits and underscores.",
        )
    return variable


def _owner(owner: str | None, group: str | None) -> str:
    """What chown(1) gets; quotes around nothing where it need not be called."""
    if owner is None and group is None:
        return "''"
    return shlex.quote(f"{owner or ''}{':' + group if group is not None else ''}")
