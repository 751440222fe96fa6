"""Killed at any instant, nothing is lost, leaked or doubled: every story, killed at its points, ends as if left alone."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fault.crash import POINTS_MAX, Act, Ending, Stage, Story, failed_at, killed_at, require_same, undisturbed

LAYERS = """
@stack
def main(size: int = 1, color: str = "red", more: bool = False):
    shelf = Shelf("shelf", color=color)
    a = Thing("a", size=size, color=color)
    b = Server("b", text=a.label)
    c = Tagged("c", size=size, color=color)
    Book("book", shelf=shelf, text=b.key)
    Probe("ok", of=b)
    if more:
        Thing("bad", text=f"{b.label} {c.label}", opts=Options(after=[c]))
"""

GAP = """
@stack
def main(color: str = "red", fail: bool = False):
    lock = Lock("lock", color=color)
    Thing("user", text=lock.key)
    Thing("bad", opts=Options(after=[lock])) if fail else None
"""

CONTAINER_GAP = """
from purvey import Input, Output, Resource
from tests.support.kinds import TaggedProvider, ThingProvider

class Rack(Resource, kind="own.Rack", provider=ThingProvider, delete_first=True):
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)

class TrayProvider(TaggedProvider):
    def fields(self, want):
        return {**super().fields(want), "shelf": want.rack.key}

class Tray(Resource, kind="own.Tray", provider=TrayProvider):
    rack: Rack = Input(container=True)
    key: str = Output(stable=True)

@stack
def main(color: str = "red", fail: bool = False):
    tray = Tray("tray", rack=Rack("rack", color=color))
    Thing("bad", text=tray.key) if fail else None
"""

STAGED = """
@stack
def main():
    pool = Server("pool")
    for n in range(value(pool.revision) + 1):
        Thing(f"node-{n}", text=pool.label)
"""

STEPS = """
@step
def migrate(dsn: str, to: int) -> int:
    found = here().objects.get("schema", {}).get("at", 0)
    here().set("schema", at=to)
    here().note(f"migrate {to}")
    return found

@migrate.undo
def _(found: int, /, dsn: str, to: int) -> None:
    here().set("schema", at=to - 1)
    here().note(f"undo {to}")

@migrate.check
def _(dsn: str, to: int) -> bool:
    return here().objects.get("schema", {}).get("at") == to

@step(repeatable=True)
def warm(dsn: str) -> str:
    return f"warm {dsn}"

@stack
def main(to: int = 1, fail: bool = False):
    db = Server("db")
    schema = migrate("schema", dsn=db.key, to=to)
    warm.options(after=[schema])("cache", dsn=db.key)
    Thing("bad", opts=Options(after=[schema])) if fail else None
"""

FIRST = (Act("apply"),)
STORIES = {
    "apply": Story(LAYERS, Act("apply")),
    "update": Story(LAYERS, Act("apply", {"size": 2}), FIRST),
    "replace": Story(LAYERS, Act("apply", {"color": "blue"}), FIRST),
    "undo-on-failure": Story(LAYERS, Act("apply", {"size": 2, "more": True}), FIRST, (("create", "bad"),), "undone"),
    "undo-of-replacements": Story(LAYERS, Act("apply", {"color": "blue", "more": True}), FIRST, (("create", "bad"),), "undone"),
    "undo-of-creates": Story(LAYERS, Act("apply", {"more": True}), (), (("create", "bad"),), "undone"),
    "undo-by-request": Story(LAYERS, Act("undo"), (Act("apply"), Act("apply", {"size": 3})), (), "undone"),
    "destroy": Story(LAYERS, Act("destroy"), FIRST),
    "gap": Story(GAP, Act("apply", {"color": "blue"}), FIRST),
    "gap-undone": Story(GAP, Act("apply", {"color": "blue", "fail": True}), FIRST, (("create", "bad"),), "undone"),
    "container-gap": Story(CONTAINER_GAP, Act("apply", {"color": "blue"}), FIRST),
    "container-gap-undone": Story(
        CONTAINER_GAP, Act("apply", {"color": "blue", "fail": True}), FIRST, (("create", "bad"),), "undone"
    ),
    "staged": Story(STAGED, Act("apply")),
    "steps": Story(STEPS, Act("apply")),
    "steps-undone": Story(STEPS, Act("apply", {"to": 2, "fail": True}), FIRST, (("create", "bad"),), "undone"),
}


@pytest.fixture(scope="module")
def endings() -> dict[str, Ending]:
    """The undisturbed endings that were played already."""
    return {}


Record = Callable[[str, object], None]
"""Notes a figure of a test, for the sum at the end of the suite."""


def _points(seed: int, sample: int) -> list[int]:
    """Every point, or a sample of them."""
    if os.environ.get("PURVEY_TEST_FULL"):
        return list(range(1, POINTS_MAX))
    return sorted(random.Random(seed).sample(range(1, 40), sample))


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.trials(sample=1, full=1)
def test_a_killed_run_ends_as_if_left_alone(name: str, tmp_path: Path, seed: int, record_property: Record) -> None:
    """The world equals that of an undisturbed run, no effect happened twice, and the record is sound."""
    story = STORIES[name]
    expected = undisturbed(tmp_path / "undisturbed", story)
    for point in _points(seed, 4):
        ending = killed_at(tmp_path / f"killed-at-{point}", story, point)
        if ending is None:
            break
        record_property("faults", 1)
        require_same(ending, expected, f"{name}, killed at point {point}")


@pytest.mark.parametrize("name", STORIES)
@pytest.mark.trials(sample=1, full=1)
def test_a_failing_run_ends_whole_or_undone(name: str, tmp_path: Path, seed: int, record_property: Record) -> None:
    """A full disk, or a connection that is cut before or after the effect: in the end the world is as wanted, or as before.

    Nothing is half done, nothing is there twice, and nothing is there that is not recorded.
    """
    story = STORIES[name]
    expected = undisturbed(tmp_path / "undisturbed", story)
    untouched = Stage(tmp_path / "untouched", story).world.visible()

    for point in _points(seed, 3):
        ending = failed_at(tmp_path / f"failed-at-{point}", story, point)
        if ending is None:
            break
        record_property("faults", 1)
        where = f"{name}, failing at point {point}, ended {ending.result}"
        assert ending.result in ("succeeded", "undone"), where
        assert ending.objects in (expected.objects, untouched), where
