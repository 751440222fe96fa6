"""Behaviours of checks: they pass, wait, and fail with evidence in their time, and change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from purvey._base.clock import SystemClock
from purvey._base.event import Event, OperationProgress
from purvey._state.record import Begun
from purvey.testing.conformance._project import look_away, require

if TYPE_CHECKING:
    from purvey._session import RunHistory
    from purvey._state.history import ChangeHistory
    from purvey.testing.conformance._case import CheckCase, CheckWish
    from purvey.testing.conformance._project import Project

FAILS_WITHIN_S: Final = 10.0
"""Until a check that cannot pass must have said so: two seconds of its own, and a machine that is busy."""


def passes(project: Project, case: CheckCase) -> None:
    """A check whose promise holds passes at the first attempt, changes nothing, and does not run again."""
    _begin(project, case, "passing")
    before = case.look()

    with _watched(project) as waits:
        run = project.apply("passing")

    require([item.result for item in _checked(project, run)] == ["done"], "it was to pass", _checked(project, run))
    require(not waits, "it waits although its promise holds", *waits)
    _require_harmless(project, case, run, before)
    project.settled("passing")
    require(not _checked(project, project.apply("passing")), "it ran again although nothing changed")


def waits(project: Project, case: CheckCase) -> None:
    """A check whose promise does not hold yet waits, and passes as soon as it does."""
    _begin(project, case, "failing")
    with _watched(project, lambda: case.prepare("passing")) as waits:
        project.apply("passing")
    require(bool(waits), "it passed before its promise held")


def fails(project: Project, case: CheckCase) -> None:
    """A check whose promise does not hold fails within its time, with evidence, and changes nothing."""
    _begin(project, case, "failing")
    run = _failed(project, case, "failing")
    require(case.evidence in run.cause_detail, f"the evidence {case.evidence!r} is not in", run.cause_detail)


def impossible(project: Project, case: CheckCase) -> None:
    """A check that can never pass fails at the first attempt, says why, and changes nothing."""
    _begin(project, case, "passing")
    with _watched(project) as waits:
        _failed(project, case, "impossible")
    require(not waits, "it waits for what can never be", *waits)


@contextmanager
def _watched(project: Project, act: Callable[[], None] | None = None) -> Iterator[list[str]]:
    """What the check says while it waits; at its first word, `act` is done."""
    said: list[str] = []

    def react(event: Event) -> None:
        if isinstance(event, OperationProgress) and event.address == project.address:
            said.append(event.text)
            if act is not None and len(said) == 1:
                act()

    project.react = react
    try:
        yield said
    finally:
        project.react = look_away


def _begin(project: Project, case: CheckCase, wish: CheckWish) -> None:
    project.apply("")
    case.prepare(wish)


def _failed(project: Project, case: CheckCase, wish: CheckWish) -> RunHistory:
    before, clock = case.look(), SystemClock()
    began = clock.monotonic()
    run = project.attempt(wish)
    seconds = clock.monotonic() - began
    require(run.result in ("kept", "undone"), f"with a check that fails the run ended {run.result}", run.cause)
    require(run.cause_address == project.address, "another node is said to have failed", run.cause_address)
    require(bool(run.cause_detail), "the failure is not explained", run.cause)
    require(seconds < FAILS_WITHIN_S, f"it failed after {seconds:.1f} s only")
    _require_harmless(project, case, run, before)
    require(not project.recorded(), "a check that failed is recorded as passed", project.recorded())
    return run


def _require_harmless(project: Project, case: CheckCase, run: RunHistory, before: object) -> None:
    require(case.look() == before, "the check has changed what it looked at", before, case.look())
    begun = [item.verb for item in project.records(run) if isinstance(item, Begun) and item.address == project.address]
    require(not begun, "a check has an effect in the journal", begun)
    folder = project.object_folder()
    require(not folder.exists(), "a check keeps files", folder)


def _checked(project: Project, run: RunHistory) -> list[ChangeHistory]:
    return [item for item in run.changes if item.address == project.address and item.action == "check"]
