"""What can be asked of a machine, as data: a question, and the shape of its answer. Asking changes nothing.

A question is its own key, so one that several objects ask is asked once. The four kinds of question are few on purpose: files
are asked about together, in one process for any number of them, and everything else is a command whose output the asker parses.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias, overload

import msgspec

from purvey._hosts.command import Completed
from purvey.errors import HostError


class FileStat(msgspec.Struct, frozen=True):
    """What is at a path; a link is not followed.

    Args:
        kind: What it is.
        mode: Permission bits with set-user-ID, set-group-ID and sticky, for example 0o644.
        owner: Name of the owner; the number as text if it has no name.
        group: Name of the group; the number as text if it has no name.
        size: Bytes of a file; 0 for all else, where file systems do not agree.
        target: Where a link points; empty otherwise.
    """

    kind: Literal["file", "directory", "link", "other"]
    mode: int
    owner: str
    group: str
    size: int
    target: str = ""


class StatOf(msgspec.Struct, frozen=True, tag="stat", tag_field="ask"):
    """What is at a path: a `FileStat`, or None if there is certainly nothing."""

    path: str


class DigestOf(msgspec.Struct, frozen=True, tag="digest", tag_field="ask"):
    """SHA-256 of a file's content in hexadecimal digits; None if there is no file, or something else than a file."""

    path: str


class ContentOf(msgspec.Struct, frozen=True, tag="content", tag_field="ask"):
    """A file's content in bytes; None if there is no file, or something else than a file."""

    path: str


class Ask(msgspec.Struct, frozen=True, tag="run", tag_field="ask"):
    """What a command that changes nothing says: a `Completed` with its standard output. It runs as we work, in the language C.

    One that cannot be run says nothing, and ends with the code 126 or 127, as in a shell.
    """

    argv: tuple[str, ...]


Fact: TypeAlias = StatOf | DigestOf | ContentOf | Ask
Answer: TypeAlias = FileStat | Completed | str | bytes | None


class Unanswered(msgspec.Struct, frozen=True):
    """Why a question has no answer: `code` is one of those of `HostError`."""

    code: Literal["denied", "failed", "invalid", "timeout"]
    summary: str
    detail: str = ""


class NotAskedError(LookupError):
    """An answer is wanted that is not known: the question was not asked, or the answer may have changed since."""

    def __init__(self, fact: Fact) -> None:
        super().__init__(repr(fact))
        self.fact = fact


class Answers:
    """What a machine has answered; looking up what has no answer raises.

    Args:
        known: The answers, and why there is none.
    """

    def __init__(self, known: Mapping[Fact, Answer | Unanswered]) -> None:
        self.known = known

    @overload
    def __getitem__(self, fact: StatOf) -> FileStat | None: ...
    @overload
    def __getitem__(self, fact: DigestOf) -> str | None: ...
    @overload
    def __getitem__(self, fact: ContentOf) -> bytes | None: ...
    @overload
    def __getitem__(self, fact: Ask) -> Completed: ...
    def __getitem__(self, fact: Fact) -> Any:
        """The answer.

        Raises:
            HostError: if the machine could not answer.
            NotAskedError: if it was not asked.
        """
        if fact not in self.known:
            raise NotAskedError(fact)
        answer = self.known[fact]
        if isinstance(answer, Unanswered):
            raise HostError(answer.code, answer.summary, detail=answer.detail)
        return answer

    def __contains__(self, fact: Fact) -> bool:
        return fact in self.known
