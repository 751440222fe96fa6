"""Retrying is decided in one place: what may pass by itself, what is safe to call again, and for how long."""

from __future__ import annotations

import pytest

from purvey._apply.outcome import TRANSIENT, GiveUp, RetryAfter, as_provider_error, judge
from purvey._base.limits import ATTEMPTS_MAX, BACKOFF_S, BACKOFF_S_MAX
from purvey.errors import CODES, InternalError, ProviderError, ScriptError, StateError
from tests.support.clock import VirtualClock


def _error(code: str = "unavailable", *, may_exist: bool = False, retry_after_s: float | None = None) -> ProviderError:
    return ProviderError(code, "no", may_exist=may_exist, retry_after_s=retry_after_s)  # type: ignore[arg-type]


@pytest.mark.parametrize("code", sorted(CODES))
def test_only_what_may_pass_is_tried_again(code: str) -> None:
    """A definite refusal is final at once."""
    verdict = judge(_error(code), 1, clock=VirtualClock(), repeats=True)
    assert isinstance(verdict, RetryAfter) == (code in TRANSIENT)


@pytest.mark.parametrize("repeats", [True, False])
def test_ambiguous_errors_are_retried_only_where_that_is_safe(*, repeats: bool) -> None:
    """Never where a second call could make a second object."""
    verdict = judge(_error(may_exist=True), 1, clock=VirtualClock(), repeats=repeats)
    assert isinstance(verdict, RetryAfter) == repeats
    assert isinstance(judge(_error(), 1, clock=VirtualClock(), repeats=repeats), RetryAfter)


def test_back_off_grows_with_jitter_to_a_bound() -> None:
    """Full jitter under a doubling bound; after the last attempt there is none."""
    clock = VirtualClock(seed=7)
    for attempt in range(1, ATTEMPTS_MAX):
        bound = min(BACKOFF_S_MAX, BACKOFF_S * 2 ** (attempt - 1))
        waits = [judge(_error(), attempt, clock=clock, repeats=True) for _ in range(200)]
        seconds = [wait.seconds for wait in waits if isinstance(wait, RetryAfter)]
        assert len(seconds) == 200
        assert 0 <= min(seconds) < bound * 0.1
        assert bound * 0.9 < max(seconds) <= bound
    assert isinstance(judge(_error(), ATTEMPTS_MAX, clock=clock, repeats=True), GiveUp)


def test_the_server_may_ask_for_more_patience() -> None:
    """Its wish is a lower bound."""
    verdict = judge(_error("throttled", retry_after_s=40.0), 1, clock=VirtualClock(), repeats=True)
    assert isinstance(verdict, RetryAfter)
    assert verdict.seconds == 40.0


def test_every_error_gets_a_stable_code() -> None:
    """What a provider did not normalise may have had its effect; our own bugs are never swallowed."""
    assert as_provider_error(TimeoutError()).code == "timeout"
    odd = as_provider_error(ValueError("odd"))
    assert (odd.code, odd.may_exist, odd.detail) == ("failed", True, "ValueError: odd")
    assert as_provider_error(StateError("state.tagged_out", "no", detail="why")).detail == "why"
    assert as_provider_error(ScriptError("script.x", "no")).may_exist
    own = _error()
    assert as_provider_error(own) is own
    with pytest.raises(InternalError):
        as_provider_error(InternalError("x"))


@pytest.mark.parametrize("code", ["state.lease_lost", "state.write_failed", "state.locked", "state.fenced"])
def test_an_error_of_the_store_is_not_the_world_s(code: str) -> None:
    """It says nothing about the object, so it ends the run instead of the operation."""
    with pytest.raises(StateError):
        as_provider_error(StateError(code, "no"))
