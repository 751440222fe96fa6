"""A rolling change with a service, taken back on real machines: one after the other, each out of service while it changes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from purvey.testing.hosts import Lab
    from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, rolling, secret, stack
from purvey.resources import files, host, services

DEMO = '''#!/bin/sh
### BEGIN INIT INFO
# Provides: demo
# Required-Start:
# Required-Stop:
# Default-Start: 2 3 4 5
# Default-Stop: 0 1 6
### END INIT INFO
daemon="start-stop-daemon --quiet --pidfile /run/demo.pid"
[ "$1" = status ] || echo "$(date +%s%N) $1 $(cat /etc/demo.conf)" >>/run/demo.words
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


def note(web, name, word, back):
    told = ["sh", "-c", "echo $(date +%s%N) $0 >>/run/demo.words"]
    host.Command(name, on=web, command=[*told, word], undo=[*told, back], always=True)


def passes(web, odd):
    host.Command("check", on=web, command=["sh", "-c", f"! grep -q {odd} /etc/demo.conf"], always=True)


@stack
def fleet(text: str = "one", then: str = "undo", odd: str = "") -> None:
    webs = [
        Host(f"192.0.2.{11 + n}", name=f"w{n + 1}", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
        for n in range(3)
    ]
    turns = rolling(
        webs, batch=1, on_failure=then,
        drain=lambda web: note(web, "out", "out", "in"),
        check=lambda web: passes(web, odd) if odd and web.name == "w3" else None,
        restore=lambda web: note(web, "in", "in", "out"),
    )
    for web in turns:
        given = text if text != "bad" or web.name == "w3" else "two"
        settings = files.File("demo", path="/etc/demo.conf", content=given, on=web)
        services.Sysv("demo", script="demo", content=DEMO, restart_on=[settings], on=web)
"""


@pytest.fixture
def lab(purvey_lab: Callable[[int], Lab], purvey_project: Project) -> Iterator[Lab]:
    """Three hosts on which the script has run, and what they told is forgotten."""
    lab = purvey_lab(3)
    lab.introduce(purvey_project.folder)
    purvey_project.write(SCRIPT)
    with lab.inside():
        purvey_project.run("apply", "--yes")
        yield lab


def told(lab: Lab) -> list[str]:
    """What happened on all machines, in this order: what was told there, and when the file got its content."""
    found: list[tuple[int, str]] = []
    for n, host in enumerate(lab.hosts):
        for line in host.exec(["cat", "/run/demo.words"]).stdout.splitlines():
            at, _, word = line.partition(" ")
            found.append((int(at), f"w{n + 1} {word}"))
        at, _, nanoseconds = host.exec(["stat", "--format=%.9Z", "/etc/demo.conf"]).stdout.strip().partition(".")
        found.append((int(at + nanoseconds), f"w{n + 1} file"))
    return [word for _, word in sorted(found)]


def back(*machines: str, was_in: bool = True, word: str = "restart") -> list[str]:
    """What is told when machines are taken back, one after the other."""
    steps = [*(["out"] if was_in else []), "file", f"{word} one", "in"]
    return [f"{machine} {step}" for machine, step in itertools.product(machines, steps)]


def test_an_undo_goes_from_machine_to_machine(lab: Lab, purvey_project: Project) -> None:
    """Backwards: out of service, the file, the restart, in service; then the next."""
    purvey_project.run("apply", "--yes", "--text", "two")
    count = len(told(lab)) - 3  # The files of the change itself are not seen any more once they are back.

    purvey_project.run("undo", "--yes")

    assert told(lab)[count:] == back("w3", "w2", "w1")


def test_a_failed_check_takes_back_the_machine_and_those_before(lab: Lab, purvey_project: Project) -> None:
    """The check on the third fails: that one gets its file and its restart before it is in service, and then the others."""
    purvey_project.attempt("apply", "--yes", "--text", "two", "--odd", "two")

    assert told(lab)[-11:] == [*back("w3", was_in=False), *back("w2", "w1")]


def test_a_failed_restart_is_mended_before_the_machine_is_in_service(lab: Lab, purvey_project: Project) -> None:
    """The restart on the third fails: it runs with its former file when it is put back, and the others follow."""
    purvey_project.attempt("apply", "--yes", "--text", "bad")

    assert told(lab)[-11:] == [*back("w3", was_in=False, word="start"), *back("w2", "w1")]


@pytest.mark.parametrize(("arguments", "word"), [(("--text", "bad"), "start"), (("--text", "two", "--odd", "two"), "restart")])
def test_a_batch_is_taken_back_in_the_same_order(
    lab: Lab, purvey_project: Project, arguments: tuple[str, ...], word: str
) -> None:  # fmt: skip
    """The others keep what is new."""
    purvey_project.attempt("apply", "--yes", "--then", "undo_batch", *arguments)

    assert told(lab)[-3:] == back("w3", was_in=False, word=word)
