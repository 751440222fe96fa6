"""One operation on a machine, as data: what must still be so, what is done, and what is looked at afterwards."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from purvey._hosts.change import Change, Run
from purvey._hosts.fact import Answer, Answers, Fact, FileStat
from purvey.errors import HostError


class Step(msgspec.Struct, frozen=True):
    """One operation.

    Args:
        token: Identifies it for ever: a machine that has done it tells what it did, and does not do it again.
        attempt: Counts from 1; a failure is told again for the same attempt only.
        changes: What is done, in this order; the first failure ends it.
        guard: What the machine must answer just before, or nothing is done.
        after: What it is asked when all is done.
    """

    token: str
    attempt: int
    changes: tuple[Change, ...]
    guard: tuple[tuple[Fact, Answer], ...] = ()
    after: tuple[Fact, ...] = ()

    @property
    def once(self) -> bool:
        """Whether it must not be done again where nobody knows whether it was done."""
        return any(isinstance(change, Run) and not change.repeats for change in self.changes)

    @property
    def is_told(self) -> bool:
        """Whether people are told when it begins, because it may take a while."""
        return any(isinstance(change, Run) for change in self.changes)


class Ended(msgspec.Struct, frozen=True):
    """All of a step was done.

    Args:
        out: The end of what its commands wrote to standard output.
        err: The end of what they wrote to standard error.
        answers: What was asked afterwards.
        returncode: That of its last command; negative: the signal that ended it.
    """

    out: bytes = b""
    err: bytes = b""
    answers: Answers = Answers({})
    returncode: int = 0


class Broken(msgspec.Struct, frozen=True):
    """One of a step's changes failed, and those after it were not tried."""

    error: HostError


class Mismatch(msgspec.Struct, frozen=True):
    """The machine is not as it must be for a step, so nothing was done; `guard` says which of the guards, from 0."""

    guard: int


class Interrupted(msgspec.Struct, frozen=True):
    """The step was begun by an attempt that was cut off, and must not be done again without a person's look."""


class NotReached(msgspec.Struct, frozen=True):
    """The step was not begun, because an earlier one did not go through."""


Ending: TypeAlias = Ended | Broken | Mismatch | Interrupted | NotReached


class Machine(msgspec.Struct, frozen=True):
    """What a machine says of itself and of us.

    Args:
        user: Whom we work as.
        uid: That user's number.
        home: That user's home.
        machine_id: What machine-id(5) holds; empty where the machine has none.
        boot_id: Another one after each start; empty where the machine does not tell.
        folder: Where purvey keeps its own things there.
        umask: Which permissions that user's files do not get, in octal.
        who: What id(1) says of that user.
    """

    user: str
    uid: int
    home: str
    machine_id: str
    boot_id: str
    folder: str
    umask: str = ""
    who: str = ""


GUARDED_KINDS = frozenset({"file", "directory", "link"})
"""What a guard can tell by its mode."""


def can_guard(answer: Answer) -> bool:
    """Whether a machine can see by itself that this is still its answer."""
    return not isinstance(answer, FileStat) or answer.kind in GUARDED_KINDS
