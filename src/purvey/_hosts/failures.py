"""What a machine's programs complain of, as errors: what was to be done where, why it was not, what to do. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final, assert_never

import msgspec

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
from purvey._hosts.command import TIMED_OUT, Command, Completed, failed, not_accepted
from purvey._hosts.paths import OWN_FOLDER
from purvey._hosts.replies import returncode
from purvey.errors import Code, HostError

NOT_ACCEPTED: Final = 10_000
"""What the runner adds to the return code of a validating command that did not accept a new file."""

_RUNNER: Final = "purvey: "
_TIMEOUT: Final = r"(?:/.*/)?timeout: "  # It has the name by which it was called.
_NOT_RUN: Final = {72: _RUNNER, 126: _TIMEOUT, 127: _TIMEOUT}
"""How a command ends that could not be run, and who says why."""

_MEANT: Final[dict[int, Code]] = {126: "denied", 127: "not_found"}
"""What these codes mean, where that is said in another language than ours."""

_COMPLAINTS: Final[tuple[tuple[str, Code], ...]] = (
    ("no such file or directory", "not_found"),
    ("not a directory", "not_found"),
    ("nonexistent directory", "not_found"),
    ("directory nonexistent", "not_found"),
    ("permission denied", "denied"),
    ("operation not permitted", "denied"),
    ("read-only file system", "denied"),
    ("no space left on device", "quota_exceeded"),
    ("disk quota exceeded", "quota_exceeded"),
    ("file too large", "quota_exceeded"),
    ("file exists", "conflict"),
    ("cannot overwrite existing file", "conflict"),
    ("is a directory", "conflict"),
    ("directory not empty", "conflict"),
    ("as another user", "denied"),
)
"""How a complaint ends, in lower case."""

_UNKNOWN: Final = re.compile(r"(invalid|unknown) (user|group)|there is no user")

_HINTS: Final[dict[Code, str]] = {
    "not_found": "Declare the folder, the user or the group, and let this come after it.",
    "denied": "Work there as a user who may, or as root; or choose another path.",
    "quota_exceeded": "Nothing was changed. Make room there, then run again.",
    "conflict": "Something else is there. Move it away, or choose another path.",
}


_RUN_HINTS: Final[dict[Code, str]] = {
    "not_found": "Install it, or check the name, the folder, the user and, for a script, the interpreter in its first line.",
    "denied": "Work there as root, or as a user who may.",
}


def failure(change: Change, said: Completed, machine: str) -> HostError:
    """Why a change did not succeed.

    Args:
        change: What was to be done.
        said: The return code and what was written.
        machine: What people call the machine.
    """
    if isinstance(change, Run):
        return _of_command(change, said, machine)
    if isinstance(change, Write) and change.validate is not None and said.returncode >= NOT_ACCEPTED + TIMED_OUT:
        said = msgspec.structs.replace(said, returncode=returncode(said.returncode - NOT_ACCEPTED))
        if (error := not_run(change.validate, said, machine)) is not None:
            return error
        told = PurePosixPath(change.path).name if change.path.startswith(OWN_FOLDER) else change.path
        return not_accepted(f"{told} on {machine}", change.validate.about(told), said)
    text = said.stderr.decode(errors="replace").strip()
    code = code_of(text)
    doing = _doing(change)
    return HostError(
        code, f"A file or folder could not be {doing}", detail=f"{change.path} on {machine} could not be {doing}:\n{text}",
        hint=_HINTS.get(code, ""),
    )  # fmt: skip


def code_of(complaint: str) -> Code:
    """The stable code of what a program of the machine complained of; its last complaint that is known counts."""
    for line in reversed(complaint.splitlines()):
        if _UNKNOWN.search(line):
            return "not_found"
        for words, code in _COMPLAINTS:
            if line.lower().rstrip().endswith(words):
                return code
    return "failed"


def not_run(command: Command, said: Completed, machine: str) -> HostError | None:
    """Why a command could not be run; None if it was."""
    last = said.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    if said.returncode not in _NOT_RUN or not re.match(_NOT_RUN[said.returncode], last):
        return None
    code = code_of(last)
    if code == "failed":
        code = _MEANT.get(said.returncode, code)
    detail = f"On {machine}: {last.partition(': ')[2]}. The command is:\n  {command}"
    return HostError(code, "A command cannot be run", detail=detail, hint=_RUN_HINTS.get(code, ""))


def _of_command(change: Run, said: Completed, machine: str) -> HostError:
    error = not_run(change.command, said, machine) or failed(change.command, said)
    if not error.detail.startswith(f"On {machine}"):
        error.detail = f"On {machine}: {error.detail}"
    return error


def _doing(change: Write | MakeDirectory | MakeOwnFolder | MakeLink | SetAttributes | Remove | Keep | Restore) -> str:
    """What was to be done, as it stands after "could not be"."""
    match change:
        case Write() | Restore():
            return "written"
        case MakeDirectory() | MakeOwnFolder():
            return "made"
        case MakeLink():
            return "linked"
        case SetAttributes():
            return "given its owner and mode"
        case Remove():
            return "removed"
        case Keep():
            return "kept for an undo"
    assert_never(change)
