"""At a terminal: questions, answers, a live picture, and Ctrl-C once and twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Purvey
from tests.unit.cli.terminal import Terminal
from tests.unit.hosts.waiting import until

CTRL_C = "\x03"
QUESTION = "Apply these changes? [y/N]"

HOLD = '''
"""A stack with a step that waits until it is let go."""
import time
from pathlib import Path
from purvey import stack, step

@step(repeatable=True)
def hold(path: str) -> str:
    """Wait for a file."""
    Path("begun").touch()
    deadline = time.monotonic() + 30
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return path

@stack
def held(env: str) -> None:
    """Two steps, one after the other."""
    first = hold("first", path="go")
    hold("second", path=first.result)
'''


@pytest.fixture
def held(purvey: Purvey, tmp_path: Path) -> Path:
    """A folder with a stack whose first step waits for the file `go`."""
    (tmp_path / "held.py").write_text(HOLD, encoding="utf-8")
    return tmp_path


def test_yes_applies_and_no_does_nothing(purvey: Purvey, project: Path) -> None:
    """A person sees the plan and decides; no ends with 4 and leaves nothing behind."""
    refused = Terminal(project, "apply", "site.py")
    refused.wait_for(QUESTION)
    refused.press("n\n")
    assert refused.end() == 4
    assert not (project / "public-dev").exists()

    approved = Terminal(project, "apply", "site.py")
    approved.wait_for(QUESTION)
    approved.press("y\n")
    assert approved.end() == 0
    assert (project / "public-dev" / "page-1.html").exists()
    assert "created files.File::page-1" in approved.shown


def test_ctrl_c_at_the_question_is_a_no(purvey: Purvey, project: Path) -> None:
    """Ctrl-C while the plan is shown refuses it."""
    terminal = Terminal(project, "apply", "site.py")
    terminal.wait_for(QUESTION)
    terminal.press(CTRL_C)

    assert terminal.end() == 4
    assert not (project / "public-dev").exists()


@pytest.mark.parametrize(("words", "number"), [(("destroy", "site.py"), 13), (("apply", "site.py", "--pages", "1"), 11)])
def test_many_deletions_are_asked_for_by_number(words: tuple[str, ...], number: int, purvey: Purvey, project: Path) -> None:
    """Whatever takes away more than ten objects does not take a `y`."""
    assert purvey("apply", "site/site.py", "--pages", "12", "--yes").code == 0
    for answer, code in (("y", 4), (str(number), 0)):
        terminal = Terminal(project, *words)
        terminal.wait_for(f"Type {number} to go ahead")
        terminal.press(f"{answer}\n")
        assert terminal.end() == code
    assert not (project / "public-dev" / "page-2.html").exists()


def test_ctrl_c_finishes_what_is_in_flight(held: Path) -> None:
    """One Ctrl-C starts nothing new, waits for what runs, ends with 13, and the run can be resumed."""
    terminal = Terminal(held, "apply", "held.py", "--yes")
    terminal.wait_for("create step.hold::first")
    terminal.press(CTRL_C)
    terminal.wait_for("Stopping")
    (held / "go").touch()

    assert terminal.end() == 13
    assert "created step.hold::first" in terminal.shown
    assert "created step.hold::second" not in terminal.shown
    assert "purvey resume" in terminal.shown
    resumed = Terminal(held, "resume", "held.py", "--yes")
    assert resumed.end() == 0
    assert "created step.hold::second" in resumed.shown


def test_a_second_ctrl_c_leaves_at_once(held: Path) -> None:
    """Two Ctrl-C leave without waiting for what runs; what was in flight is settled by a resume."""
    terminal = Terminal(held, "apply", "held.py", "--yes")
    terminal.wait_for("create step.hold::first")
    terminal.press(CTRL_C)
    terminal.wait_for("Stopping")
    terminal.press(CTRL_C)

    assert terminal.end() == 13
    assert "Left at once" in terminal.shown
    (held / "go").touch()
    assert Terminal(held, "resume", "held.py", "--yes").end() == 0


def test_whoever_leaves_at_once_leaves_a_document(held: Path) -> None:
    """Two signals where a program reads: one document, which says that the run is open and what settles it."""
    words = [sys.executable, "-m", "purvey", "apply", "held.py", "--yes", "--json"]
    with subprocess.Popen(words, cwd=held, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as command:
        assert command.stderr is not None
        assert until((held / "begun").exists)
        command.send_signal(signal.SIGINT)
        while not command.stderr.readline().startswith("Stopping"):
            assert command.poll() is None
        command.send_signal(signal.SIGINT)
        out, said = command.communicate()

    error = json.loads(out)["error"]
    assert (command.returncode, error["exit_code"], error["code"]) == (13, 13, "interrupted.left_at_once")
    assert "Left at once" in said
    run = error["detail"].split()[1]
    assert f"purvey resume {run}" in error["hint"]
    (held / "go").touch()
    assert Terminal(held, "resume", "held.py", "--yes").end() == 0
