"""What a script may say about files: paths beside the script, one way to give the content, and mistakes with file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from purvey import Host, Namespace
from purvey._base.value import Late, SecretRef
from purvey._script.recorder import Recorder, recording
from purvey._script.words import secret
from purvey.errors import ProviderError, ScriptError
from purvey.providers import Recorded
from purvey.resources import files
from purvey.testing import PlainCall, view
from tests.unit.resources.life import kind_of, only, provider, recorder

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def script(tmp_path: Path) -> Iterator[Recorder]:
    """A script that is running in `tmp_path`."""
    with recording(recorder(tmp_path)) as running:
        yield running


def inputs_of(script: Recorder, kind: str = "files.File") -> dict[str, Any]:
    """What was recorded of the one node of a kind."""
    return dict(only(script, kind).inputs)


def test_relative_paths_begin_at_the_script(script: Recorder, tmp_path: Path) -> None:
    """A relative path is made absolute, and the mode is recorded even where it is the default."""
    files.File("a", path="etc/../motd", content="x")

    assert inputs_of(script) == {"path": str(tmp_path / "motd"), "content": "x", "mode": "0644"}


def test_sources_stay_beside_the_script_wherever_the_file_is(script: Recorder, tmp_path: Path) -> None:
    """What a script reads is on this machine whatever it is for, and a network namespace has this machine's files."""
    (tmp_path / "motd").write_text("hello", encoding="utf-8")
    site = files.Directory("site", on=Host("192.0.2.11"), path="/srv")
    files.File("a", on=Host("192.0.2.11"), path="/etc/motd", source="motd")
    files.File("b", on=Host("192.0.2.11"), path=f"{site.path}/motd", content="x")
    files.File("c", on=Namespace("blue"), path="motd", content="x")

    assert script.nodes["files.File::a"].inputs["content"] == "hello"
    assert script.nodes["files.File::c"].inputs["path"] == str(tmp_path / "motd")


def test_a_path_that_begins_with_an_output_is_left_alone(script: Recorder) -> None:
    """A path built from another node waits for that node's path, and makes an edge."""
    site = files.Directory("site", path="/srv")
    files.File("a", path=f"{site.path}/motd", content="x")

    assert isinstance(inputs_of(script)["path"], Late)
    assert "files.Directory::site" in only(script, "files.File").needs


@pytest.mark.parametrize("mode", ["644", "0644"])
def test_modes_are_spelt_in_one_way(script: Recorder, mode: str) -> None:
    """Both spellings of a mode are one, so changing the spelling is no change."""
    files.File("a", path="/a", content="", mode=mode)

    assert inputs_of(script)["mode"] == "0644"


def test_a_short_source_is_part_of_the_plan(script: Recorder, tmp_path: Path) -> None:
    """Text up to 64 KiB is read while the script runs, so that the plan shows its change; where it was read is not recorded."""
    (tmp_path / "app.conf").write_text("listen = 8080\n")
    files.File("a", path="/a", source="app.conf")

    assert inputs_of(script) == {"path": "/a", "mode": "0644", "content": "listen = 8080\n"}


@pytest.mark.parametrize("data", [b"x" * 65_537, b"\xff\xfe"], ids=["large", "binary"])
async def test_a_large_source_is_recorded_by_digest(script: Recorder, tmp_path: Path, data: bytes) -> None:
    """A large or binary source is recorded by its digest; if it changes after the plan, nothing is written."""
    source = tmp_path / "blob"
    source.write_bytes(data)
    files.File("a", path=str(tmp_path / "copy"), source="blob")
    inputs = inputs_of(script)
    want = view(files.File, **inputs)
    call = PlainCall(tmp_path / "state")

    assert inputs["source_digest"] == hashlib.sha256(data).hexdigest()
    assert provider(want).predict(want) == {"digest": inputs["source_digest"]}
    await provider(want).create(call, want)
    assert (tmp_path / "copy").read_bytes() == data
    source.write_bytes(b"changed")
    with pytest.raises(ProviderError, match="not the planned one"):
        await provider(want).update(call, want, want)
    assert (tmp_path / "copy").read_bytes() == data


