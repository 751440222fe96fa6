"""The table of what happens on a kill at each phase, in the documentation, is what happens."""

from __future__ import annotations

import os
from pathlib import Path

from tests.fault.crash import POINTS_MAX, ROOT, Act, Stage, Story, require_same, undisturbed
from tests.support import points

PAGE = ROOT / "docs" / "reference" / "killed.md"
BEGIN, END = "<!-- made by tests/fault/test_kill_table.py -->", "<!-- end -->"

STORIES = {
    "An apply that makes one object, removes another, and passes a check": Story(
        """
@stack
def main(more: bool = True):
    a = Thing("a") if not more else None
    if more:
        Thing("old")
    else:
        Probe("check", of=a)
""",
        Act("apply", {"more": False}),
        (Act("apply"),),
    ),
    "An apply that changes an object, fails, and is undone": Story(
        """
@stack
def main(size: int = 1):
    a = Thing("a", size=size)
    if size > 1:
        Thing("bad", text=a.key)
""",
        Act("apply", {"size": 2}),
        (Act("apply"),),
        (("create", "bad"),),
        "undone",
    ),
}


def test_the_table_of_kills_is_true(tmp_path: Path) -> None:
    """Every point of two runs, what the next command says there, and how it ends; PURVEY_GOLDEN=write writes it."""
    tables = [_table(tmp_path / f"story-{number}", title, story) for number, (title, story) in enumerate(STORIES.items())]
    text = PAGE.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    actual = "\n\n".join([f"{head}{BEGIN}", *tables, f"{END}{rest.partition(END)[2]}"])
    if os.environ.get("PURVEY_GOLDEN") == "write":
        PAGE.write_text(actual, encoding="utf-8")

    assert PAGE.read_text(encoding="utf-8") == actual


def _table(folder: Path, title: str, story: Story) -> str:
    start = Stage(folder, story)
    expected = undisturbed(start)
    rows = []
    for point in range(1, POINTS_MAX):
        stage = start.copy()
        result = stage.play(story.act, point)
        if result is not None:
            break
        killed = stage.said.rpartition(points.MARK)[2].strip()
        result = stage.go_on()
        require_same(stage.ending(result), expected, f"{title}, killed {killed}")
        told = [line.partition(": ")[2] for line in stage.said.splitlines() if "interrupted" in line]
        rows.append(f"| {killed} | {'; '.join(told) or 'nothing is in doubt'} | {result} |")
    lines = ["| killed | what the resume finds | how the run ends |", "|---|---|---|", *rows]
    return "\n".join([f"## {title}", "", *lines])
