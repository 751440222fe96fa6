"""The starter project from its first plan to its end, as a user and as a program see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.conftest import Ended, Purvey

SITE = "site/site.py"


@pytest.fixture
def applied(purvey: Purvey, project: Path) -> Ended:
    """The starter project, applied."""
    return purvey("apply", SITE, "--yes", "--json")


def effects(document: Any) -> list[tuple[str, str, str]]:
    """What a run document says was done."""
    return [(change["action"], change["address"], change["result"]) for change in document["changes"]]


def test_new_overwrites_nothing(purvey: Purvey, project: Path) -> None:
    """A second `new` in the same folder refuses, names the files, and leaves them as they are."""
    (project / "site.py").write_text("mine", encoding="utf-8")
    told = purvey("new", "site")

    assert told.code == 4
    assert "site.py" in told.err
    assert (project / "site.py").read_text(encoding="utf-8") == "mine"


def test_a_plan_changes_nothing_and_says_what_would(purvey: Purvey, project: Path) -> None:
    """A plan shows the creates and the check, ends with 2 on request, and leaves neither a page nor a store."""
    told = purvey("plan", SITE, "--exit-code", "--pages", "3")

    assert told.code == 2
    assert "Plan: 4 to create; 0 unchanged; 1 check to run." in told.out
    assert sorted(path.name for path in project.iterdir()) == [".gitignore", "README.md", "purvey.toml", "site.py"]


def test_the_help_of_a_script_lists_its_parameters(purvey: Purvey, project: Path) -> None:
    """`--help` after a script has its parameters with type, default and meaning."""
    told = " ".join(purvey("plan", SITE, "--help").out.split())

    assert "--pages INTEGER how many pages to make [at least 1, at most 20] [default: 2]" in told


def test_an_apply_is_one_document(applied: Ended, project: Path) -> None:
    """An apply for programs ends with 0, prints the run with its outputs, and tells its progress elsewhere."""
    document = applied.json()

    assert applied.code == 0
    assert (document["stack"], document["env"], document["result"]) == ("site", "dev", "succeeded")
    assert ("create", "files.File::page-1", "done") in effects(document)
    assert document["outputs"] == {"folder": str(project / "public-dev")}
    assert "created files.File::page-1" in applied.err


def test_applying_again_changes_nothing(applied: Ended, purvey: Purvey) -> None:
    """A second apply has nothing to do, does nothing, and a plan says the same."""
    assert purvey("apply", SITE, "--yes", "--json").json()["changes"] == []
    assert purvey("plan", SITE, "--exit-code").code == 0


def test_without_a_terminal_an_apply_waits_for_approval(purvey: Purvey, project: Path) -> None:
    """Nobody to ask: nothing is made, the code is 15, and the command to run does what was planned."""
    told = purvey("apply", SITE)
    command = next(line.split() for line in told.out.splitlines() if line.startswith("    purvey "))

    assert told.code == 15
    assert not (project / "public-dev").exists()
    assert purvey(*command[1:]).code == 0
    assert (project / "public-dev" / "page-1.html").exists()


def test_a_waiting_plan_is_in_the_document(purvey: Purvey, project: Path) -> None:
    """A program that must ask somebody gets the plan with the run."""
    told = purvey("apply", SITE, "--json")

    assert told.code == 15
    assert told.json()["result"] == "parked"
    assert told.json()["plan"]["counts"]["create"] == 3


def test_outputs_are_one_object(applied: Ended, purvey: Purvey, project: Path) -> None:
    """Outputs are one object for programs, and one bare value for a shell."""
    assert purvey("outputs", SITE, "--json").json() == {"folder": str(project / "public-dev")}
    assert purvey("outputs", SITE, "--name", "folder").out == f"{project / 'public-dev'}\n"
    assert purvey("outputs", SITE, "--name", "none").code == 3


def test_runs_can_be_listed_and_shown(applied: Ended, purvey: Purvey) -> None:
    """A run is found by the beginning of its id, and its document is the one that the apply printed."""
    run = applied.json()
    listed = purvey("-C", "site", "runs", "--json").json()
    shown = purvey("show", run["id"][:20], "--json").json()

    assert [item["id"] for item in listed] == [run["id"]]
    assert shown == {key: value for key, value in run.items() if key != "outputs"}


def test_an_edit_by_hand_is_drift_and_is_repaired(applied: Ended, purvey: Purvey, project: Path) -> None:
    """What somebody changed is named, and an apply repairs exactly that."""
    page = project / "public-dev" / "page-2.html"
    page.write_text("by hand", encoding="utf-8")
    drift = purvey("drift", SITE, "--exit-code")
    repaired = purvey("apply", SITE, "--yes", "--json").json()

    assert drift.code == 2
    assert "differs" in drift.out
    assert [address for action, address, _ in effects(repaired) if action == "update"] == ["files.File::page-2"]
    assert "page 2" in page.read_text(encoding="utf-8")


def test_a_failed_check_undoes_the_run(applied: Ended, purvey: Purvey, project: Path) -> None:
    """A check that does not pass takes the change back, ends with 10, and `show` tells the cause."""
    script = project / "site.py"
    text = script.read_text(encoding="utf-8").replace('"-q", title', '"-q", "never"').replace("within_s=5", "within_s=0.2")
    script.write_text(text, encoding="utf-8")
    told = purvey("apply", SITE, "--yes", "--title", "Broken", "--json")
    story = purvey("-C", "site", "show", told.json()["id"])

    assert told.code == 10
    assert "Hello" in (project / "public-dev" / "page-1.html").read_text(encoding="utf-8")
    assert "What was undone" in story.out
    assert told.json()["cause"]["address"] == "command.Check::pages"


def test_an_undo_takes_the_last_run_back(applied: Ended, purvey: Purvey, project: Path) -> None:
    """An undo by request removes what the run made, and ends with 0."""
    told = purvey("undo", SITE, "--yes")

    assert told.code == 0
    assert not (project / "public-dev").exists()


def test_a_saved_plan_is_what_runs(purvey: Purvey, project: Path) -> None:
    """A plan in a file is applied as it was reviewed, and takes no other parameters."""
    assert purvey("plan", SITE, "-o", "site/it.purvey", "--title", "Saved").code == 0
    assert purvey("apply", "site/it.purvey", "--title", "Other").code == 3
    assert purvey("apply", "site/it.purvey").code == 0
    assert "Saved" in (project / "public-dev" / "page-1.html").read_text(encoding="utf-8")


def test_a_graph_has_three_forms(applied: Ended, purvey: Purvey, tmp_path: Path) -> None:
    """A graph is DOT by default, JSON on request, and SVG in a file called so."""
    assert purvey("graph", SITE).out.startswith("digraph")
    assert len(json.loads(purvey("graph", SITE, "--format", "json").out)["nodes"]) == 4
    assert purvey("graph", SITE, "-o", "site.svg").out == ""
    assert (tmp_path / "site.svg").read_text(encoding="utf-8").startswith("<svg")


def test_the_record_can_be_read_and_edited(applied: Ended, purvey: Purvey, project: Path) -> None:
    """Objects are listed, shown, renamed and forgotten; what is forgotten stays in the world."""
    assert len(purvey("state", "list", SITE, "--json").json()) == 4
    assert purvey("state", "show", SITE, "files.File::page-1", "--json").json()["kind"] == "files.File"
    assert purvey("state", "mv", SITE, "files.File::page-2", "files.File::second").code == 0
    assert purvey("state", "rm", SITE, "files.File::second").code == 0
    assert (project / "public-dev" / "page-2.html").exists()
    assert purvey("state", "show", SITE, "files.File::second").code == 5


def test_an_object_that_exists_can_be_imported(applied: Ended, purvey: Purvey) -> None:
    """What was forgotten is found again under its node, and is then as declared."""
    assert purvey("state", "rm", SITE, "files.File::page-2").code == 0
    assert purvey("state", "import", SITE, "files.File::page-2").code == 0
    assert purvey("plan", SITE, "--exit-code").code == 0


def test_destroy_leaves_nothing(applied: Ended, purvey: Purvey, project: Path) -> None:
    """A destroy needs no script, removes everything, and a second one has nothing to do."""
    assert purvey("-C", "site", "destroy", "--stack", "site", "--yes").code == 0
    assert not (project / "public-dev").exists()
    assert purvey("destroy", "site.py", "--yes", "--json").json()["changes"] == []


def test_a_script_error_is_one_screen(purvey: Purvey, project: Path) -> None:
    """An error in the script shows its line, has no traceback, and touches nothing."""
    script = project / "site.py"
    script.write_text(
        script.read_text(encoding="utf-8").replace("files.Directory(", "files.Directory(colour=1, "), encoding="utf-8"
    )
    told = purvey("plan", SITE)

    assert told.code == 3
    assert "site.py:21" in told.err
    assert "^^^" in told.err
    assert "Traceback" not in told.err
    assert not (project / ".purvey").exists()


@pytest.mark.parametrize(("given", "expected"), [("--pagse", "Did you mean `pages`?"), ("--pages", "at most 20")])
def test_a_wrong_parameter_is_named(given: str, expected: str, purvey: Purvey, project: Path) -> None:
    """A parameter that does not exist or does not fit is told with what would be right."""
    told = purvey("plan", SITE, given, "99")

    assert told.code == 3
    assert expected in told.err


def test_a_plan_shows_what_its_budget_refuses(purvey: Purvey, project: Path) -> None:
    """A pipeline learns at plan time that an apply would be refused, from the page, the document and the exit code."""
    assert purvey("apply", SITE, "--yes").code == 0
    words = ("plan", SITE, "--pages", "1", "--exit-code")

    told = purvey(*words, "--max-deletes", "0")

    assert (told.code, "An apply refuses this: The plan deletes more" in told.err + told.out) == (4, True)
    assert purvey(*words, "--max-deletes", "0", "--json").json()["refusals"] != []
    assert purvey(*words, "--max-deletes", "1").code == 2
