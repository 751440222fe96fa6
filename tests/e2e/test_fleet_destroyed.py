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


def test_a_dead_machine_keeps_nothing_of_the_others(lab: Lab, purvey_project: Project) -> None:
    """What a rolling change did on the machines before it came first, and is not needed by what is left on the dead one."""
    purvey_project.write("""
from purvey import Host, rolling, secret, stack
from purvey.resources import files


@stack
def shop() -> None:
    webs = [
        Host(f"192.0.2.{11 + n}", name=f"web-{n}", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
        for n in range(2)
    ]
    for web in rolling(webs, batch=1):
        site = files.Directory("shop", path="/srv/shop", on=web)
        files.File("page", path=f"{site.path}/page", content="x", on=web)
""")
    purvey_project.run("apply", "--yes")
    lab.hosts[1].stop()

    ended = purvey_project.attempt("destroy", "--yes")

    said = ended.stdout[ended.stdout.index("Partial") :]
    assert said.startswith("Partial: not all could be removed.\n  2 deleted, 1 delete failed\n")
    assert re.findall(r"^  (web\S+)", said[said.index("What is left") :], re.MULTILINE) == [
        "web-1/files.File::page", "web-1/files.Directory::shop",
    ]  # fmt: skip
    assert lab.hosts[0].exec(["ls", "/srv"]).stdout.split() == ["ana", "bob", "link", "site"]
    lab.hosts[1].start()
    purvey_project.run("destroy", "--yes")
    assert lab.hosts[1].exec(["ls", "/srv"]).stdout.split() == ["ana", "bob", "link", "site"]
