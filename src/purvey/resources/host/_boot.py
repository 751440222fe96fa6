"""How far a new machine is, read from what cloud-init and the agent in the user data leave on it. Pure.

cloud-init tells the state it is in when it is asked, the stage in ``status.json``, and every error of a finished boot in
``result.json``; what its commands said is in a log. The agent tells of each of its steps (`agent.sh`), and so names the command
that failed while the machine is still at work.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec

from purvey._hosts.command import EVIDENCE_LINES
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact
from purvey.errors import HostError

STATUS: Final = Ask(("cloud-init", "status", "--format", "json"))
STAGES: Final = Ask(("cat", "/run/cloud-init/status.json"))
RESULT: Final = Ask(("cat", "/run/cloud-init/result.json"))
LOG: Final = Ask(("tail", "-c", "4096", "/var/log/cloud-init-output.log"))
STEPS: Final = ContentOf("/run/purvey-bootstrap/results")
OUTPUT: Final = Ask(("tail", "-c", "4096", "/run/purvey-bootstrap/output"))

FACTS: Final[tuple[Fact, ...]] = (STATUS, STAGES, RESULT, LOG, STEPS, OUTPUT)
"""What is asked, in one go. Those of cloud-init's files are links, whose content is asked of a program."""

_NO_SUCH_PROGRAM: Final = 127

_PAIR: Final = re.compile(r"\('(?P<module>[\w-]+)', \w+\((?P<quote>['\"])(?P<text>.*)(?P=quote),?\)\)", re.DOTALL)
"""How cloud-init writes down the error of a module: as the pair of its name and a Python exception."""


class Ready(msgspec.Struct, frozen=True):
    """The machine has done all it was told; `warnings` are what cloud-init could do without."""

    datasource: str
    seconds: float
    warnings: tuple[str, ...] = ()


class Working(msgspec.Struct, frozen=True):
    """The machine is at work; `progress` says at what."""

    progress: str


class Broken(msgspec.Struct, frozen=True):
    """The machine will not be ready; `problem` shows the command that failed and what it said."""

    problem: str
    hint: str = ""


Boot: TypeAlias = Ready | Working | Broken


class _Step(msgspec.Struct):
    """A step of the agent; without a code it has not ended."""

    number: str
    title: str
    code: int | None = None
    seconds: str = ""


def boot_of(answers: Answers) -> Boot:
    """How far the machine is, from the answers to `FACTS`."""
    step = _last_step(_text(answers, STEPS))
    if step is not None and step.code:
        return Broken(_failed_step(step, _text(answers, OUTPUT)))
    status, stages, result = _object(_text(answers, STATUS)), _v1(answers, STAGES), _v1(answers, RESULT)
    state = str(status.get("status") or ("done" if result else "running" if stages else ""))
    errors = _strings(status.get("errors")) or _strings(result.get("errors"))
    if state == "error" or errors:
        return Broken(_failed_modules(errors, _text(answers, LOG)))
    if state in ("running", "not run", "not started"):
        return Working(_progress(step, stages))
    if state == "done":
        return Ready(str(status.get("datasource") or result.get("datasource") or ""), _seconds(stages), _warnings(status))
    return _unfit(answers, state, status)


def _unfit(answers: Answers, state: str, status: Mapping[str, Any]) -> Broken:
    """A machine on which cloud-init does nothing, or says nothing that is known."""
    if state == "disabled":
        why = status.get("detail") or "it does not say why"
        return Broken(f"cloud-init is disabled on it: {why}", "Make it from an image in which cloud-init is enabled.")
    try:
        completed = answers[STATUS]
    except HostError as error:
        return Broken(f"{error.summary}. {error.detail}", error.hint)
    if completed.returncode == _NO_SUCH_PROGRAM:
        return Broken(
            "It has no cloud-init, which would have read its user data.",
            "Make it from an image that has it; where nothing is to be waited for, leave this node out.",
        )
    return Broken(
        f"`{' '.join(STATUS.argv)}` ended with code {completed.returncode} and said:\n{_last_lines(completed.text())}",
        "Look on the machine what is wrong with its cloud-init.",
    )


def _progress(step: _Step | None, stages: Mapping[str, Any]) -> str:
    if step is not None and step.code is None:
        return f"step {step.number}: {step.title}"
    if not stages:
        return "cloud-init has not begun"
    stage = stages.get("stage")
    return f"cloud-init is in its stage {stage}" if stage else "cloud-init is between two stages"


def _failed_step(step: _Step, said: str) -> str:
    return f"Step {step.number} ended with code {step.code} after {step.seconds} s: {step.title}\n{_last_lines(said)}"


def _failed_modules(errors: tuple[str, ...], log: str) -> str:
    """What cloud-init says of its errors, and the end of its log, where alone a command's own words are."""
    told = "\n".join(f"  {_readable(error)}" for error in errors) or "  (it does not say which)"
    return f"cloud-init has failed:\n{told}\nThe end of its log:\n{_last_lines(log)}"


def _readable(error: str) -> str:
    """An error as a person writes it: the module, and the exception's own text."""
    pair = _PAIR.fullmatch(error)
    return error if pair is None else f"{pair['module']}: " + pair["text"].replace("\\n", "\n    ")


def _last_step(results: str) -> _Step | None:
    """The step that was begun last, from the agent's lines."""
    step = None
    for line in results.splitlines():
        word, number, first, rest = [*line.split(" ", 3), "", "", ""][:4]
        if word == "begin":
            step = _Step(number, rest)
        elif word == "end" and step is not None and first.isdecimal():
            step.code, step.seconds = int(first), rest
    return step


def _warnings(status: Mapping[str, Any]) -> tuple[str, ...]:
    found = status.get("recoverable_errors")
    levels = found.values() if isinstance(found, dict) else ()
    return tuple(text for level in levels for text in _strings(level))


def _seconds(stages: Mapping[str, Any]) -> float:
    """From the beginning of the first stage to the end of the last."""
    told = [stage for stage in stages.values() if isinstance(stage, dict)]
    begun = [time for stage in told if isinstance(time := stage.get("start"), float)]
    ended = [time for stage in told if isinstance(time := stage.get("finished"), float)]
    return round(max(ended) - min(begun), 3) if begun and ended else 0.0


def _v1(answers: Answers, fact: Ask) -> Mapping[str, Any]:
    found = _object(_text(answers, fact)).get("v1")
    return found if isinstance(found, dict) else {}


def _object(text: str) -> Mapping[str, Any]:
    """An object of JSON; nothing where there is none, as with a version that does not know the format."""
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(answers: Answers, fact: Fact) -> str:
    """What there is to read; nothing where it is not there, or not for us."""
    try:
        answer: object = answers.__getitem__(fact)
    except HostError:
        return ""
    raw = answer if isinstance(answer, bytes) else getattr(answer, "stdout", b"")
    return raw.decode(errors="replace").strip()


def _strings(value: Any) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


def _last_lines(text: str) -> str:
    lines = [line for line in text.splitlines() if not line.startswith("ci-info:")]  # Tables of the network.
    return "\n".join(f"  {line}" for line in lines[-EVIDENCE_LINES:]) or "  (nothing, or nothing that we may read)"
