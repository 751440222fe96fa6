"""A rehearsal of what is on machines: they are looked at, each is a world of its own, and nothing is done on any."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.project import Project
from tests.support.wire import Wire

SCRIPT = """
from pathlib import Path

from purvey import Chroot, Options, stack, value
from purvey.resources import files, host

HERE = Path(__file__).parent
PAGE, RAN = str(HERE / "page"), str(HERE / "ran")


@stack
def main(text: str = "one") -> None:
    box, other = Chroot("/", name="box"), Chroot("/tmp", name="other")
"""


@pytest.fixture
def loops() -> set[object]:
    """The event loops on which a machine was spoken to."""
    return set()


@pytest.fixture
def machines(project: Project, monkeypatch: pytest.MonkeyPatch, loops: set[object]) -> Project:
    """A project whose machines are this one in truth."""
    home = project.folder / "own"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Wire(home, lambda _: loops.add(asyncio.get_running_loop())))
    return project


def declare(project: Project, *lines: str) -> None:
    """Write the script: what is on the machines."""
    project.write(SCRIPT + "".join(f"    {line}\n" for line in lines), prelude="")


def test_a_rehearsal_does_nothing_on_a_machine(machines: Project, loops: set[object]) -> None:
    """It is looked at once; every operation is then let fail in turn, each in a run that does not speak to it."""
    declare(
        machines,
        'page = files.File("page", on=box, path=PAGE, content=text)',
        'host.Command("c", on=box, command=["touch", RAN], creates=RAN, opts=Options(after=[page]))',
    )

    found = machines.session().rehearse(machines.script_path)

    assert len(loops) == 1
    assert [item.address for item in found.operations] == ["files.File::page", "host.Command::c"]
    assert {item.address for item in found.findings} == {"host.Command::c"}
    assert not (machines.folder / "page").exists()
    assert not (machines.folder / "ran").exists()


def test_a_path_on_two_machines_is_two_things(machines: Project) -> None:
    """Neither is in the other's way, whether it is made or changed."""
    declare(
        machines,
        'files.File("a", on=box, path=PAGE, content=text, opts=Options(adopt=True))',
        'files.File("b", on=other, path=PAGE, content=text, opts=Options(adopt=True))',
    )

    found = machines.session().rehearse(machines.script_path)

    assert [item.address for item in found.operations] == ["files.File::a", "files.File::b"]
    assert found.findings == ()


def test_what_is_beneath_a_folder_of_another_machine_is_not_in_it(machines: Project) -> None:
    """Paths tell of an order only where they are on one machine."""
    declare(
        machines,
        'files.Directory("d", on=box, path=str(HERE / "d"))',
        'files.File("f", on=other, path=str(HERE / "d" / "f"), content=text)',
    )

    assert machines.session().rehearse(machines.script_path).findings == ()


def test_what_is_recorded_on_machines_is_changed_and_put_back(machines: Project) -> None:
    """A change of both, and a later stage that depends on one of them, is taken back in the rehearsal's world."""
    page = 'a = files.File("a", on=box, path=str(HERE / text), content=text)'
    other = 'files.File("b", on=other, path=str(HERE / f"{text}-b"), content=f"of {value(a.digest)}")'
    declare(machines, page, other)
    assert machines.apply().result == "succeeded"

    found = machines.session().rehearse(machines.script_path, parameters={"text": "two"})

    assert {item.address for item in found.operations} == {"files.File::a", "files.File::b"}
    assert found.findings == ()
    assert (machines.folder / "one").read_text() == "one"
    assert not (machines.folder / "two").exists()


def test_what_is_there_already_is_put_back(machines: Project) -> None:
    """What the look at the machine found is adopted in the rehearsal, and changed there alone."""
    (machines.folder / "page").write_text("mine")
    declare(machines, 'files.File("page", on=box, path=PAGE, content=text, opts=Options(adopt=True))')

    found = machines.session().rehearse(machines.script_path)

    assert [(item.address, item.verb) for item in found.operations] == [("files.File::page", "adopt")]
    assert found.findings == ()
    assert (machines.folder / "page").read_text() == "mine"
