"""Killed at any instant, nothing is lost, leaked or doubled: every story, killed at its points, ends as if left alone.

Each story is played with its store in a folder and with its store on a server.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.fault.crash import (
    Act,
    Note,
    Stage,
    Story,
    failed_at,
    killed_at,
    require_same,
    require_whole,
    undisturbed,
)

if TYPE_CHECKING:
    from tests.support.database_server import DatabaseServer

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
from tests.support.cabinet import Cabinet, Tray

@stack
def main(color: str = "red", fail: bool = False):
    tray = Tray("tray", cabinet=Cabinet("rack", color=color))
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


@pytest.mark.parametrize("name", STORIES)
def test_a_killed_run_ends_as_if_left_alone(
    name: str, points: Sequence[int], server: DatabaseServer | None, tmp_path: Path, record_property: Note
) -> None:
    """The world equals that of an undisturbed run, no effect happened twice, and the record is sound."""
    start = Stage(tmp_path / "stage", STORIES[name], server)
    expected = undisturbed(start)
    for point in points:
        ending = killed_at(start, point)
        if ending is None:
            break
        require_same(ending, expected, f"{name}, killed at point {point}", record_property)


@pytest.mark.parametrize("name", STORIES)
def test_a_failing_run_ends_whole_or_undone(
    name: str, points: Sequence[int], server: DatabaseServer | None, tmp_path: Path, record_property: Note
) -> None:
    """A full disk, or a connection that is cut before or after the effect: in the end the world is as wanted, or as before.

    Nothing is half done, nothing is there twice, and nothing is there that is not recorded.
    """
    start = Stage(tmp_path / "stage", STORIES[name], server)
    expected = undisturbed(start)
    for point in points:
        ending = failed_at(start, point)
        if ending is None:
            break
        where = f"{name}, failing at point {point}, ended {ending.result}"
        require_whole(ending, (expected, start), where, record_property)
