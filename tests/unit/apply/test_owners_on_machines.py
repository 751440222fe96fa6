"""Whose an object on a machine is: the same name on another machine is another object."""

from __future__ import annotations

import pytest

from purvey.errors import RefusedError
from tests.support.project import Project
from tests.support.wire import Wire

SCRIPT = """
from pathlib import Path

from purvey import Chroot, Options, stack
from purvey.resources import files

PAGE = str(Path(__file__).parent / "page")


@stack
def {stack}() -> None:
    for name, root in {places}:
        files.File(f"page-{{name}}", on=Chroot(root, name=name), path=PAGE, content="same", opts=Options(adopt=True))
"""
"""One file on several machines, all of which are this one in truth, so that what is on the first is found on the others."""


@pytest.fixture
def machines(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose machines hold a file that the stack ``first`` made on the first of them, which it calls ``box``."""
    home = project.folder / "own"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Wire(home, lambda _: None))
    declare(project, "first", ("box", "/"))
    project.session().apply(project.folder / "first.py", approve=project.approve)
    return project


def declare(project: Project, stack: str, *places: tuple[str, str]) -> None:
    """Write the script of a stack that has the file on machines, each a name and where it is."""
    project.write(SCRIPT.format(stack=stack, places=places), name=stack, prelude="")


@pytest.mark.parametrize("name", ["other", "box"])
def test_what_is_on_another_machine_is_nobodys(machines: Project, name: str) -> None:
    """It is adopted, also where that stack calls it as the first one calls its own."""
    declare(machines, "main", (name, "/tmp"))

    run = machines.apply()

    assert (run.result, run.cause_detail) == ("succeeded", "")
    assert machines.state().resources[f"files.File::page-{name}", 1].adopted


def test_a_stack_that_grows_by_a_machine_adopts_what_is_there(machines: Project) -> None:
    """What the stack has on one machine does not keep it from what another has under the same path."""
    declare(machines, "first", ("box", "/"), ("other", "/tmp"))

    run = machines.session().apply(machines.folder / "first.py", approve=machines.approve)

    assert (run.result, run.cause_detail) == ("succeeded", "")


def test_one_machine_by_another_name_is_the_same(machines: Project) -> None:
    """What one stack has there is refused to another, whatever each of them calls the machine."""
    declare(machines, "main", ("web", "/"))

    with pytest.raises(RefusedError, match=r"belongs to first/dev::files\.File::page-box"):
        machines.apply()


def test_an_imported_object_is_on_its_machine(machines: Project) -> None:
    """The next plan has nothing to move, and another stack is refused it there."""
    declare(machines, "main", ("web", "/tmp"))

    machines.session().state_import(machines.script_path, "files.File::page-web")

    assert machines.state().resources["files.File::page-web", 1].where == "web"
    declare(machines, "second", ("box", "/tmp"))
    with pytest.raises(RefusedError, match=r"belongs to main/dev::files\.File::page-web"):
        machines.session().apply(machines.folder / "second.py", approve=machines.approve)
