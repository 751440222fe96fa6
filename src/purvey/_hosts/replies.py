"""From frames to answers: what the machine's programs printed, as values. Pure."""

from __future__ import annotations

import re
import stat as modes
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, Literal

from purvey._hosts.command import Completed
from purvey._hosts.fact import Answer, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf, Unanswered
from purvey._hosts.frames import Frame
from purvey._hosts.program import OWN_FOLDER
from purvey._hosts.step import Machine
from purvey.errors import HostError

_ABSENT: Final = (b"No such file or directory", b"Not a directory")
_DENIED: Final = b"Permission denied"
_UNKNOWN: Final = "UNKNOWN"


def machine_of(frame: Frame) -> Machine:
    """What a machine says of itself."""
    who, home, machine_id, boot_id, folder = frame.data.decode(errors="surrogateescape").split("\n")
    found = re.match(r"uid=(\d+)(?:\(([^)]*)\))?", who)
    if found is None:
        raise HostError("failed", "A machine does not say who we are", detail=f"id(1) there says: {who}")
    return Machine(found[2] or found[1], int(found[1]), home, machine_id, boot_id, folder)


def answers_of(facts: Sequence[Fact], frames: Iterable[Frame], folder: str) -> dict[Fact, Answer | Unanswered]:
    """The answers to `facts`, from the frames that follow a hello or the end of a step.

    Args:
        facts: What was asked.
        frames: The answers' frames.
        folder: Where purvey keeps its own things on the machine.
    """
    found: dict[Fact, Answer | Unanswered] = {}
    last = Frame("")
    for frame in frames:
        if frame.kind == "stats":
            found |= _stats([fact for fact in facts if isinstance(fact, StatOf)], frame.data, folder)
        elif frame.kind == "digests":
            found |= _digests([fact for fact in facts if isinstance(fact, DigestOf)], frame.data, folder)
        elif frame.kind == "code":
            fact = facts[int(last.words[0])]
            found[fact] = _one(fact, last.data, frame.words[0])
        last = frame
    return found


def _one(fact: Fact, data: bytes, code: str) -> Answer | Unanswered:
    """The answer to a question that was asked alone."""
    if isinstance(fact, Ask):
        return Completed(int(code), data)
    assert isinstance(fact, ContentOf)  # All others are asked together.
    if code == "none":
        return None
    return data if code == "0" else _unreadable("denied", fact.path, "it may not be read")


def _unreadable(code: Literal["denied", "failed"], path: str, why: str) -> Unanswered:
    return Unanswered(code, "A file or folder could not be looked at", f"{path} could not be looked at: {why}.")


def _stats(facts: Sequence[StatOf], data: bytes, folder: str) -> dict[Fact, Answer | Unanswered]:
    asked = {_real(fact.path, folder): fact for fact in facts}
    found: dict[Fact, Answer | Unanswered] = {}
    complaints: list[bytes] = []
    for line in data.split(b"\n"):
        words = line.split(b" ", 6)
        path = next((path for path in _names(words[-1]) if path in asked), None) if len(words) == 7 else None  # noqa: PLR2004
        if path is None:
            complaints.append(line)
        else:
            found[asked[path]] = _stat(words, path)
    for path, fact in asked.items():
        if fact not in found:
            found[fact] = _missing(path, fact.path, complaints)
    return found


def _names(rest: bytes) -> Iterator[bytes]:
    """What may be the name in ``NAME|NAME -> TARGET``: a name may hold the bar itself."""
    at = rest.find(b"|")
    while at >= 0:
        yield rest[:at]
        at = rest.find(b"|", at + 1)


def _stat(words: Sequence[bytes], path: bytes) -> FileStat:
    mode = int(words[0], 16)
    user, group = words[4].decode(), words[5].decode()
    kind: Literal["file", "directory", "link", "other"] = "other"
    if modes.S_ISREG(mode):
        kind = "file"
    elif modes.S_ISDIR(mode):
        kind = "directory"
    elif modes.S_ISLNK(mode):
        kind = "link"
    return FileStat(
        kind=kind,
        mode=modes.S_IMODE(mode),
        owner=user if user != _UNKNOWN else words[2].decode(),
        group=group if group != _UNKNOWN else words[3].decode(),
        size=int(words[1]),
        target=_target(words[6][len(path) + 1 :], path) if kind == "link" else "",
    )


def _target(shown: bytes, path: bytes) -> str:
    """Where a link points, from ``NAME -> TARGET``; some programs put both in quotes."""
    plain = path + b" -> "
    target = shown[len(plain) :] if shown.startswith(plain) else shown.partition(b"' -> '")[2].removesuffix(b"'")
    return target.decode(errors="surrogateescape")


def _missing(real: bytes, path: str, complaints: Sequence[bytes]) -> Answer | Unanswered:
    """What it means that nothing was said of a path; absent only if that was said."""
    about = [line for line in complaints if real in line]
    if about and all(line.endswith(_ABSENT) for line in about):
        return None
    if any(line.endswith(_DENIED) for line in about):
        return _unreadable("denied", path, "a folder on the way may not be entered")
    return _unreadable("failed", path, about[0].decode(errors="replace") if about else "the machine said nothing of it")


def _digests(facts: Sequence[DigestOf], data: bytes, folder: str) -> dict[Fact, Answer | Unanswered]:
    asked = {_real(fact.path, folder): fact for fact in facts}
    found: dict[Fact, Answer | Unanswered] = dict.fromkeys(facts)
    for line in data.split(b"\n"):
        escaped = line.startswith(b"\\")  # GNU's way of a backslash in a name.
        digest, _, name = line.removeprefix(b"\\").partition(b"  ")
        path = name.replace(b"\\\\", b"\\") if escaped else name
        if path in asked:
            found[asked[path]] = digest.decode()
            continue
        for real, fact in asked.items():
            if real in line and line.endswith(_DENIED):
                found[fact] = _unreadable("denied", fact.path, "it may not be read")
    return found


def _real(path: str, folder: str) -> bytes:
    whole = folder + path[len(OWN_FOLDER) :] if path.startswith(OWN_FOLDER) else path
    return whole.encode(errors="surrogateescape")
