"""The provider behind every check: one attempt a call, evidence when it fails, nothing left behind.

Waiting is the engine's: an attempt that fails is `Pending`, its progress is the evidence, and the engine asks again until the
kind's `within_s` is over. What can never pass is a `ProviderError` with the code ``check_failed`` at once.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

import msgspec

from purvey._base.value import Value
from purvey.errors import ProviderError
from purvey.providers import Call, Done, Outcome, Pending, Provider

EVIDENCE_CHARACTERS = 300
"""How much of an answer is shown as evidence: enough for an error page's heading, little enough for one line."""


class Passed(msgspec.Struct, frozen=True):
    """The attempt succeeded; `outputs` are the kind's."""

    outputs: dict[str, Value]


class Failed(msgspec.Struct, frozen=True):
    """The attempt failed; `evidence` says what was seen, with secrets hidden."""

    evidence: str


class Probing(Protocol):
    """What a check's declaration has, beside its own inputs."""

    @property
    def every_s(self) -> float:
        """Seconds between two attempts."""


P = TypeVar("P", bound=Probing)


class ProbeProvider(Provider[P]):
    """A check's provider; subclasses say what one attempt is, and what it looks at."""

    reads = False

    async def attempt(self, call: Call, want: P) -> Passed | Failed:
        """Look once.

        Raises:
            ProviderError: ``check_failed`` if no later attempt can succeed either.
        """
        raise NotImplementedError

    def target(self, want: P) -> str:
        """What is looked at, in one short text without secrets; the check's id."""
        raise NotImplementedError

    async def create(self, call: Call, want: P) -> Outcome:
        """See `Provider.create`: the first attempt."""
        result = await self.attempt(call, want)
        if isinstance(result, Passed):
            return Done(self.target(want), result.outputs)
        return Pending(self.target(want), want.every_s, result.evidence)

    async def ready(self, call: Call, want: P) -> Outcome:
        """See `Provider.ready`: a further attempt."""
        return await self.create(call, want)

    async def update(self, call: Call, have: P, want: P) -> Outcome:
        """See `Provider.update`: the check as it reads now."""
        return await self.create(call, want)

    async def delete(self, call: Call, have: P) -> None:
        """See `Provider.delete`: a check leaves nothing behind."""

    async def undo(self, call: Call, have: P, before: P | None) -> None:
        """See `Provider.undo`: looking changed nothing."""


def impossible(problem: str, hint: str) -> ProviderError:
    """The error for a check that can never pass."""
    return ProviderError("check_failed", "A check can never pass", detail=problem, hint=hint)


def excerpt(text: str) -> str:
    """The beginning of an answer on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EVIDENCE_CHARACTERS else f"{line[:EVIDENCE_CHARACTERS]}…"


def last_words(text: str) -> str:
    """The end of what a program said, on one line: what it said last is why it ended."""
    line = " ".join(text.split())
    return line if len(line) <= EVIDENCE_CHARACTERS else f"…{line[-EVIDENCE_CHARACTERS:]}"
