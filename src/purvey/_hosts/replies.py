"""From frames to answers: what the machine's programs printed, as values. Pure.

Programs complain in many ways, and put names in quotes in as many. So a complaint is never read for the name that it is about:
answers come in the order of what was asked, complaints too, and what has no answer has the next complaint.
"""

from __future__ import annotations

import re
import stat as modes
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, TypeVar

from purvey._hosts.actions import SIGNALLED
from purvey._hosts.command import Completed
from purvey._hosts.fact import Answer, Ask, DigestOf, Fact, FileStat, StatOf, Unanswered
from purvey._hosts.frames import Frame
from purvey._hosts.paths import OWN_FOLDER
from purvey._hosts.program import digested, paths_of
from purvey._hosts.step import Machine
from purvey.errors import HostError

_ABSENT: Final = (b"No such file or directory", b"Not a directory")
_DENIED: Final = b"Permission denied"
_UNKNOWN: Final = b"UNKNOWN"
_SUMMARY: Final = "A file or folder could not be looked at"

_STAT: Final = re.compile(rb"([0-9a-f]+):(\d+):(\d+):(\d+):([^:\n]*):([^:\n]*):")
"""Mode, size, numbers and names of owner and group; the name of the file follows, and that of a link's target."""

_DIGEST_DIGITS: Final = 64

Looked = FileStat | None | Unanswered
T = TypeVar("T")


def machine_of(frame: Frame) -> Machine:
    """What a machine says of itself."""
    who, home, machine_id, boot_id, folder, umask = frame.data.decode(errors="surrogateescape").split("\n")
    found = re.match(r"uid=(\d+)(?:\(([^)]*)\))?", who)
    if found is None:
        raise HostError("failed", "A machine does not say who we are", detail=f"id(1) there says: {who}")
    return Machine(found[2] or found[1], int(found[1]), home, machine_id, boot_id, folder, umask, who)


def begun_of(frame: Frame) -> frozenset[str]:
    """The tokens of the steps that a machine's log tells of."""
    found = (line.split() for line in frame.data.decode(errors="replace").splitlines() if line)
    return frozenset(words[1] if words[0] == "D" else words[1].rpartition(".")[0] for words in found)


def returncode(code: int) -> int:
    """What a shell tells of a command's end, as `Completed` has it: a signal is negative."""
    return SIGNALLED - code if SIGNALLED < code < SIGNALLED + 65 else code


def answers_of(facts: Sequence[Fact], frames: Iterable[Frame], folder: str) -> dict[Fact, Answer | Unanswered]:
    """The answers to `facts`, from the frames that follow a hello or the end of a step.

    Args:
        facts: What was asked.
        frames: The answers' frames.
        folder: Where purvey keeps its own things on the machine.
    """
    told: dict[str, bytes] = dict.fromkeys(("stats", "unseen", "digests", "unread"), b"")
    alone: dict[Fact, tuple[bytes, str]] = {}
    last = Frame("")
    for frame in frames:
        if frame.kind in told:
            told[frame.kind] += frame.data
        elif frame.kind == "code":
            alone[facts[int(last.words[0])]] = (last.data, frame.words[0])
        last = frame
    looked = _stats(paths_of(facts), told["stats"], told["unseen"], folder)
    files = [path for path in digested(facts) if isinstance(found := looked[path], FileStat) and found.kind == "file"]
    digests = _digests(files, told["digests"], told["unread"], folder)
    return {fact: _answer(fact, looked, digests, alone) for fact in facts}


def _answer(
    fact: Fact, looked: dict[str, Looked], digests: dict[str, str | Unanswered], alone: dict[Fact, tuple[bytes, str]]
) -> Answer | Unanswered:
    if isinstance(fact, Ask):
        said, code = alone[fact]
        return Completed(returncode(int(code)), said)
    found = looked[fact.path]
    if isinstance(fact, StatOf) or isinstance(found, Unanswered):
        return found
    if found is None or found.kind != "file":
        return None
    if isinstance(fact, DigestOf):
        return digests[fact.path]
    said, code = alone[fact]
    if code == "0":
        return said
    return _unread(fact.path, _DENIED if code == "denied" else b"")