def test_the_same_content_from_another_place_is_no_change(tmp_path: Path) -> None:
    """Moving the project moves its sources; a file whose content is the same stays as it is."""
    kind = kind_of(files.File)
    here = {"path": "/a", "source": "/one/blob", "source_digest": "d"}

    assert kind.provider.diff(kind, {**here, "source": "/two/blob"}, Recorded(here, {}), {}).changes == ()
    assert kind.provider.diff(kind, {**here, "source_digest": "e"}, Recorded(here, {}), {}).changes != ()


def test_a_template_is_part_of_the_plan(script: Recorder, tmp_path: Path) -> None:
    """The text of a template is recorded; its variables may hold outputs and secrets."""
    (tmp_path / "app.j2").write_text("{{ password }}")
    files.File("a", path="/a", template="app.j2", variables={"password": secret("env:PW")})

    inputs = inputs_of(script)
    assert inputs["template_text"] == "{{ password }}"
    assert inputs["template"] == "app.j2"
    assert inputs["variables"] == {"password": SecretRef("env:PW")}


def test_a_broken_template_names_its_own_line(script: Recorder, tmp_path: Path) -> None:
    """A template that cannot be parsed is an error of the script, with the template's file and line."""
    (tmp_path / "app.j2").write_text("a\n{% if %}\n")

    with pytest.raises(ScriptError) as refused:
        files.File("a", path="/a", template="app.j2")

    assert refused.value.code == "script.bad_template"
    assert refused.value.source == "app.j2:2"


def test_content_may_be_secret(script: Recorder) -> None:
    """Content is plain text, a secret, or text with a secret in it."""
    files.File("a", path="/a", content=secret("env:PW"))

    assert inputs_of(script)["content"] == SecretRef("env:PW")


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({"path": "/a"}, "script.bad_file"),
        ({"path": "/a", "content": "x", "source": "y"}, "script.bad_file"),
        ({"path": "/a", "content": b"x"}, "script.bad_file"),
        ({"path": "/a", "content": 5}, "script.bad_file"),
        ({"path": "/a", "content": "x", "variables": {"a": 1}}, "script.bad_file"),
        ({"path": "/a", "source": "missing"}, "script.source_unreadable"),
        ({"path": "/a", "template": "missing"}, "script.source_unreadable"),
        ({"path": "/a", "content": "x", "mode": "rw"}, "script.bad_mode"),
        ({"path": "/a", "content": "x", "mode": "0999"}, "script.bad_mode"),
        ({"path": "~/a", "content": "x"}, "script.bad_path"),
        ({"path": "", "content": "x"}, "script.bad_path"),
        ({"path": "/a\0", "content": "x"}, "script.bad_path"),
        ({"content": "x"}, "script.missing_input"),
    ],
)
def test_a_mistake_names_its_line(script: Recorder, inputs: dict[str, Any], code: str) -> None:
    """Each wrong declaration is refused with its own code and the script's line, and nothing is declared."""
    with pytest.raises(ScriptError) as refused:
        files.File("a", **inputs)

    assert refused.value.code == code
    assert "test_files_script.py:" in refused.value.source
    assert refused.value.hint
    assert script.nodes == {}


def test_a_source_must_be_known(script: Recorder) -> None:
    """A source is read while the script runs, so an output cannot name it."""
    other = files.Link("l", path="/l", target="x")

    for source in (other.target, f"{other.target}/x"):
        with pytest.raises(ScriptError):
            files.File("a", path="/a", source=source)


async def test_a_path_that_comes_out_relative_is_refused(tmp_path: Path) -> None:
    """A path that only the apply knows must be absolute, and a mode octal."""
    call = PlainCall(tmp_path)
    for want in (view(files.File, path="a", content="x"), view(files.File, path=str(tmp_path / "a"), content="x", mode="rw")):
        with pytest.raises(ProviderError) as refused:
            await provider(want).create(call, want)
        assert refused.value.code == "invalid"
