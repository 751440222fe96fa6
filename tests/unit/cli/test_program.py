"""The program as a whole: its list of commands, its failures, and its completion."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import click
import pytest

from purvey._plan import plan
from purvey._report import document
from purvey._state import record
from purvey._state.sql import tables
from purvey.cli import version
from purvey.cli.main import SUMMARIES, exit_code, main
from purvey.errors import InternalError, RefusedError, ScriptError, StateError
from tests.unit.cli.conftest import Purvey


@pytest.mark.parametrize("name", SUMMARIES)
def test_every_command_says_what_it_does(name: str, purvey: Purvey) -> None:
    """The summary in the list is the first line of the command's own help, which ends with examples or commands."""
    told = purvey(name, "--help")

    assert told.code == 0
    assert SUMMARIES[name] in " ".join(told.out.split())
    assert "Examples:" in told.out or "Commands:" in told.out


def test_the_list_of_commands_is_complete() -> None:
    """Every module with a command is in the list, and every name in the list is a module."""
    folder = Path(importlib.import_module("purvey.cli").__file__ or "").parent
    modules = {path.stem for path in folder.glob("*.py") if "\ndef command(" in path.read_text(encoding="utf-8")}

    assert modules == {name.replace("-", "_") for name in SUMMARIES}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["plna"], "Did you mean `purvey plan`?"),
        (["plan"], "Name the script"),
        (["plan", "none.py", "--targt", "x"], "Did you mean '--target'?"),
        (["plan", "none.py", "extra"], "'extra'"),
        (["resume"], "Name a run's id"),
        (["apply", "none.py", "--parallel", "0"], "not in the range"),
    ],
)
def test_a_wrong_command_line_ends_with_3(words: list[str], expected: str, purvey: Purvey) -> None:
    """A command line that is not understood says why, and ends with 3 rather than click's own 2."""
    told = purvey(*words)

    assert told.code == 3
    assert expected in told.err
    assert told.out == ""


def test_a_wrong_command_line_is_a_document_for_programs(purvey: Purvey) -> None:
    """With --json an error is one document on standard output too."""
    told = purvey("resume", "--json")

    assert told.code == 3
    assert told.json()["error"]["code"] == "script.usage"
    assert "Name a run's id" in told.json()["error"]["detail"]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ScriptError("script.x", "Wrong"), 3),
        (RefusedError("refused.x", "No"), 4),
        (StateError("state.x", "Broken"), 5),
        (InternalError("Impossible."), 1),
        (ZeroDivisionError("/a/folder/secret"), 1),
        (click.UsageError("Wrong"), 3),
        (click.Abort(), 13),
        (KeyboardInterrupt(), 13),
    ],
)
def test_every_failure_has_its_exit_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each family of errors ends with its own code, and none with a traceback or somebody's path."""
    monkeypatch.delenv("PURVEY_DEBUG", raising=False)

    def work() -> int:
        raise error

    assert exit_code(work, []) == code
    told = capsys.readouterr().err
    assert "Traceback" not in told
    assert "/srv" not in told


def test_an_interrupted_command_is_a_document_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C before anything began leaves one document, too."""

    def work() -> int:
        raise KeyboardInterrupt

    assert exit_code(work, ["plan", "site.py", "--json"]) == 13
    error = json.loads(capsys.readouterr().out)["error"]
    assert (error["code"], error["exit_code"]) == ("interrupted.early", 13)


def test_an_unexpected_failure_says_whose_fault_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bug is called one; with PURVEY_DEBUG the traceback is there for whoever mends it."""
    monkeypatch.setenv("PURVEY_DEBUG", "1")

    def work() -> int:
        return 1 // 0

    assert exit_code(work, []) == 1
    told = capsys.readouterr().err
    assert "This is a bug in purvey." in told
    assert "Traceback" in told


def test_the_versions_told_are_those_written() -> None:
    """`purvey version` knows the formats without loading what writes them, and is right."""
    assert dict(version.FORMATS) == {
        "json": document.FORMAT, "plan": plan.FORMAT, "journal": record.FORMAT, "sqlite": tables.VERSION
    }  # fmt: skip


def test_version_is_a_document_for_programs(purvey: Purvey) -> None:
    """`purvey version --json` has the version, what runs it, and the formats."""
    assert set(purvey("version", "--json").json()) == {"version", "python", "platform", "formats"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_its_script(shell: str, purvey: Purvey) -> None:
    """The completion script is the shell's own, and calls purvey."""
    told = purvey("completion", shell)

    assert told.code == 0
    assert "_PURVEY_COMPLETE" in told.out


def test_a_shell_completes_commands() -> None:
    """What a shell asks for is answered with the commands that fit."""
    environment = os.environ | {"_PURVEY_COMPLETE": "bash_complete", "COMP_WORDS": "purvey re", "COMP_CWORD": "1"}
    told = subprocess.run(
        [sys.executable, "-c", "from purvey.cli.main import main; main(prog_name='purvey')"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert told.stdout.split() == ["plain,rehearse", "plain,resume"]


def test_the_folder_to_work_in_can_be_given(tmp_path: Path, purvey: Purvey) -> None:
    """`-C` works as if started in that folder."""
    (tmp_path / "elsewhere").mkdir()

    assert purvey("-C", "elsewhere", "new", ".").code == 0
    assert (tmp_path / "elsewhere" / "site.py").exists()


def test_the_program_can_be_used_without_leaving() -> None:
    """Called without standalone mode, the program returns the exit code instead of leaving."""
    assert main(["version"], prog_name="purvey", standalone_mode=False) == 0


def test_json_is_never_mixed_with_words(purvey: Purvey, project: Path) -> None:
    """Standard output with --json is exactly one document, whatever the command."""
    for words in (["plan", "site/site.py"], ["apply", "site/site.py", "--yes"], ["destroy", "site/site.py", "--yes"]):
        json.loads(purvey(*words, "--json").out)


PATIENT = """
import os, signal, threading
from purvey import Input, Resource, stack
from purvey.errors import ProviderError
from purvey.providers import Done, Provider

class Busy(Provider):
    recovers_by = "name"
    reads = False

    async def create(self, call, want):
        if not asked:
            asked.append(threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)))
            asked[0].start()
            raise ProviderError("throttled", "Too many calls", retry_after_s=86_400.0)
        return Done(call.name, {})

class Room(Resource, kind="own.Room", provider=Busy):
    size: int = Input(default=1)

asked = []

@stack
def hotel():
    Room("a")
"""


def test_ctrl_c_ends_a_day_of_waiting(purvey: Purvey, tmp_path: Path) -> None:
    """A server that asks for patience keeps nobody who wants to leave; the run can be resumed."""
    (tmp_path / "hotel.py").write_text(PATIENT, encoding="utf-8")

    stopped = purvey("apply", "hotel.py", "--yes", "--json")

    assert (stopped.code, stopped.json()["result"]) == (13, "interrupted")
    assert purvey("resume", stopped.json()["id"], "--yes", "--json").json()["result"] == "interrupted"


WRITES: Final = """
from purvey import stack

notes = open("notes", "w")
notes.write("kept")


@stack
def main() -> None:
    pass
"""


def test_what_a_script_has_not_closed_is_written_all_the_same(tmp_path: Path) -> None:
    """As where Python itself runs the script; the quick way out of the program skips no file."""
    (tmp_path / "main.py").write_text(WRITES, encoding="utf-8")

    subprocess.run([sys.executable, "-m", "purvey", "plan", "main.py"], cwd=tmp_path, check=True, capture_output=True)

    assert (tmp_path / "notes").read_text() == "kept"
