"""Adopting and moving, as a user sees it: real files, and the program's own words."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Purvey

SCRIPT = """\
from purvey import Options, secret, stack
from purvey.resources import files


@stack
def {name}():
{body}
"""


def declare(folder: Path, *lines: str, name: str = "one") -> str:
    """Write a script with these declarations."""
    path = folder / f"{name}.py"
    path.write_text(SCRIPT.format(name=name, body="\n".join(f"    {line}" for line in lines)), encoding="utf-8")
    return str(path)


def test_an_adoption_shows_the_difference_and_is_given_back(purvey: Purvey, tmp_path: Path) -> None:
    """The plan says what of the file will change, the apply changes it, and an undo leaves the file as it was found."""
    motd = tmp_path / "motd"
    motd.write_text("theirs", encoding="utf-8")
    motd.chmod(0o600)
    script = declare(tmp_path, f"files.File('motd', path={str(motd)!r}, content='ours', opts=Options(adopt=True))")

    told = purvey("plan", script).out
    assert "= adopt    files.File::motd" in told
    assert '`mode` "0600" -> "0644"' in told
    ours, theirs = (hashlib.sha256(text).hexdigest() for text in (b"ours", b"theirs"))
    assert told.index(theirs) < told.index(ours)
    assert purvey("apply", script, "--yes").code == 0
    assert (motd.read_text(encoding="utf-8"), motd.stat().st_mode & 0o777) == ("ours", 0o644)
    assert purvey("undo", script, "--yes").code == 0
    assert (motd.read_text(encoding="utf-8"), motd.stat().st_mode & 0o777) == ("theirs", 0o600)
    assert purvey("state", "list", script).out.count("files.File") == 0


def test_a_file_of_another_stack_is_not_adopted(purvey: Purvey, tmp_path: Path) -> None:
    """The refusal names the owner, and the command that it gives moves the file here: then both plans are empty."""
    line = f"files.File('motd', path={str(tmp_path / 'motd')!r}, content='ours', opts=Options(adopt=True))"
    one, two = declare(tmp_path, line), declare(tmp_path, line, name="two")
    assert purvey("apply", one, "--yes").code == 0

    refused = purvey("apply", two, "--yes")

    assert refused.code == 4
    assert "belongs to one/dev::files.File::motd" in refused.err
    (command,) = [text.split() for text in refused.err.splitlines() if "purvey state mv" in text]
    assert purvey(*command[1:]).code == 0
    assert purvey("plan", two, "--exit-code").code == 0
    assert purvey("plan", declare(tmp_path, "pass"), "--exit-code").code == 0


@pytest.mark.parametrize("to", [("files.File::new",), ("--to-stack", "two", "--to", "files.File::new")])
def test_a_secret_file_moves_without_a_change(
    purvey: Purvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: tuple[str, ...]
) -> None:
    """The key by which a secret file is recognised stays where it is when the file is moved, so nothing is to do."""
    monkeypatch.setenv("PW", "hunter2hunter2")
    line = "files.File('{}', path={!r}, content=secret('env:PW'))"
    script = declare(tmp_path, line.format("old", str(tmp_path / "pw")))
    assert purvey("apply", script, "--yes").code == 0

    assert purvey("state", "mv", script, "files.File::old", *to).code == 0

    moved = declare(tmp_path, line.format("new", str(tmp_path / "pw")), name="two" if "two" in to else "one")
    assert purvey("plan", moved, "--exit-code").code == 0
    assert purvey("apply", moved, "--yes").code == 0
    assert purvey("destroy", moved, "--yes").code == 0
    assert not (tmp_path / "pw").exists()
    assert list((tmp_path / ".purvey" / "objects").rglob("*.key")) == []


@pytest.mark.parametrize("found", ["ours", "theirs"])
def test_an_adoption_or_import_compares_the_content(purvey: Purvey, tmp_path: Path, found: str) -> None:
    """The same content is adopted without touching the file; another shows in the plan after an import, and is repaired."""
    motd = tmp_path / "motd"
    motd.write_text(found, encoding="utf-8")
    script = declare(tmp_path, f"files.File('motd', path={str(motd)!r}, content='ours', opts=Options(adopt=True))")
    plan = purvey("plan", script).out
    assert ("digest" in plan) == (found == "theirs")

    assert purvey("state", "import", script, "files.File::motd").code == 0

    assert purvey("plan", script, "--exit-code").code == (0 if found == "ours" else 2)
    assert purvey("apply", script, "--yes").code == 0
    assert motd.read_text(encoding="utf-8") == "ours"
    assert purvey("state", "rm", script, "files.File::motd").code == 0
    before = motd.stat()
    assert purvey("apply", script, "--yes").code == 0
    assert motd.stat() == before
