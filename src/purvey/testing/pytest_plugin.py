"""Fixtures for pytest: a running cloud, real hosts, and a project in which `purvey` runs as its users run it.

    def test_the_shop_survives_a_lost_answer(purvey_cloud, purvey_project):
        purvey_project.write(SCRIPT)
        purvey_cloud.fault("create", "server", action="cut_after")

        purvey_project.run("apply", "--yes")

        assert purvey_cloud.violations(purvey_project.ids()) == []

A run may be a process of its own, as above, or take place in the test, with `apply` and its like; then waiting takes no time,
and the cloud's clock moves on with the run's:

    def test_the_shop_waits_for_its_servers(purvey_cloud, purvey_project):
        purvey_project.write(SCRIPT)
        purvey_cloud.freeze()
        purvey_cloud.behave("server", creating_s=300.0)

        assert purvey_project.apply().result == "succeeded"

Real hosts, for which the tests must run as root:

    def test_the_shop_is_set_up(purvey_lab, purvey_project):
        lab = purvey_lab(2)
        lab.introduce(purvey_project.folder)
        purvey_project.write(SCRIPT)

        with lab.inside():
            purvey_project.run("apply", "--yes")

pytest finds them by itself where purvey is installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from purvey._base.clock import Clock
    from purvey._plan.plan import Plan
    from purvey._session import Session
    from purvey._state.history import RunHistory
    from purvey.testing.cloud import Cloud
    from purvey.testing.hosts import Lab

__all__ = ["Project", "purvey_cloud", "purvey_lab", "purvey_project"]

_RUN_S: Final = 300.0


class Project:
    """A folder with a script, a store and a key of its own.

    Args:
        folder: The folder; it must exist.
        environment: More variables for the processes.
        clock: The time of runs in the test itself; None is the machine's.

    Attributes:
        folder: The folder.
        script: The script's path.
        clock: As given.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None, clock: Clock | None = None) -> None:
        self.folder = folder
        self.script = folder / "main.py"
        self.clock = clock
        self._environment = dict(environment or {})

    def write(self, text: str) -> None:
        """Write the script."""
        self.script.write_text(text, encoding="utf-8")

    def begin(self, verb: str, *arguments: str) -> subprocess.Popen[str]:
        """Start ``purvey VERB main.py ARGUMENTS``, and do not wait for it."""
        environment = {**os.environ, "XDG_DATA_HOME": str(self.folder / "keys"), **self._environment}
        return subprocess.Popen(
            [sys.executable, "-m", "purvey", *verb.split(), self.script.name, *arguments], cwd=self.folder, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def attempt(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run ``purvey VERB main.py ARGUMENTS``, however it ends; a negative code is the signal that killed it."""
        process = self.begin(verb, *arguments)
        told, errors = process.communicate(timeout=_RUN_S)
        return subprocess.CompletedProcess(process.args, process.returncode, told, errors)

    def run(self, verb: str, *arguments: str) -> str:
        """Run ``purvey VERB main.py ARGUMENTS``, which must succeed; returns what it said.

        Raises:
            AssertionError: with all that it said, if it did not.
        """
        ended = self.attempt(verb, *arguments)
        assert ended.returncode == 0, f"purvey {verb} ended with {ended.returncode}\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def state(self, *arguments: str) -> Any:
        """What ``purvey state list --json`` says; before the first run, nothing is there to say."""
        return json.loads(self.run("state list", "--json", *arguments))

    def ids(self, *arguments: str) -> list[str]:
        """The ids of all objects that are recorded."""
        return [item["id"] for item in self.state(*arguments) if item["id"]]

    # In the test itself. A fault that kills would end the test; it is for processes.

    def session(self) -> Session:
        """A new session, as a new process would have."""
        from purvey._session import Session  # noqa: PLC0415 - see `purvey_cloud`.

        return Session(self.folder, clock=self.clock)

    def plan(self, **parameters: Any) -> Plan:
        """What an apply would do."""
        return self.session().plan(self.script, parameters=parameters)

    def apply(self, **parameters: Any) -> RunHistory:
        """Apply the script, whatever the plan says; a run that failed is returned, too, with its `result`."""
        return self.session().apply(self.script, approve=_yes, parameters=parameters, final="allow")

    def resume(self) -> RunHistory:
        """Go on with the last run."""
        return self.session().resume(self._target(), approve=_yes, final="allow")

    def undo(self) -> RunHistory:
        """Take the last run back."""
        return self.session().undo(self._target(), approve=_yes, final="allow")

    def destroy(self) -> RunHistory:
        """Remove everything."""
        return self.session().destroy(self._target(), approve=_yes)

    def _target(self) -> Any:
        from purvey._session.target import Target  # noqa: PLC0415 - see `purvey_cloud`.

        return Target(script=self.script)


def _yes(plan: Plan) -> str:
    """Approve whatever is planned."""
    del plan
    return "test"


@pytest.fixture
def purvey_cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A running cloud, named in ``PURVEY_CLOUD_URL``."""
    from purvey.testing.cloud import Cloud  # noqa: PLC0415 - a test suite that never asks for it does not load it.

    with contextlib.ExitStack() as stack:
        cloud = stack.enter_context(Cloud())
        monkeypatch.setenv("PURVEY_CLOUD_URL", cloud.url)
        yield cloud


@pytest.fixture
def purvey_lab() -> Iterator[Callable[[int], Lab]]:
    """Makes a running lab of so many hosts, which ends with the test; see `purvey.testing.hosts`."""
    from purvey.testing.hosts import Lab  # noqa: PLC0415 - see `purvey_cloud`.

    with contextlib.ExitStack() as stack:
        yield lambda hosts: stack.enter_context(Lab(hosts))


@pytest.fixture
def purvey_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Project:
    """An empty project; where the test has a `purvey_cloud`, the cloud's clock moves on with that of runs in the test."""
    from purvey._base.clock import SystemClock  # noqa: PLC0415 - see `purvey_cloud`.
    from purvey.testing.clock import VirtualClock  # noqa: PLC0415 - see `purvey_cloud`.

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "keys"))
    moved = request.getfixturevalue("purvey_cloud").advance if "purvey_cloud" in request.fixturenames else None
    return Project(tmp_path, clock=VirtualClock(SystemClock().now(), seed=None, moved=moved))
