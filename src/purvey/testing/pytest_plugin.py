"""Fixtures for pytest: a running cloud, and a project in which `purvey` runs as its users run it.

    def test_the_shop_survives_a_lost_answer(purvey_cloud, purvey_project):
        purvey_project.write(SCRIPT)
        purvey_cloud.fault("create", "server", action="cut_after")

        purvey_project.run("apply", "--yes")

        assert purvey_cloud.violations(purvey_project.ids()) == []

pytest finds them by itself where purvey is installed.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from purvey.testing.cloud import Cloud

__all__ = ["Project", "purvey_cloud", "purvey_project"]

_RUN_S: Final = 300.0


class Project:
    """A folder with a script, a store and a key of its own.

    Args:
        folder: The folder; it must exist.
        environment: More variables for the processes.

    Attributes:
        folder: The folder.
        script: The script's path.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.script = folder / "main.py"
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


@pytest.fixture
def purvey_cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A running cloud, named in ``PURVEY_CLOUD_URL``."""
    from purvey.testing.cloud import Cloud  # noqa: PLC0415 - a test suite that never asks for it does not load it.

    with contextlib.ExitStack() as stack:
        cloud = stack.enter_context(Cloud())
        monkeypatch.setenv("PURVEY_CLOUD_URL", cloud.url)
        yield cloud


@pytest.fixture
def purvey_project(tmp_path: Path) -> Project:
    """An empty project."""
    return Project(tmp_path)