def _unread(path: str, complaint: bytes) -> Unanswered:
    """What a complaint about a path means."""
    if complaint.endswith(_DENIED):
        return Unanswered("denied", _SUMMARY, f"{path} may not be read, or a folder on the way to it may not be entered.")
    why = complaint.decode(errors="replace") or "What the machine said of it is not clear; it may have changed meanwhile."
    return Unanswered("failed", _SUMMARY, f"{path} could not be looked at: {why}")


def _aligned(
    paths: Sequence[str], said: bytes, complaints: bytes, read: Callable[[bytes, int, str], tuple[T, int] | None]
) -> dict[str, T | bytes]:
    """What is said of each path: what `read` makes of it, else its complaint; empty where the two do not fit together."""
    found: dict[str, T | bytes] = {}
    at = 0
    for path in paths:
        if (value := read(said, at, path)) is not None:
            found[path], at = value
    silent = [path for path in paths if path not in found]
    lines = [line for line in complaints.split(b"\n") if line]
    if len(lines) != len(silent):
        lines = [b""] * len(silent)
    return found | dict(zip(silent, lines, strict=True))


def _stats(paths: Sequence[str], said: bytes, complaints: bytes, folder: str) -> dict[str, Looked]:
    found = _aligned(paths, said, complaints, lambda data, at, path: _stat(data, at, _real(path, folder)))
    return {path: _missing(path, value) if isinstance(value, bytes) else value for path, value in found.items()}


def _stat(data: bytes, at: int, real: bytes) -> tuple[FileStat, int] | None:
    """What is said of `real` from `at` on, and where it ends; None if it is of another path."""
    words = _STAT.match(data, at)
    if words is None:
        return None
    bits, size = int(words[1], 16), int(words[2])
    kind = _kind(bits)
    quote = b"'" if data.startswith(b"'", words.end()) else b""
    begin = words.end() + len(quote + real + quote)
    if data[words.end() : begin] != quote + real + quote:
        return None
    target, end = b"", begin
    if kind == "link":
        begin += len(b" -> " + quote)
        end = (begin + size if size else data.find(quote + b"\n", begin)) + len(quote)
        target = data[begin : end - len(quote)]
    if data[end : end + 1] != b"\n":
        return None
    user, group = ((words[number] if words[name] == _UNKNOWN else words[name]) for number, name in ((3, 5), (4, 6)))
    found = FileStat(kind, modes.S_IMODE(bits), _text(user), _text(group), size if kind == "file" else 0, _text(target))
    return found, end + 1


def _kind(bits: int) -> Literal["file", "directory", "link", "other"]:
    if modes.S_ISREG(bits):
        return "file"
    if modes.S_ISDIR(bits):
        return "directory"
    return "link" if modes.S_ISLNK(bits) else "other"


def _missing(path: str, complaint: bytes) -> Unanswered | None:
    """What it means that there is only a complaint about a path; absent only if that was said."""
    return None if complaint.endswith(_ABSENT) else _unread(path, complaint)


def _digests(paths: Sequence[str], said: bytes, complaints: bytes, folder: str) -> dict[str, str | Unanswered]:
    found = _aligned(paths, said, complaints, lambda data, at, path: _digest(data, at, _real(path, folder)))
    return {path: _unread(path, value) if isinstance(value, bytes) else value for path, value in found.items()}


def _digest(data: bytes, at: int, real: bytes) -> tuple[str, int] | None:
    """The digest at `at`, if it is of `real`; GNU puts a backslash before it for one, or a carriage return, in the name."""
    begin = at + data.startswith(b"\\", at)
    end = begin + _DIGEST_DIGITS
    escaped = real.replace(b"\\", b"\\\\")
    names = (escaped, escaped.replace(b"\r", b"\\r")) if begin > at else (real,)
    for name in names:
        if data.startswith(b"  %b\n" % name, end):
            return data[begin:end].decode(), end + len(name) + len(b"  \n")
    return None


def _real(path: str, folder: str) -> bytes:
    whole = folder + path[len(OWN_FOLDER) :] if path.startswith(OWN_FOLDER) else path
    return whole.encode(errors="surrogateescape")


def _text(data: bytes) -> str:
    return data.decode(errors="surrogateescape")
