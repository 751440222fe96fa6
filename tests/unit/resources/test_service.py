"""What a script may say about a service, and what follows from it before anything runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from purvey._script.recorder import Recorder, recording
from purvey._script.words import secret
from purvey.errors import ScriptError
from purvey.resources import process
from purvey.testing import view
from tests.unit.resources.life import only, provider, recorder


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Recorder]:
    """A script that is running in `tmp_path`."""
    with recording(recorder(tmp_path)) as running:
        yield running


def test_python_is_purvey_s_own_and_folders_begin_at_the_script(script: Recorder, tmp_path: Path) -> None:
    """The first word `python` is the interpreter that runs purvey; the working directory is the script's, or beside it."""
    process.Service("a", command=["python", "-m", "shop"], env={"TOKEN": secret("env:TOKEN"), "X": f"a {secret('env:B')}"})
    inputs = only(script, "process.Service").inputs

    assert inputs["command"] == [sys.executable, "-m", "shop"]
    assert inputs["cwd"] == str(tmp_path)

    process.Service("b", command=["./serve"], cwd="web")
    assert script.nodes["process.Service::b"].inputs["cwd"] == str(tmp_path / "web")
    assert script.nodes["process.Service::b"].inputs["command"] == ["./serve"]


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({"command": []}, "`command` is empty"),
        ({"port": 0}, "`port` is 0"),
        ({"port": 65536}, "`port` is 65536"),
        ({"ready": "tcp"}, "there is no `port`"),
        ({"grace_s": 91}, "`grace_s` is 91"),
        ({"stop_signal": "TERMINATE"}, "`stop_signal`"),
        ({"restart": "sometimes"}, "restart"),
    ],
)
def test_what_makes_no_sense_is_refused(script: Recorder, inputs: dict[str, Any], told: str) -> None:
    """Each mistake is a script error that names the input."""
    with pytest.raises(ScriptError, match=told):
        process.Service("a", **{"command": ["true"], **inputs})


def test_a_secret_argument_is_refused(script: Recorder) -> None:
    """Every user of a machine can read the arguments of every process."""
    with pytest.raises(ScriptError, match="secret"):
        process.Service("a", command=["serve", f"--token={secret('env:TOKEN')}"])


@pytest.mark.parametrize(
    ("host", "address"),
    [("127.0.0.1", "127.0.0.1:80"), ("0.0.0.0", "127.0.0.1:80"), ("::", "[::1]:80"), ("::1", "[::1]:80"), ("web", "web:80")],
)
def test_the_address_is_where_a_client_reaches_it(host: str, address: str) -> None:
    """It is predicted, and claimed as the port that it takes."""
    want = view(process.Service, "a", command=["true"], host=host, port=80)

    assert dict(provider(want).predict(want)) == {"address": address}
    assert provider(want).claims(want) == (f"tcp://{host}:80",)


def test_without_a_port_nothing_is_claimed() -> None:
    """And the address is empty."""
    want = view(process.Service, "a", command=["true"])

    assert (dict(provider(want).predict(want)), provider(want).claims(want)) == ({"address": ""}, ())
