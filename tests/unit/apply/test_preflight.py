"""Preflight: what would make a run fail is found before the first write, all of it at once."""

from __future__ import annotations

import shutil
import socket
import threading
from collections import namedtuple
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from purvey import Session
from purvey._base.event import Event, PhaseStarted
from purvey.errors import RefusedError, StateError
from tests.support.project import Project

SCRIPT = """
from purvey import Options, stack
from purvey.resources import files, http, tcp

@stack
def guarded(env: str, port: int) -> None:
    tcp.Check("name", host="no-such-host.invalid", port=443, opts=Options(preflight=True))
    tcp.Check("port", host="127.0.0.1", port=port, opts=Options(preflight=True))
    http.Check("answer", url=f"http://127.0.0.1:{port}/", opts=Options(preflight=True))
    files.File("made", path="made.txt", content="x")
"""


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that nobody listens on, kept from others for as long as the test runs."""
    with closing(socket.socket()) as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The script in a project of its own."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    path = tmp_path / "guarded.py"
    path.write_text(SCRIPT)
    return path


def test_all_that_is_out_of_reach_is_told_before_the_first_write(script: Path, closed_port: int) -> None:
    """A name that does not resolve, a port and a page that do not answer: three findings, nothing made."""
    with pytest.raises(RefusedError) as refused:
        Session(script).apply(script, parameters={"port": closed_port}, approve=lambda plan: "test")

    kinds = [finding.split()[1].partition(":")[0] for finding in refused.value.findings]
    assert kinds == ["tcp.Check", "tcp.Check", "http.Check"]
    assert "no-such-host.invalid" in refused.value.findings[0]
    assert not (script.parent / "made.txt").exists()


def test_a_plan_shows_the_same_findings(script: Path, closed_port: int) -> None:
    """Whoever reads the plan sees that it cannot succeed."""
    warnings = Session(script).plan(script, parameters={"port": closed_port}).warnings

    assert sum("127.0.0.1" in warning for warning in warnings) == 2


def test_a_full_disk_refuses_the_run(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With too little room for a journal nothing starts."""
    script.write_text(SCRIPT.replace("tcp.Check", "# ").replace("http.Check", "# "))
    usage = namedtuple("usage", "total used free")  # noqa: PYI024 - the shape that shutil returns.
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 4096))

    with pytest.raises(RefusedError, match="cannot succeed") as refused:
        Session(script).apply(script, parameters={"port": 1}, approve=lambda plan: "test")

    assert "0 MiB are free" in refused.value.findings[0]


def test_what_is_found_without_the_lease_says_nothing(project: Project) -> None:
    """A run that slept while another followed it does not complain of what that has made: its lease is lost, and it says so."""
    project.declare('Thing("a")')

    def follow(event: Event) -> None:
        if isinstance(event, PhaseStarted) and event.phase == "plan":
            project.watcher.react = lambda _: None
            project.clock.seconds += 3600
            follower = threading.Thread(target=project.apply)
            follower.start()
            follower.join()

    project.watcher.react = follow
    with pytest.raises(StateError) as caught:
        project.session().apply(project.script_path, approve=project.approve)

    assert caught.value.code == "state.lease_lost"
    assert project.world.log == ["create a"]
    project.require_sound()


@pytest.mark.parametrize("declared", ['files.File("a", path="here", content="x")', 'files.Link("a", path="here", target="/a")'])
def test_a_folder_in_the_way_is_told_as_one(project: Project, declared: str) -> None:
    """Whoever declared a file learns what is there instead, and is not sent to adopt it, which would fail."""
    (project.folder / "here").mkdir()
    project.declare(f"from purvey.resources import files\n{declared}")

    with pytest.raises(RefusedError) as refused:
        project.apply()

    (finding,) = refused.value.findings
    assert "here exists already and is a directory" in finding
    assert "adopt=True" not in refused.value.detail + refused.value.hint
    (problem,) = refused.value.single
    assert problem.summary in finding
    assert problem.address in ("files.File::a", "files.Link::a")
    assert problem.source.startswith(f"{project.script_path.name}:")
    assert problem.hint.startswith("Choose another place")
