"""A machine of a fleet whose cable is out: what that means for a plan, an apply, a rolling change and a destroy."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.unit.hosts.waiting import until

if TYPE_CHECKING:
    from purvey.testing.hosts import Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, rolling, scope, secret, stack
from purvey.resources import files


@stack
def fleet(text: str = "hello", tolerated: int = -1) -> None:
    webs = [
        Host(f"192.0.2.{11 + n}", name=f"web-{n}", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
        for n in (0, 1)
    ]
    if tolerated >= 0:
        for web in rolling(webs, max_failures=tolerated):
            declare(web, text)
    else:
        for web in webs:
            with scope(web.name):
                declare(web, text)


def declare(web: Host, text: str) -> None:
    for n in range(4):
        files.File(f"page-{n}", path=f"/srv/{n}.html", content=text, on=web)
"""

PAGES = "cat /srv/*.html 2>/dev/null | wc -c"


@pytest.fixture
def lab(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Lab]:
    """Two hosts, and a project whose commands reach them."""
    made = purvey_lab(2)
    made.introduce(purvey_project.folder)
    purvey_project.write(SCRIPT)
    with made.inside():
        yield made


def pages(lab: Lab) -> list[int]:
    """How many bytes of pages each machine has."""
    return [int(host.exec(["sh", "-c", PAGES]).stdout) for host in lab.hosts]


def cut(lab: Lab) -> None:
    """Pull the second machine's cable out, and forget that it was there a moment ago, so that each try takes three seconds."""
    lab.hosts[1].link_down()
    assert lab.run(["ip", "neighbour", "flush", "to", lab.hosts[1].address]).returncode == 0


def refused(project: Project, *arguments: str) -> str:
    """What an apply is refused with."""
    ended = project.attempt("apply", "--yes", *arguments)
    assert (ended.returncode, "refused.preflight" in ended.stdout + ended.stderr) == (4, True), ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def is_back(lab: Lab) -> bool:
    """Whether the second machine is reached again."""
    with contextlib.suppress(OSError), socket.create_connection((lab.hosts[1].address, 22), 1):
        return True
    return False


def test_nothing_is_written_on_the_others(lab: Lab, purvey_project: Project) -> None:
    """The plan and the apply name the machine, why, and what to do; the machine that answers is as it was."""
    cut(lab)

    planned = purvey_project.attempt("plan", "--exit-code")
    told = refused(purvey_project)

    assert planned.returncode == 4
    assert "create   web-1/files.File::page-0" in planned.stdout
    for said in (planned.stdout, told):
        assert re.search(r"web-1: A host (cannot be reached|does not answer); 4 objects on it are not looked at", said)
        assert "root@192.0.2.12:22" in said
        assert "nc -vz 192.0.2.12 22" in said
        assert "Bring it up; or leave it out" in said
    assert pages(lab) == [0, 0]

    lab.hosts[1].link_up()
    assert until(lambda: is_back(lab))
    assert "8 created" in purvey_project.run("apply", "--yes")


def test_what_is_recorded_stays_and_the_others_change_without_it(lab: Lab, purvey_project: Project) -> None:
    """An update is refused, too; with --exclude the others change, and nothing of the lost machine is taken for gone."""
    purvey_project.run("apply", "--yes")
    cut(lab)

    assert "web-1: " in refused(purvey_project, "--text", "bye!!!")
    assert "web-1: " in refused(purvey_project), "it was to be looked at"
    assert pages(lab) == [20, 20]
    assert "4 updated" in purvey_project.run("apply", "--yes", "--text", "bye!!!", "--exclude", "web-1/*")
    assert pages(lab) == [24, 20]
    drifted = json.loads(purvey_project.run("drift", "--json"))["changes"]
    assert {(item["address"].partition("/")[0], item["action"]) for item in drifted} == {("web-1", "unreadable")}

    lab.hosts[1].link_up()
    assert until(lambda: is_back(lab))
    assert "4 updated" in purvey_project.run("apply", "--yes", "--text", "bye!!!")
    assert pages(lab) == [24, 24]


def test_a_rolling_change_goes_on_without_as_many_as_may_fail(lab: Lab, purvey_project: Project) -> None:
    """It is noted, fails, and is sought once for all of its objects; a resume finishes it when it is back."""
    cut(lab)
    assert "web-1: " in refused(purvey_project, "--tolerated", "0")

    ended = purvey_project.attempt("apply", "--yes", "--tolerated", "1")

    said = ended.stdout + ended.stderr
    assert "Note: web-1: A host" in said
    assert "Kept: the run failed" in said
    assert pages(lab) == [20, 0]
    assert len(re.findall(r"waiting web-1/files.File::page-\d: attempt 1 ", said)) == 1
    assert len(re.findall(r"create failed web-1/files.File::page-\d", said)) == 4

    lab.hosts[1].link_up()
    assert until(lambda: is_back(lab))
    purvey_project.run("resume", "--yes")
    assert pages(lab) == [20, 20]


def test_a_destroy_leaves_what_it_cannot_reach_on_record(lab: Lab, purvey_project: Project) -> None:
    """Its plan says so, the others are cleared, nothing is lost of the machine, and a second one clears that."""
    purvey_project.run("apply", "--yes")
    cut(lab)

    ended = purvey_project.attempt("destroy", "--yes")

    said = ended.stdout + ended.stderr
    assert re.search(r"Note: web-1: A host .*\n +4 objects on it are to be deleted, and will be left", said)
    assert "Partial: " in said
    assert pages(lab) == [0, 20]
    assert sorted(purvey_project.ids()) == [f"/srv/{n}.html" for n in range(4)]
    assert len(re.findall(r"waiting web-1/files.File::page-\d: attempt 1 ", said)) == 1

    lab.hosts[1].link_up()
    assert until(lambda: is_back(lab))
    assert "4 deleted" in purvey_project.run("destroy", "--yes")
    assert pages(lab) == [0, 0]
