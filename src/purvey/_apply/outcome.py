"""What an attempt led to, as a value, and what follows from it: the one place where retrying is decided. Pure."""

from __future__ import annotations

from typing import Final

import msgspec

from purvey._base.clock import Clock
from purvey._base.limits import ATTEMPTS_MAX, BACKOFF_S, BACKOFF_S_MAX
from purvey._state.journal import OF_ONE_OBJECT
from purvey.errors import InternalError, ProviderError, PurveyError, StateError
from purvey.providers import NotKnownError

TRANSIENT: Final = frozenset({"throttled", "unavailable", "timeout", "conflict", "in_use"})
"""Codes that may pass by themselves."""


UNANSWERED: Final = TRANSIENT | {"denied", "expired_credential", "schema_changed"}
"""Codes of answers that say nothing about the object, whoever asks and whatever for."""


class RetryAfter(msgspec.Struct, frozen=True):
    """Try again after so many seconds."""

    seconds: float


class GiveUp(msgspec.Struct, frozen=True):
    """No further attempt; `error` says why."""

    error: ProviderError


def judge(error: BaseException, attempt: int, *, repeats: bool, clock: Clock) -> RetryAfter | GiveUp:
    """What follows from a failed attempt.

    Args:
        error: What the provider raised.
        attempt: Which attempt it was, from 1.
        repeats: Whether the call may be made again after an ambiguous error.
        clock: For the jitter.
    """
    failure = as_provider_error(error)
    safe = not failure.may_exist or repeats
    if failure.code not in TRANSIENT or attempt >= ATTEMPTS_MAX or not safe:
        return GiveUp(failure)
    backoff = min(BACKOFF_S_MAX, BACKOFF_S * 2 ** (attempt - 1)) * clock.random()
    return RetryAfter(max(backoff, failure.retry_after_s or 0.0))


def as_provider_error(error: BaseException) -> ProviderError:
    """`error` as one with a stable code; what is not normalised by its provider is ``failed`` and may have had its effect."""
    if isinstance(error, ProviderError):
        return error
    if isinstance(error, InternalError) or (isinstance(error, StateError) and error.code not in OF_ONE_OBJECT):
        raise error  # Not the world's doing: the run ends here, and what it has begun stays in doubt.
    if isinstance(error, PurveyError):
        return ProviderError("failed", error.summary, detail=error.detail, hint=error.hint, may_exist=True)
    if isinstance(error, NotKnownError):
        return ProviderError(
            "not_found",
            "A secret that is needed is not there",
            detail=f"`{error}` was recorded, and its source does not have it any more.",
            hint="Put it back into its source, and try again.",
        )
    if isinstance(error, TimeoutError):
        return ProviderError("timeout", "A call took longer than its deadline", may_exist=True)
    text = f"{type(error).__name__}: {error}"
    return ProviderError("failed", "The provider failed in a way it does not explain", detail=text, may_exist=True)
