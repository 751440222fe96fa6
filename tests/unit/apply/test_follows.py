"""What runs again when what it needs is made anew says so in the plan, so that the run may do it."""

from __future__ import annotations

import pytest

from tests.support.project import Project
from tests.support.wire import Wire

SCRIPT = """
from pathlib import Path

from purvey import Chroot, Options, stack
from purvey.resources import files, host

HERE = Path(__file__).parent


@stack
def main(text: str = "one", works: bool = False) -> None:
    box = Chroot("/", name="box")
    a = files.File("a", on=box, path=f"{HERE}/a", content="a")
    c = host.Command("c", on=box, command=["sh", "-c", f"echo {text} >>{HERE}/c"], creates=f"{HERE}/c", opts=Options(after=[a]))
    host.Command("d", on=box, command=["true" if works else "false"], always=True, opts=Options(after=[c]))
"""


@pytest.mark.parametrize("text", ["one", "two"])
def test_what_stayed_after_an_undo_goes_on_upon_what_is_made_anew(
    project: Project, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The command has no undo and stays; the file that it came after was taken back, and is another one in the next run."""
    home = project.folder / "own"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Wire(home, lambda _: None))
    project.write(SCRIPT, prelude="")
    failed = project.apply()
    assert (failed.cause_address, (project.folder / "a").exists()) == ("host.Command::d", False)
    assert "host.Command::c" in {item.address for item in project.state().resources.values()}

    run = project.apply(parameters={"text": text, "works": True})

    assert (run.result, run.cause_detail) == ("succeeded", "")
    assert {change.address for change in project.plan(text=text, works=True).changes} == {"host.Command::d"}
