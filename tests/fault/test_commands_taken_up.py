"""Commands on the machine that purvey runs on, which end just before purvey is killed: a resume tells what they did."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from purvey._hosts.local_log import LocalLog
from purvey._state.journal import Journal
from purvey._state.record import Begun, Failed, Succeeded
from tests.support.boxes import Box, Crash, last
from tests.support.project import Project

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = """
from pathlib import Path

from purvey import Options, stack
from purvey.resources import files, host

HERE = Path(__file__).parent


@stack
def main() -> None:
    page = files.File("page", path=str(HERE / "page"), content="page")
    once = host.Command(
        "once", cwd=str(HERE), GUARD, repeats=False, opts=Options(after=[page]),
        command=["sh", "-c", "echo line >>ledger; echo >made; echo said; echo why >&2; exit $(cat code)"],
        undo=["sh", "-c", "echo undo >>ledger; [ ! -e stuck ] && rm made"],
    )
    files.File("after", path=str(HERE / "after"), content="after", opts=Options(after=[once]))
"""
GUARDS = ["creates=str(HERE / 'made')", "unless=['test', '-e', 'made']"]
WRITE, WRITE_NOW = Journal.write, Journal.write_now


class Killed:
    """A process that is killed when it is about to write down how a command ended.

    Args:
        monkeypatch: Puts it into the way of the journal.
        verb: What was done with the command.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
        self.is_dead = False
        self._verb = verb
        self._begun: set[str] = set()
        monkeypatch.setattr(Journal, "write", self._writing())
        monkeypatch.setattr(Journal, "write_now", self._writing_now())

    def _see(self, record: object) -> None:
        if isinstance(record, Begun) and (record.verb, record.node.kind) == (self._verb, "host.Command"):
            self._begun.add(record.operation)
        self.is_dead = self.is_dead or (isinstance(record, Succeeded | Failed) and record.operation in self._begun)
        if self.is_dead:
            raise Crash

    def _writing(self) -> Callable[..., Any]:
        async def write(journal: Any, *records: Any) -> None:
            """See `Journal.write`."""
            for record in records:
                self._see(record)
            await WRITE(journal, *records)

        return write

    def _writing_now(self) -> Callable[..., Any]:
        def write_now(journal: Any, *records: Any) -> None:
            """See `Journal.write_now`."""
            if self.is_dead:
                raise Crash
            WRITE_NOW(journal, *records)

        return write_now


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with a command."""
    made = Project(tmp_path, monkeypatch)
    (tmp_path / "code").write_text("0")
    made.write(SCRIPT.replace("GUARD", GUARDS[0]), prelude="")
    return made


def killed(verb: str, act: Callable[[], object]) -> None:
    """Act, and die when it is about to be written down how the command ended."""
    with pytest.MonkeyPatch.context() as patch:
        Killed(patch, verb)
        with pytest.raises(Crash):
            act()


def ledger(project: Project) -> list[str]:
    """A line for each time that the command, and what takes it back, was run."""
    return (project.folder / "ledger").read_text(encoding="utf-8").splitlines()


def is_there(project: Project) -> dict[str, bool]:
    """What is there of what the script makes."""
    return {name: (project.folder / name).exists() for name in ("page", "made", "after")}


@pytest.mark.parametrize("guard", GUARDS)
def test_what_a_command_did_is_told(project: Project, guard: str) -> None:
    """Its guard sees it done by then; still it ran, so that an undo takes it back."""
    project.write(SCRIPT.replace("GUARD", guard), prelude="")
    killed("create", project.apply)
    assert project.resume().result == "succeeded"
    outputs = next(item for item in project.state().resources.values() if item.kind == "host.Command").outputs
    assert (outputs["ran"], outputs["stdout"], outputs["code"], bool(outputs["revision"])) == (True, "said\n", 0, True)
    assert project.undo().result == "undone"
    assert ledger(project) == ["line", "undo"]
    assert set(is_there(project).values()) == {False}


def test_what_was_cut_off_and_has_done_its_work_needs_no_person(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows how it ended, and its guard sees it done: it ran, is not run again, and is taken back."""

    def end(*_: object) -> None:
        """Die before it is written down."""
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr(LocalLog, "end", end)
        killed("create", project.apply)
    assert project.resume().result == "succeeded"
    outputs = next(item for item in project.state().resources.values() if item.kind == "host.Command").outputs
    assert (outputs["ran"], outputs["stdout"]) == (True, "")
    assert project.undo().result == "undone"
    assert ledger(project) == ["line", "undo"]


