"""What people get wrong at the command line, and what they are told: never that purvey is broken."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Ended, Purvey

SITE = "site/site.py"

SECRETIVE = '''
from purvey import secret, stack
from purvey.resources import files


@stack
def hidden():
    """Has a secret output and an object that needs another one's output."""
    folder = files.Directory("folder", path=__file__ + ".made")
    files.File("inside", path=folder.path + "/inside", content="x")
    return {"token": secret("env:MISTAKES_TOKEN"), "open": "yes"}
'''


@pytest.fixture
def applied(purvey: Purvey, project: Path) -> Ended:
    """The starter project, applied."""
    return purvey("apply", SITE, "--yes", "--json")


def advised(told: Ended) -> list[list[str]]:
    """The commands that stand alone on an indented line, without the program's name."""
    lines = (told.out + told.err).splitlines()
    return [shlex.split(line.strip())[1:] for line in lines if line.startswith("    purvey ")]


@pytest.mark.parametrize(
    "words",
    [
        ("plan", SITE, "-o", "nowhere/it.purvey"),
        ("graph", SITE, "-o", "nowhere/it.svg"),
        ("new", "site/site.py/inside"),
    ],
)
def test_a_place_that_cannot_be_written_is_told(words: tuple[str, ...], purvey: Purvey, project: Path) -> None:
    """A file in a folder that is not there is the user's to mend: it is named, and nothing is called a bug."""
    told = purvey(*words)

    assert told.code == 3
    assert words[-1] in told.err
    assert "bug" not in told.err


@pytest.mark.parametrize("words", [("--title",), ("--title", "--yes"), ("--pages", "--yes")])
def test_a_value_that_was_left_out_is_missed(words: tuple[str, ...], purvey: Purvey, project: Path) -> None:
    """A parameter that is no switch needs a value, whether it is text or a number; nothing is made with `true` instead."""
    told = purvey("apply", SITE, *words)

    assert told.code == 3
    assert f"{words[0]} needs a value" in told.err
    assert not (project / "public-dev").exists()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("--pages", "many"), "must be a whole number"),
        (("-p", "nope=1"), "from -p"),
        (("-p", "pages=many"), "from -p"),
    ],
)
def test_a_wrong_value_is_told_in_words(words: tuple[str, ...], expected: str, purvey: Purvey, project: Path) -> None:
    """What a value must be is said as people say it, with the option that it came from."""
    assert expected in purvey("plan", SITE, *words).err


@pytest.mark.parametrize("verb", ["destroy", "outputs", "resume", "undo"])
@pytest.mark.parametrize("target", [("--stack", "nope"), (SITE, "-e", "nope")])
def test_a_stack_that_never_was_is_refused(
    verb: str, target: tuple[str, ...], applied: Ended, purvey: Purvey, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt stack or environment is no empty one: the error names those that there are."""
    if target[0] == "--stack":
        monkeypatch.chdir(project)
    told = purvey(verb, *target, "--json")

    assert told.code == 5
    assert told.json()["error"]["code"] == "state.no_such_stack"
    assert "site/dev" in told.json()["error"]["detail"]


def test_the_objects_of_a_stack_that_never_was_are_not_listed(applied: Ended, purvey: Purvey) -> None:
    """`state list` of a misspelt stack refuses too."""
    assert purvey("-C", "site", "state", "list", "--stack", "nope").code == 5


@pytest.mark.parametrize("words", [("plan", SITE), ("destroy", SITE, "--yes")])
def test_a_pattern_that_matches_nothing_is_named(words: tuple[str, ...], applied: Ended, purvey: Purvey) -> None:
    """A misspelt target would quietly do nothing, so the plan names it; one that matches is not named."""
    told = purvey(*words, "--target", "files.Fiel::page-1", "--exclude", "files.File::page-2")

    assert "'files.Fiel::page-1' matches nothing" in told.out
    assert "'files.File::page-2'" not in told.out


def test_an_undo_without_a_terminal_names_the_run(applied: Ended, purvey: Purvey, project: Path) -> None:
    """The command that is advised runs as it is printed, and takes back the run that was shown."""
    told = purvey("undo", SITE)
    (command,) = advised(told)

    assert told.code == 15
    assert command[-3:] == ["undo", applied.json()["id"], "--yes"]
    assert purvey(*command).code == 0
    assert not (project / "public-dev").exists()


@pytest.mark.parametrize("verb", ["undo", "destroy"])
def test_what_awaits_approval_is_a_document(verb: str, applied: Ended, purvey: Purvey) -> None:
    """A program that must ask somebody gets the plan, whatever the verb."""
    told = purvey(verb, SITE, "--json")

    assert told.code == 15
    assert told.json()["awaits_approval"] is True
    assert told.json()["plan"]["verb"] == verb


def test_a_resume_that_awaits_approval_is_a_document(purvey: Purvey, project: Path) -> None:
    """Resuming what waits for an approval, without one, says the same again."""
    purvey("apply", SITE)
    told = purvey("resume", SITE, "--json")

    assert (told.code, told.json()["awaits_approval"]) == (15, True)


def test_the_advice_after_a_drift_has_the_parameters(applied: Ended, purvey: Purvey, project: Path) -> None:
    """The apply that brings things back is the one with the same parameters."""
    (project / "public-dev" / "page-2.html").write_text("by hand", encoding="utf-8")
    (command,) = advised(purvey("drift", SITE, "--pages", "2", "-p", "title=Hello there"))

    assert command == ["apply", SITE, "--pages", "2", "-p", "title=Hello there", "-e", "dev"]


def test_advice_quotes_a_path(purvey: Purvey) -> None:
    """A folder with a blank in its name can be copied from the advice."""
    assert advised(purvey("new", "bad name/x y"))[0] == ["plan", "bad name/x y/site.py"]


def test_a_secret_output_is_not_printed_by_its_name(purvey: Purvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One secret is refused without --reveal, rather than printed as something else; others are printed."""
    monkeypatch.setenv("MISTAKES_TOKEN", "hunter2")
    (tmp_path / "hidden.py").write_text(SECRETIVE, encoding="utf-8")
    assert purvey("apply", "hidden.py", "--yes").code == 0
    told = purvey("outputs", "hidden.py", "--name", "token")

    assert (told.code, told.out) == (3, "")
    assert "--reveal" in told.err
    assert purvey("outputs", "hidden.py", "--name", "token", "--reveal").out == "hunter2\n"
    assert purvey("outputs", "hidden.py", "--name", "open").out == "yes\n"


def test_an_import_of_what_is_not_known_yet_is_refused(purvey: Purvey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that is found by another one's output can be imported only after that one."""
    monkeypatch.setenv("MISTAKES_TOKEN", "hunter2")
    (tmp_path / "hidden.py").write_text(SECRETIVE, encoding="utf-8")
    told = purvey("state", "import", "hidden.py", "files.File::inside", "--json")

    assert told.code != 1
    assert "files.Directory::folder" in json.dumps(told.json()["error"])


@pytest.mark.parametrize("harm", ["changed", "cut"])
def test_a_damaged_plan_file_is_called_so(harm: str, purvey: Purvey, project: Path) -> None:
    """Whatever byte is another, the file is damaged, and a new plan is the way out; the store is not suspected."""
    assert purvey("plan", SITE, "-o", "site/it.purvey").code == 0
    path = project / "it.purvey"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if harm == "changed" else content[:-10])
    told = purvey("apply", "site/it.purvey")

    assert told.code == 3
    assert "damaged" in told.err
    assert "purvey plan" in told.err


def test_an_outdated_plan_file_is_refused_before_it_is_shown(purvey: Purvey, project: Path) -> None:
    """Nobody reads a plan that cannot be performed."""
    assert purvey("plan", SITE, "-o", "site/it.purvey").code == 0
    script = project / "site.py"
    script.write_text(script.read_text(encoding="utf-8") + "\n", encoding="utf-8")
    told = purvey("apply", "site/it.purvey")

    assert (told.code, told.out) == (3, "")
    assert "edited after the plan" in told.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("apply", "site/README.md"), "neither a script"),
        (("plan", "site"), "is a folder"),
        (("graph", SITE, "-o", "site.png"), "svg, dot, json"),
        (("show", ""), "Give a run's id"),
    ],
)
def test_a_wrong_file_is_told(words: tuple[str, ...], expected: str, purvey: Purvey, project: Path) -> None:
    """What cannot be meant is refused with what could be."""
    told = purvey(*words)

    assert told.code == 3
    assert expected in told.err


def test_a_destroy_gives_no_reason_for_each_line(applied: Ended, purvey: Purvey) -> None:
    """Everything goes because that was asked for, so no line says why."""
    told = purvey("destroy", SITE)

    assert "no longer declared" not in told.out
    assert "- delete" in told.out
