"""``purvey rehearse`` as a user and as a program see it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from purvey.cli.rehearse import Progress
from tests.support.clock import VirtualClock
from tests.unit.cli.conftest import Purvey

EXAMPLES = Path(__file__).parents[3] / "examples"
SITE = "site/site.py"

BUGGY = '''
from purvey import stack, step

@step
def announce(channel: str) -> str:
    """Tell everybody."""
    raise AssertionError("a rehearsal executes no step")

@stack
def talk(env: str) -> None:
    """Talk."""
    print("a script may talk")
    announce("release", channel=env)
'''


def test_a_right_project_restores_everything(purvey: Purvey, project: Path) -> None:
    """The starter project ends with 0, and leaves neither a page nor a store."""
    told = purvey("rehearse", SITE, "--pages", "3")

    assert told.code == 0
    assert "5 operations failed in turn; every undo restores everything." in told.out
    assert sorted(path.name for path in project.iterdir()) == [".gitignore", "README.md", "purvey.toml", "site.py"]


@pytest.mark.parametrize("name", ["quickstart", "staging"])
def test_the_examples_can_be_undone(name: str, purvey: Purvey, tmp_path: Path) -> None:
    """Every stage of each example is rehearsed, and no undo leaves anything."""
    shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
    told = purvey("rehearse", f"{name}.py", "--json")

    assert told.code == 0
    assert told.json()["findings"] == []
    assert told.json()["limits"] == []
    assert max(item["stage"] for item in told.json()["operations"]) == (2 if name == "staging" else 1)


def test_a_finding_says_where_why_and_what_to_write(purvey: Purvey, tmp_path: Path) -> None:
    """A step without an undo ends with 16, with its line and the lines to write."""
    (tmp_path / "talk.py").write_text(BUGGY, encoding="utf-8")
    told = purvey("rehearse", "talk.py")

    assert told.code == 16
    assert "+ left     step.announce::release  declared at talk.py:13" in told.out
    assert "The step announce has no undo, so what it did stays." in told.out
    assert "@announce.undo" in told.out
    assert "def _(result, /, channel):" in told.out


def test_a_program_reads_one_document(purvey: Purvey, tmp_path: Path) -> None:
    """With --json the findings are data, with the operations after which they show."""
    (tmp_path / "talk.py").write_text(BUGGY.replace("print(", "str("), encoding="utf-8")
    told = purvey("rehearse", "talk.py", "--json")
    document = told.json()

    assert told.code == 16
    assert (document["stack"], document["env"], document["restores"]) == ("talk", "dev", False)
    assert [item["restored"] for item in document["operations"]] == [False]
    assert document["findings"][0]["after"] == ["create step.announce::release #1"]
    assert document["findings"][0]["what"] == "left"


def test_a_long_rehearsal_says_how_far_it_is(capfd: pytest.CaptureFixture[str]) -> None:
    """Two seconds without a word, then a line every two seconds, on standard error; a quick one says nothing."""
    clock = VirtualClock()
    progress = Progress(clock)
    for done in range(6):
        progress.on(done, 6)
        clock.seconds += 0.9

    told = capfd.readouterr()

    assert told.out == ""
    assert told.err == "Rehearsing: 3 of 6 operations have failed and been undone.\n"
