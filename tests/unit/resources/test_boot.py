"""How far a new machine is, from what it answers: each case is a file.

``tests/golden/boot/NAME.json`` holds a promise, the answers by the names of the questions, and the `boot` that follows. Those
whose status says ``enabled-by-sysvinit`` are from real boots with Debian's cloud-init 22.4.2.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from purvey._hosts.command import Completed
from purvey._hosts.fact import Answer, Answers, Fact, Unanswered
from purvey.resources.host import _boot

CASES = sorted((Path(__file__).parents[2] / "golden" / "boot").glob("*.json"))
QUESTIONS: dict[str, Fact] = {
    "status": _boot.STATUS, "stages": _boot.STAGES, "result": _boot.RESULT, "log": _boot.LOG, "steps": _boot.STEPS,
    "output": _boot.OUTPUT,
}  # fmt: skip


def answer(told: Any) -> Answer | Unanswered:
    """An answer as a machine gives it."""
    if isinstance(told, dict):
        return Unanswered("denied", told["denied"]) if "denied" in told else Completed(told["code"], told["text"].encode())
    return told.encode() if told is not None else None


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_how_far_a_machine_is(path: Path) -> None:
    """What the case promises."""
    case = json.loads(path.read_text(encoding="utf-8"))
    answers = Answers({fact: answer(case[name]) for name, fact in QUESTIONS.items()})

    boot = _boot.boot_of(answers)

    told = {"is": type(boot).__name__, **json.loads(msgspec.json.encode(boot))}
    assert told == case["boot"], case["promise"]


def test_every_question_is_in_the_cases() -> None:
    """What is asked of a machine is what the cases answer."""
    assert set(QUESTIONS.values()) == set(_boot.FACTS)
