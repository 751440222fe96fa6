"""Init scripts on a real machine, through the command line: started, restarted for what they have read, and taken back."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from purvey.testing.hosts import Host, Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, secret, stack
from purvey.resources import files, services

DEMO = '''#!/bin/sh
### BEGIN INIT INFO
# Provides: demo
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
daemon="start-stop-daemon --quiet --pidfile /run/demo.pid"
[ "$1" = status ] || echo "$1 $(cat /etc/demo.conf)" >>/run/demo.words
start() {
    ! grep -q bad /etc/demo.conf || { echo "no such setting" >&2; exit 6; }
    $daemon --start --background --make-pidfile --exec /usr/bin/sleep -- 100000
}
stop() { $daemon --stop --oknodo --retry 5 --remove-pidfile; }
case $1 in
start|stop) $1 ;;
restart|force-reload) stop; start ;;
status) $daemon --status ;;
esac
'''


@stack
def fleet(text: str = "one") -> None:
    web = Host("192.0.2.11", name="web", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
    settings = files.File("demo", path="/etc/demo.conf", content=text, on=web)
    services.Sysv("demo", script="demo", content=DEMO, restart_on=[settings], on=web)
"""


@pytest.fixture
def machine(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Host]:
    """A host, and a project whose commands reach it."""
    lab = purvey_lab(1)
    lab.introduce(purvey_project.folder)
    purvey_project.write(SCRIPT)
    with lab.inside():
        yield lab.hosts[0]


def words(machine: Host) -> list[str]:
    """What the script was told, with what was in the file then."""
    return machine.exec(["cat", "/run/demo.words"]).stdout.splitlines()


def links(machine: Host) -> str:
    """What there is of the service on the machine."""
    return machine.exec(["sh", "-c", "ls -d /etc/rc?.d/*demo /etc/init.d/demo; pgrep -x sleep | wc -l"]).stdout


def test_an_init_script_follows_what_it_has_read(machine: Host, purvey_project: Project) -> None:
    """It is started once, restarted once for a changed file, and after an undo with the former one; destroyed, it is gone."""
    purvey_project.run("apply", "--yes")
    assert words(machine) == ["start one"]
    assert "nothing had to change" in purvey_project.run("apply", "--yes")

    purvey_project.run("apply", "--yes", "--text", "two")
    assert words(machine) == ["start one", "restart two"]

    purvey_project.run("undo", "--yes")
    assert words(machine) == ["start one", "restart two", "restart one"]
    assert json.loads(purvey_project.run("plan", "--json"))["changes"] == []

    purvey_project.run("destroy", "--yes")
    assert words(machine)[3:] == ["stop one"]
    assert links(machine) == "0\n"


def test_a_change_that_a_service_does_not_take_goes_back(machine: Host, purvey_project: Project) -> None:
    """The restart fails in the script's words; the file is put back, and only then is the service started with it."""
    purvey_project.run("apply", "--yes")

    said = purvey_project.attempt("apply", "--yes", "--text", "bad").stdout

    assert "no such setting" in said
    assert "Undone" in said
    assert words(machine) == ["start one", "restart bad", "start one"]
    assert json.loads(purvey_project.run("plan", "--json"))["changes"] == []


def test_what_somebody_did_to_an_init_script_is_seen_and_mended(machine: Host, purvey_project: Project) -> None:
    """A daemon that was killed and a runlevel link that is gone are drift of the service alone, which the next run mends."""
    purvey_project.run("apply", "--yes")
    before = links(machine)
    machine.exec(["sh", "-c", "start-stop-daemon --stop --retry 5 --pidfile /run/demo.pid; rm /etc/rc?.d/S??demo"])

    drifted = json.loads(purvey_project.attempt("drift", "--json").stdout)["changes"]

    assert [item["address"] for item in drifted] == ["services.Sysv::demo"]
    purvey_project.run("apply", "--yes")
    assert links(machine) == before
    assert "nothing had to change" in purvey_project.run("apply", "--yes")
