"""One virtual machine for all tests of a process: it is brought up once, by purvey, and each test finds it as it was then."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.support.vm import Vm
from tests.support.vm_project import VmProject, bring_up

BODY = """
    note = files.File("note", path="note", content=text)
    web, ready = new(
        write_files=[{"path": "/srv/note", "content": f"{text} {note.size}"}],
        run=["echo from a shell >/srv/shell", ["cp", "/srv/note", f"/srv/{note.size} copies"]], scripts=["setup.sh"],
        parts=["#!/bin/sh\\necho é >/srv/part\\n"])
    files.File("motd", on=web, path="/etc/motd", content="ready", opts=Options(after=[ready]))
    return {"from": ready.datasource, "warnings": ready.warnings}
"""


class BroughtUp(NamedTuple):
    """The machine, the project that has brought it up, and what purvey said."""

    vm: Vm
    project: VmProject
    said: str


@pytest.fixture(scope="session")
def brought_up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BroughtUp]:
    """The machine, new and ready, remembered as it is then."""
    with Vm(tmp_path_factory.mktemp("vm")) as vm:
        project = VmProject(tmp_path_factory.mktemp("project"), vm)
        ended = bring_up(vm, project, BODY)
        assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}\n{vm.console()}"
        vm.save()
        yield BroughtUp(vm, project, ended.stdout)


@pytest.fixture
def vm(brought_up: BroughtUp) -> Vm:
    """The machine as it was when it had just come up."""
    brought_up.vm.reset()
    return brought_up.vm


@pytest.fixture
def project(brought_up: BroughtUp, vm: Vm, tmp_path: Path) -> VmProject:
    """An empty project whose scripts reach the machine."""
    made = VmProject(tmp_path, vm)
    shutil.copy(brought_up.project.folder / "known_hosts", made.folder / "known_hosts")
    return made
