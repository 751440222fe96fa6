"""The end of a fleet: in which order its machines are cleared, and what is left on them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from purvey.testing.hosts import Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, scope, secret, stack
from purvey.resources import files, users


@stack
def fleet() -> None:
    for n, address in ((10, "192.0.2.11"), (2, "192.0.2.12")):
        web = Host(address, name=f"web-{n}", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
        with scope(web.name):
            site = files.Directory("site", path="/srv/site", on=web)
            files.File("page", path=f"{site.path}/page", content="x", on=web)
            users.User("ana", home="/srv/ana", on=web)
            users.User("bob", home="/srv/bob", on=web, remove_home=True)
            users.User("daemon", on=web, name="shop", system=True)
            files.Link("a-link", path="/srv/link", target="/srv/site", on=web)
"""


@pytest.fixture
def lab(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Lab]:
    """Two machines, and a project that has set them up."""
    made = purvey_lab(2)
    made.introduce(purvey_project.folder)
    purvey_project.write(SCRIPT)
    with made.inside():
        purvey_project.run("apply", "--yes")
        yield made


def test_a_fleet_goes_machine_by_machine_and_says_what_stays(lab: Lab, purvey_project: Project) -> None:
    """The plan and the end name the homes that are left; what was made last is told and removed first."""
    ended = purvey_project.attempt("destroy", "--yes")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    said = ended.stdout + ended.stderr
    told = re.findall(r"- delete +(\S+)", said)
    plain = [address for address in told if "User" not in address]  # Users hold data, and are told apart.
    assert plain == [f"web-{n}/files.{name}" for n in (2, 10) for name in ("Link::a-link", "File::page", "Directory::site")]
    assert [address for address in told if "User" in address] == [
        f"web-{n}/users.User::{name}" for n in (2, 10) for name in ("daemon", "bob", "ana")
    ]
    removed = re.findall(r"deleted web-2/\w+\.(\S+)", said)
    assert removed == ["Link::a-link", "User::daemon", "User::bob", "User::ana", "File::page", "Directory::site"]
    line = "Stays behind: the home /srv/ana on web-2, web-10"
    assert f"Note: {line}.\n" in said
    assert f"  {line}\n" in ended.stdout[ended.stdout.index("Succeeded") :]
    for host in lab.hosts:
        assert host.exec(["ls", "/srv"]).stdout.split() == ["ana"]
