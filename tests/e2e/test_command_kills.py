"""Commands on the machine that purvey runs on: purvey is killed during one, and it is not run a second time by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.hosts.waiting import until

if TYPE_CHECKING:
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from pathlib import Path

from purvey import stack
from purvey.resources import host

HERE = Path(__file__).parent


@stack
def main() -> None:
    host.Command(
        "once", cwd=str(HERE), creates=str(HERE / "made"), timeout_s=TIMEOUT_S, repeats=REPEATS,
        command=["sh", "-c", "echo line >>ledger; [ ! -e held ] || sleep 600; echo >made"],
    )
"""


def begun(project: Project, *, repeats: bool = False, timeout_s: float = 300) -> None:
    """A script whose command hangs until it is let go of."""
    project.write(SCRIPT.replace("REPEATS", str(repeats)).replace("TIMEOUT_S", str(timeout_s)))
    (project.folder / "held").touch()


def killed(project: Project) -> None:
    """Kill purvey while the command hangs, which ends with it; from now on it does not hang."""
    process = project.begin("apply", "--yes")
    assert until(lambda: ledger(project) == ["line"])
    process.kill()
    process.communicate()
    (project.folder / "held").unlink()


def ledger(project: Project) -> list[str]:
    """A line for each time that the command was begun."""
    path = project.folder / "ledger"
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.mark.parametrize("verb", ["resume", "apply", "undo"])
def test_a_command_that_was_killed_is_in_doubt(purvey_project: Project, verb: str) -> None:
    """Nobody knows what it has done, so neither a resume nor another run runs it again, and the message says what to do."""
    begun(purvey_project)
    killed(purvey_project)

    ended = purvey_project.attempt(verb, "--yes")

    assert ended.returncode != 0
    assert "A command was interrupted, and must not be run twice" in ended.stdout + ended.stderr
    assert "purvey state settle host.Command::once --stack main -e dev --not-done" in ended.stdout + ended.stderr
    assert ledger(purvey_project) == ["line"]


def test_a_person_says_what_became_of_it(purvey_project: Project) -> None:
    """Whoever has looked says that it did not happen, and the next run runs it."""
    begun(purvey_project)
    killed(purvey_project)
    purvey_project.run("state settle", "host.Command::once", "--not-done")
    purvey_project.run("apply", "--yes")
    assert ledger(purvey_project) == ["line"] * 2
    assert "nothing had to change" in purvey_project.run("apply", "--yes")


def test_what_may_be_repeated_is_repeated(purvey_project: Project) -> None:
    """Whoever says `repeats=True` need not be asked."""
    begun(purvey_project, repeats=True)
    killed(purvey_project)
    purvey_project.run("resume", "--yes")
    assert ledger(purvey_project) == ["line"] * 2


def test_what_took_too_long_is_not_tried_again(purvey_project: Project) -> None:
    """A command whose time is over was run, and has failed."""
    begun(purvey_project, timeout_s=0.5)
    ended = purvey_project.attempt("apply", "--yes")
    assert ended.returncode != 0
    assert "A command took too long" in ended.stdout + ended.stderr
    assert ledger(purvey_project) == ["line"]
