"""What runs write into the journal and tell, word for word; `PURVEY_GOLDEN=write` writes it anew for review.

The journal is a format that later versions read, and the events are what every view of a run is made from. Each story is a
few runs, performed one operation at a time on a clock and with chance that repeat. Ids are counted in the order in which they
come (``run 1``, ``operation 3``), and times are seconds since the first.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from purvey._base.event import Event, OperationStarted, PhaseStarted, Planned, RunStarted
from purvey._plan.plan import Plan
from purvey._state.record import Approved, Opened, Record, Staged
from purvey.errors import PurveyError
from tests.golden.stories import stories
from tests.golden.stories.stories import Story
from tests.support.project import Project

FOLDER: Final = Path(__file__).parent

STORIES: Final[dict[str, Story]] = {
    name: story
    for name, story in vars(stories).items()
    if name[0] != "_" and getattr(story, "__module__", "") == stories.__name__
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
        return {name: _since(inner, start) for name, inner in value.items()}
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
            project.clock.seconds += 1

    project.watcher.react = react


def _told(project: Project, story: Story) -> Iterator[str]:
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
        yield "== approved"
        yield from _plan_lines(plan)
    yield "== told"
    yield from _lines(start, project.watcher.events)
    for refusal in refused:
        yield f"== refused: {refusal.code}"
        yield from (str(part) for part in (refusal.summary, refusal.detail, refusal.hint) if part)
    yield "== what is in the world"
    yield from project.world.log


@pytest.mark.parametrize("name", STORIES)
def test_a_story_is_written_and_told_as_ever(project: Project, name: str) -> None:
    """Every record, every approved plan, every event and every word of a refusal."""
    names = Names()
    text = "".join(f"{names.plain(line)}\n" for line in _told(project, STORIES[name])).replace(str(project.folder), "FOLDER")
    golden = FOLDER / f"{name}.txt"
    if os.environ.get("PURVEY_GOLDEN") == "write":
        golden.write_text(text)

    assert text.splitlines() == golden.read_text().splitlines()
