"""Real machines behind OpenSSH: purvey is killed during a command, which ends without it; what it did is told, and undone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.hosts.waiting import until

if TYPE_CHECKING:
    from purvey.testing.hosts import Host, Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, Options, secret, stack
from purvey.resources import files, host

GUARDS = {
    "creates": {"creates": "/srv/made"}, "unless": {"unless": ["test", "-e", "/srv/made"]}, "always": {"always": True},
}


@stack
def fleet(guard: str = "creates", code: int = 0) -> None:
    web = Host("192.0.2.11", name="web", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
    page = files.File("page", path="/srv/page", content="page", on=web)
    once = host.Command(
        "once", on=web, opts=Options(after=[page]), undo=["rm", "/srv/made"], **GUARDS[guard],
        command=[
            "sh", "-c",
            "echo line >>/srv/ledger; until [ -e /srv/go ]; do sleep 0.1; done; "
            f"echo >/srv/made; echo said; echo why >&2; exit {code}",
        ],
    )
    files.File("after", path="/srv/after", content="after", on=web, opts=Options(after=[once]))
"""
LOG = "find /var/lib/purvey/work -name log -exec cat {} +"


@pytest.fixture
def machine(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Host]:
    """A host, and a project whose commands reach it."""
    lab = purvey_lab(1)
    lab.introduce(purvey_project.folder)
    purvey_project.write(SCRIPT)
    with lab.inside():
        yield lab.hosts[0]


def says(machine: Host, line: str) -> str:
    """What a shell there prints."""
    return machine.exec(["sh", "-c", line]).stdout


def killed(machine: Host, project: Project, *arguments: str, end: str = "D") -> None:
    """Kill purvey during the command, which then ends; return when the machine has written that down."""
    process = project.begin("apply", "--yes", *arguments)
    assert until(lambda: says(machine, "cat /srv/ledger") == "line\n")
    process.kill()
    process.communicate()
    before = says(machine, f"{LOG} | grep -c '^{end} '")
    says(machine, "touch /srv/go")
    assert until(lambda: says(machine, f"{LOG} | grep -c '^{end} '") != before)


def recorded(project: Project) -> Any:
    """What is recorded of the command."""
    return json.loads(project.run("state show", "host.Command::once", "--json"))["outputs"]


@pytest.mark.parametrize("guard", ["creates", "unless"])
def test_what_ended_unseen_is_told_and_undone(machine: Host, purvey_project: Project, guard: str) -> None:
    """It ran, as the machine's log says, although its guard sees it done; so it is undone like any other."""
    killed(machine, purvey_project, "--guard", guard)

    purvey_project.run("resume", "--yes")

    outputs = recorded(purvey_project)
    assert (outputs["ran"], outputs["stdout"], bool(outputs["revision"])) == (True, "said\n", True)
    assert says(machine, "cat /srv/ledger; ls /srv/after") == "line\n/srv/after\n"
    purvey_project.run("undo", "--yes")
    assert says(machine, "ls /srv") == "go\nledger\n"


@pytest.mark.parametrize("guard", ["creates", "unless"])
def test_what_ended_unseen_is_undone_without_a_resume(machine: Host, purvey_project: Project, guard: str) -> None:
    """An undo of the killed run finds out that it ran, too."""
    killed(machine, purvey_project, "--guard", guard)
    purvey_project.run("undo", "--yes")
    assert says(machine, "ls /srv") == "go\nledger\n"


def test_what_another_made_is_not_ours(machine: Host, purvey_project: Project) -> None:
    """A command that never began, because its work was there by then, has not run, and is not undone."""
    says(machine, "echo >/srv/made")
    purvey_project.run("apply", "--yes")
    assert recorded(purvey_project)["ran"] is False
    purvey_project.run("undo", "--yes")
    assert says(machine, "ls /srv") == "made\n"


@pytest.mark.parametrize("guard", ["creates", "unless", "always"])
def test_a_failure_unseen_is_the_runs(machine: Host, purvey_project: Project, guard: str) -> None:
    """The resume takes the failure that the machine tells: it undoes the run, and the command is not run a second time."""
    killed(machine, purvey_project, "--guard", guard, "--code", "5", end="E")

    ended = purvey_project.attempt("resume", "--yes")

    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "The command ended with code 5" in said
    assert "why" in said
    assert "Undone" in said
    assert says(machine, "cat /srv/ledger") == "line\n"
    assert says(machine, "ls /srv") == "go\nledger\nmade\n"
