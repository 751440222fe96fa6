"""Losing data for good, at the command line: `--yes` alone does not do, and a terminal asks for the word."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.project import Project
from tests.unit.cli.conftest import Purvey
from tests.unit.cli.terminal import Terminal

SCRIPT = """
@stack
def main(books: int = 2):
    s = Shelf("s")
    for n in range(books):
        Book(f"b-{n}", shelf=s)
"""
QUESTION = "Type yes to agree"
LESS = ("main.py", "--books", "1")


@pytest.fixture
def world(purvey: Purvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Two books in a shelf, applied."""
    project = Project(tmp_path, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[3]))
    project.write(SCRIPT)
    assert purvey("apply", "main.py", "--yes").code == 0
    return project


def test_yes_alone_does_not_do(purvey: Purvey, world: Project) -> None:
    """A pipeline that deletes a book says that it means to."""
    assert "add `--allow-final`" in purvey("plan", *LESS).out
    told = purvey("apply", *LESS, "--yes")

    assert (told.code, "refused.final" in told.err, len(world.world.objects)) == (4, True, 3)
    assert purvey("apply", *LESS, "--yes", "--allow-final").code == 0
    assert len(world.world.objects) == 2


def test_a_plan_file_that_loses_data_needs_the_word(purvey: Purvey, world: Project) -> None:
    """That a plan was reviewed is no word about what it loses."""
    assert purvey("plan", *LESS, "-o", "it.purvey").code == 0

    assert purvey("apply", "it.purvey", "--yes").code == 4
    assert purvey("apply", "it.purvey", "--yes", "--allow-final").code == 0


def test_who_must_be_asked_is_told_the_whole_command(purvey: Purvey, world: Project) -> None:
    """Without a terminal nothing is done, and the command that approves carries the word as well."""
    told = purvey("apply", *LESS)

    assert (told.code, "--yes --allow-final" in told.out) == (15, True)
    (command,) = [line.split()[1:] for line in told.out.splitlines() if line.endswith("--allow-final")]
    assert purvey(*command).code == 0
    assert len(world.world.objects) == 2


def test_an_undo_of_what_may_hold_data_needs_the_word(purvey: Purvey, world: Project) -> None:
    """Taking back the run that made them deletes the books."""
    assert purvey("undo", "main.py", "--yes").code == 4
    assert purvey("undo", "main.py", "--yes", "--allow-final").code == 0
    assert world.world.objects == {}


@pytest.mark.parametrize(("answer", "code", "left"), [("y", 4, 3), ("yes", 0, 2)])
def test_a_terminal_asks_for_the_word(answer: str, code: int, left: int, world: Project) -> None:
    """A habit types `y`; the whole word is an agreement, and nothing else is asked then."""
    terminal = Terminal(world.folder, "apply", *LESS)
    terminal.wait_for(QUESTION)
    terminal.press(f"{answer}\n")

    assert (terminal.end(), len(world.world.objects)) == (code, left)


def test_a_terminal_does_not_ask_for_a_word_that_was_given(world: Project) -> None:
    """With the option there is only the usual question."""
    terminal = Terminal(world.folder, "apply", *LESS, "--allow-final")
    terminal.wait_for("Apply these changes? [y/N]")
    terminal.press("y\n")

    assert terminal.end() == 0
    assert QUESTION not in terminal.shown
