"""What runs write into the journal and tell, word for word; `PURVEY_GOLDEN=write` writes it anew for review.

The journal is a format that later versions read, and the events are what every view of a run is made from. Each story is a
few runs, performed one operation at a time on a clock and with chance that repeat. Ids are counted in the order in which they
come (``run 1``, ``operation 3``), and times are seconds since the first.
"""

from __future__ import annotations

import functools
import itertools
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from purvey._base.event import Event, OperationStarted, PhaseStarted, Planned, RunStarted
from purvey._plan.plan import Plan
from purvey._script.step import StepProvider
from purvey._state.record import Approved, Opened, Record, Staged
from purvey.errors import PurveyError
from purvey.providers import Call, Provider
from tests.golden.stories import changes, kills, undos
from tests.golden.stories.acts import Story
from tests.support import kinds
from tests.support.kiln import KilnProvider
from tests.support.project import Project

FOLDER: Final = Path(__file__).parent

STORIES: Final[dict[str, Story]] = {
    name: item
    for module in (changes, kills, undos)
    for name, item in vars(module).items()
    if name[0] != "_" and getattr(item, "__module__", "") == module.__name__
}

_ULID: Final = re.compile(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b")
_HEX: Final = re.compile(r"\b[0-9a-f]{32}\b")
_OF_NO_STORY: Final = (Opened, Approved, Staged, RunStarted, PhaseStarted, Planned)
"""What tells of the script, the machine and the run as a whole, rather than of its operations."""


class Names:
    """Gives what chance made a name that repeats."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}

    def plain(self, text: str) -> str:
        """`text`, with each id as a count."""
        text = _ULID.sub(lambda found: self._named("id", found[0]), text)
        return _HEX.sub(lambda found: self._named("hex", found[0]), text)

    def _named(self, what: str, found: str) -> str:
        count = sum(name.startswith(f"{what}-") for name in self._seen.values())
        return self._seen.setdefault(found, f"{what}-{count + 1}")


def _lines(start: float, items: list[Record] | list[Event]) -> Iterator[str]:
    for item in items:
        if not isinstance(item, _OF_NO_STORY):
            yield msgspec.json.encode(_since(msgspec.to_builtins(item), start)).decode()


def _since(value: Any, start: float) -> Any:
    """`value`, with times since `start`, to a tenth of a second."""
    if isinstance(value, dict):
        return {name: inner if name == "seconds" else _since(inner, start) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_since(inner, start) for inner in value]
    if isinstance(value, float):
        return round(value - start if value > start - 1 else value, 1)
    return value


def _plan_lines(plan: Plan) -> Iterator[str]:
    for change in plan.changes:
        yield msgspec.json.encode({"change": msgspec.to_builtins(change)}).decode()
    for name, operations in (("operation", plan.operations), ("deletion", plan.deletions)):
        for operation in operations:
            yield msgspec.json.encode({name: msgspec.to_builtins(operation)}).decode()


def _takes_time(project: Project) -> None:
    """Let every operation take a second more than what it waits for."""

    def react(event: Event) -> None:
        if isinstance(event, OperationStarted):
            project.clock.seconds += 1.00049

    project.watcher.react = react


CALLS: Final = ("create", "find", "update", "delete", "undo", "ready")


class Calls:
    """Every call of a provider but the reads, with what it was given."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.lines: list[str] = []
        self._inside: set[int] = set()
        for provider in (
            Provider,
            StepProvider,
            KilnProvider,
            *(item for item in vars(kinds).values() if isinstance(item, type)),
        ):
            for name in CALLS:
                if issubclass(provider, Provider) and name in vars(provider):
                    patch.setattr(provider, name, self._heard(name, getattr(provider, name)))

    def _heard(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        async def heard(provider: Any, call: Call, *views: Any) -> Any:
            is_outer = id(call) not in self._inside
            if is_outer:
                gate = {what: getattr(call, what) for what in ("address", "name", "id", "token", "undoes", "run")}
                self.lines.append(
                    msgspec.json.encode({"call": name, **gate, "given": [_given(view) for view in views]}).decode()
                )
                self._inside.add(id(call))
            try:
                return await method(provider, call, *views)
            finally:
                if is_outer:
                    self._inside.discard(id(call))

        return heard


def _folded(lines: list[str]) -> Iterator[str]:
    """Lines, with what is said again and again said once."""
    for line, same in itertools.groupby(lines):
        count = sum(1 for _ in same)
        yield line if count == 1 else f"{line} {count} times"


def _given(view: Any) -> Any:
    """What a provider sees of an object; of one inside it, the address."""
    return view and {name: repr(value) for name, value in sorted(view._values.items())}


def _told(project: Project, story: Story, calls: Calls) -> Iterator[str]:
    _takes_time(project)
    start = project.clock.now()
    refused: list[PurveyError] = []
    try:
        story(project)
    except PurveyError as error:
        refused.append(error)
    store = project.store()
    try:
        rows = [row for stack in sorted(store.stacks()) for row in reversed(store.runs(stack, 100))]
        for row in rows:
            yield f"== the journal of {row.id}"
            yield from _lines(start, store.records(row.id))
    finally:
        store.close()
    for plan in getattr(project, "approved", []):
        yield f"== approved: {plan.verb} of {plan.stack}"
        yield from _plan_lines(plan)
    yield "== told"
    yield from _lines(start, project.watcher.events)
    yield "== called"
    yield from _folded(calls.lines)
    for refusal in refused:
        yield f"== refused: {refusal.code}"
        yield from (
            str(part) for part in (refusal.source, refusal.address, refusal.summary, refusal.detail, refusal.hint) if part
        )
    yield "== what is in the world"
    yield from project.world.log


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_written_and_told_as_ever(project: Project, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Every record, every approved plan, every event, every call and every word of a refusal."""
    names, calls = Names(), Calls(monkeypatch)
    text = "".join(f"{names.plain(line)}\n" for line in _told(project, STORIES[name], calls)).replace(
        str(project.folder), "FOLDER"
    )
    golden = FOLDER / f"{name}.txt"
    if os.environ.get("PURVEY_GOLDEN") == "write":
        golden.write_text(text)

    assert text.splitlines() == golden.read_text().splitlines()
