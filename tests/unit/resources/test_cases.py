"""What the kinds of machines decide from what a machine answers, case by case, as `tests/cases` tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from purvey._hosts.fact import Answers
from purvey.errors import PurveyError
from tests.support.case_words import decoded_fact, plain
from tests.support.cases import NAMES, Setting, Trial, load, told_error, told_seen


@pytest.mark.parametrize("name", NAMES)
def test_what_is_asked_seen_and_done(name: str, tmp_path: Path) -> None:
    """From the facts that the case tells follow what is there, what is done and what is recorded of it."""
    case = load(name)
    trial = Trial(case, Setting(str(tmp_path)))
    told = trial.told_answers()

    assert list(trial.facts()) == [decoded_fact(fact) for fact, _ in trial.setting.filled(case.facts)]
    assert _told(trial, told) == {
        "seen": case.seen,
        "changes": case.changes,
        "outputs": case.outputs,
        "error": case.error,
    }


def _told(trial: Trial, answers: Answers) -> dict[str, Any]:
    """What follows from the answers, as the case tells it; an error of the machine's is its own business."""
    case = trial.case
    told: dict[str, Any] = {
        "seen": None,
        "changes": None,
        "outputs": {},
        "error": case.error if case.changes is not None else None,
    }
    try:
        told["seen"] = told_seen(trial.seen(answers))
        work = trial.work(answers)
        told["changes"] = plain(work.changes)
        if case.error is None:
            told["outputs"] = plain(trial.outputs(work, trial.told_end()))
    except PurveyError as error:
        told["error"] = told_error(error)
    spelt: dict[str, Any] = trial.setting.spelt(told)
    return spelt


def test_each_promise_is_made_once() -> None:
    """Two cases that promise the same are one too many."""
    promises = [load(name).promise for name in NAMES]

    assert sorted(set(promises)) == sorted(promises)
