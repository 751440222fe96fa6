"""A guarded command that follows a changed file: its guard is looked at again when the file has changed, and it is run."""

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
def main(version: str = "1") -> None:
    box = Chroot("/", name="box")
    new, live = f"{HERE}/new", f"{HERE}/live"
    release = files.File("release", on=box, path=new, content=version)
    kept = files.Directory("kept", on=box, path=f"{HERE}/kept", opts=Options(after=[release]))
    host.Command("release", on=box, command=["cp", new, live], unless=["cmp", "-s", new, live], opts=Options(after=[kept]))
"""


def test_a_guard_that_no_longer_holds_lets_its_command_run(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the version, what the guard compares is the same after each run, and a second run has nothing to do."""
    home = project.folder / "own"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Wire(home, lambda _: None))
    project.write(SCRIPT, prelude="")
    for version in ("1", "2", "3"):
        assert project.apply(parameters={"version": version}).result == "succeeded"
        assert (project.folder / "live").read_text() == version
        assert project.plan(version=version).is_empty
