"""A machine that a script reaches in another way than before: what is on it is the same, and all is done in one order."""

from __future__ import annotations

import pytest

from tests.support.project import Project
from tests.support.wire import Wire

SCRIPT = """
from pathlib import Path

from purvey import Chroot, Options, stack
from purvey.resources import command, files

HERE = Path(__file__).parent


@stack
def main(first: bool = True) -> None:
    box = Chroot("/" if first else "/tmp", name="box")
    page = files.File("page", on=box, path=str(HERE / "page"), content=f"{first}")
    for n in range(9):
        command.Check(f"check-{n}", on=box, command=["true"], opts=Options(after=[page]))
    if first:
        files.File("old", on=box, path=str(HERE / "old"), content="old")
"""


def test_a_new_way_and_the_recorded_one_do_not_shut_each_other_out(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is changed goes the new way, and what is no longer declared is removed the recorded way, in one run."""
    home = project.folder / "own"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Wire(home, lambda _: None))
    project.write(SCRIPT, prelude="")
    assert project.apply().result == "succeeded"

    run = project.apply(parameters={"first": False})

    assert (run.result, run.cause_detail) == ("succeeded", "")
    assert (project.folder / "page").read_text() == "False"
    assert not (project.folder / "old").exists()
