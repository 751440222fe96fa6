"""What the tests of the command line share: the program in this process, in an empty folder with an environment of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from purvey.cli.main import main


class Ended(NamedTuple):
    """What a command left: its exit code, what it printed for programs, and what it told people."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Standard output as the one JSON document that it must be."""
        return json.loads(self.out)


Purvey = Callable[..., Ended]


@pytest.fixture
def purvey(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Purvey:
    """Run a command as a user would, without a terminal."""
    for name in ("PURVEY_DEBUG", "PURVEY_KEY", "PURVEY_STORE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Ended:
        capfd.readouterr()
        with pytest.raises(SystemExit) as left:
            main(list(words), prog_name="purvey")
        told = capfd.readouterr()
        assert isinstance(left.value.code, int)
        return Ended(left.value.code, told.out, told.err)

    return run


@pytest.fixture
def project(purvey: Purvey, tmp_path: Path) -> Path:
    """A starter project, in the folder `site`."""
    assert purvey("new", "site").code == 0
    return tmp_path / "site"