@pytest.mark.parametrize("guard", [*GUARDS, "always=True"])
def test_a_failure_is_that_of_the_run(project: Project, guard: str) -> None:
    """The resume fails with what the command failed with, takes the run back, and does not run it again."""
    project.write(SCRIPT.replace("GUARD", guard), prelude="")
    (project.folder / "code").write_text("5")
    killed("create", project.apply)
    ended = project.resume()
    assert (ended.result, ended.cause, ended.cause_address) == ("undone", "A command failed", "host.Command::once")
    assert "The command ended with code 5" in ended.cause_detail
    assert "why" in ended.cause_detail
    assert ledger(project) == ["line"]
    assert is_there(project) == {"page": False, "made": True, "after": False}


def test_a_failure_that_was_kept_is_tried_again(project: Project) -> None:
    """Once a person was told that it failed, the next resume runs it once more."""
    (project.folder / "code").write_text("5")
    killed("create", lambda: project.apply(on_failure="keep"))
    assert project.resume().result == "kept"
    assert ledger(project) == ["line"]
    assert is_there(project) == {"page": True, "made": True, "after": False}

    (project.folder / "made").unlink()
    (project.folder / "code").write_text("0")
    assert project.resume().result == "succeeded"
    assert ledger(project) == ["line", "line"]


def test_a_failed_undo_is_that_of_the_run(project: Project) -> None:
    """What takes a command back is not run again either, before a person was told that it failed."""
    project.apply()
    (project.folder / "stuck").touch()
    killed("undo", project.undo)
    assert last(project).result not in ("partial", "undone")
    ended = project.resume()
    assert ended.result == "partial"
    assert "The command ended with code 1" in ended.cause_detail
    assert ledger(project) == ["line", "undo"]

    (project.folder / "stuck").unlink()
    assert project.resume().result == "undone"
    assert ledger(project) == ["line", "undo", "undo"]
    assert set(is_there(project).values()) == {False}


ROLLING = """
from pathlib import Path

from purvey import Chroot, rolling, stack
from purvey.resources import files, host

HERE = Path(__file__).parent


@stack
def main() -> None:
    for box in rolling([Chroot(f"/srv/{n}", name=f"box-{n}") for n in (0, 1)], max_failures=1):
        once = host.Command(
            "once", cwd=str(HERE), creates=str(HERE / f"made-{box.name}"), on=box,
            command=["sh", "-c", f"echo {box.name} >>ledger; echo >made-{box.name}; [ {box.name} != box-0 ]"],
        )
        files.File("after", path=str(HERE / f"after-{box.name}"), content=once.revision, on=box)
"""


def test_a_failure_that_is_tolerated_holds_up_no_other_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many machines as may fail: the others get what they are to get, and what needs the failed one does not begin."""
    project = Project(tmp_path, monkeypatch)
    Box(project, monkeypatch, {})
    project.write(ROLLING, prelude="")
    killed("create", project.apply)
    assert ledger(project) == ["box-0"]

    ended = project.resume()

    assert (ended.result, ended.cause_address) == ("kept", "box-0/host.Command::once")
    assert ledger(project) == ["box-0", "box-1"]
    assert [(tmp_path / f"after-box-{n}").exists() for n in (0, 1)] == [False, True]
