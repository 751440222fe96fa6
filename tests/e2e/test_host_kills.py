"""Real machines behind OpenSSH: purvey is killed while it works there, and the cable is pulled during a command."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import pytest

from purvey.testing.hosts import _network
from tests.unit.hosts.waiting import until

if TYPE_CHECKING:
    from purvey.testing.hosts import Host, Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, Options, secret, stack
from purvey.resources import files, host


@stack
def fleet(seconds: float = 0.4, code: int = 0, lines: int = 8) -> None:
    web = Host("192.0.2.11", name="web", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
    site = files.Directory("site", path="/srv/site", on=web)
    for n in range(lines):
        page = files.File(f"page-{n}", path=f"{site.path}/{n}", content=f"page {n}", on=web)
        host.Command(
            f"line-{n}", creates=f"/srv/made-{n}", on=web, opts=Options(after=[page]),
            command=["sh", "-c", f"echo line {n} >>/srv/ledger; sleep {seconds}; echo >/srv/made-{n}; exit {code}"],
        )
"""

KILLS = 3
"""Times that purvey is killed before it is left alone."""


@pytest.fixture
def machine(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Host]:
    """A host, and a project whose commands reach it."""
    lab = purvey_lab(1)
    lab.introduce(purvey_project.folder)
    purvey_project.write(SCRIPT)
    with lab.inside():
        yield lab.hosts[0]


def ledger(machine: Host) -> list[str]:
    """A line for each time that a command ran."""
    return machine.exec(["cat", "/srv/ledger"]).stdout.splitlines()


def has_lines(machine: Host, least: int) -> bool:
    """Whether so many commands were begun."""
    return len(ledger(machine)) >= least


def test_killed_again_and_again(machine: Host, purvey_project: Project, seed: int) -> None:
    """Whenever purvey is killed, the resume finds out what went on without it: every command ran once, and nothing is left."""
    chance = random.Random(seed)
    process = purvey_project.begin("apply", "--yes")
    for lines in sorted(chance.sample(range(1, 7), KILLS)):
        assert until(partial(has_lines, machine, lines))
        process.kill()
        process.communicate()
        process = purvey_project.begin("resume", "--yes", "--wait")
    said, errors = process.communicate()
    assert process.returncode == 0, said + errors

    assert ledger(machine) == [f"line {n}" for n in range(8)]
    assert machine.exec(["sh", "-c", "cat /srv/site/*"]).stdout == "".join(f"page {n}" for n in range(8))
    assert "nothing had to change" in purvey_project.run("apply", "--yes")


def test_a_pulled_cable_is_no_failure(machine: Host, purvey_project: Project) -> None:
    """A command goes on while nobody reaches its machine; the run joins it again, and tells the code with which it ended."""
    process = purvey_project.begin("apply", "--yes", "--on-failure", "keep", "--seconds", "5", "--code", "7", "--lines", "1")
    assert until(lambda: ledger(machine) == ["line 0"])
    machine.link_down()
    lost = _network.run(["ss", "--kill", "--no-header", "dst", "192.0.2.11"], {})  # Else the connection would live on.
    assert "192.0.2.11" in lost.stdout
    assert until(lambda: machine.exec(["test", "-e", "/srv/made-0"]).returncode == 0)
    assert process.poll() is None
    machine.link_up()
    said, errors = process.communicate()

    assert process.returncode != 0
    assert "The command ended with code 7" in said + errors
    told = [line.partition(" ")[2] for line in (said + errors).splitlines()]
    cut = told.index("waiting web: the link was lost; the work goes on there, joining again")
    joined = told.index("web: joined again")
    failed = next(number for number, line in enumerate(told) if line.startswith("create failed host.Command::line-0"))
    assert cut < joined < failed
    assert sum("link was lost" in line for line in told) == 1
    assert ledger(machine) == ["line 0"]
