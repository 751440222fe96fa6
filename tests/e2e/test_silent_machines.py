"""A machine that lets us connect and says nothing: people are told while they wait, and may stop waiting."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator

import pytest

from purvey.cli.failure import EXIT_INTERRUPTED
from purvey.testing.hosts._keys import new_key
from purvey.testing.pytest_plugin import Project

SCRIPT = """
from purvey import Host, secret, stack
from purvey.resources import files


@stack
def main() -> None:
    web = Host("127.0.0.1", port={port}, name="web", user="root", key=secret("file:key"), known_hosts="known_hosts", config="")
    files.File("page", path="/srv/page.html", content="hello", on=web)
"""


@pytest.fixture
def project(purvey_project: Project) -> Iterator[Project]:
    """A project with such a machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        purvey_project.write(SCRIPT.format(port=server.getsockname()[1]))
        (purvey_project.folder / "known_hosts").touch()
        new_key().write(purvey_project.folder / "key")
        yield purvey_project


def heard(stream: Iterator[str] | None, words: str) -> bool:
    """Whether a command comes to say something, within a bound."""
    assert stream is not None
    found = threading.Event()

    def listen() -> None:
        """Read what it says until then."""
        if any(words in line for line in stream):
            found.set()

    threading.Thread(target=listen, daemon=True).start()
    return found.wait(60)


def ended(process: subprocess.Popen[str]) -> int:
    """With which code it ends once it was asked to stop; it may not wait for the machine, which would take 30 s more."""
    process.send_signal(signal.SIGINT)
    return process.wait(15)


def test_who_looks_is_told_what_is_waited_for(project: Project) -> None:
    """On standard error, where it is in nobody's way."""
    process = project.begin("plan")

    assert heard(process.stderr, "waiting web: no answer for 5 s")
    assert ended(process) == EXIT_INTERRUPTED
    process.communicate()


def test_who_stops_waits_for_nobody(project: Project) -> None:
    """While nothing is under way on any machine, Ctrl-C ends an apply at once; nothing is in doubt afterwards."""
    process = project.begin("apply", "--yes")

    assert heard(process.stdout, "waiting web: no answer for 5 s")
    assert ended(process) == EXIT_INTERRUPTED
    process.communicate()
    (run,) = project.session().runs()
    assert (run.result, len(run.changes)) == ("interrupted", 0)
    assert project.ids() == []
