"""A plan file and the options beside it: what contradicts it is refused, what does not is heeded."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Purvey

SITE = "site/site.py"
PLAN = "site/it.purvey"

ONE_BROKEN = '''
from purvey import stack
from purvey.resources import command, files


@stack
def broken(env: str):
    """A file, and a check of it that cannot pass."""
    made = files.File("made", path=__file__ + ".made", content="x")
    command.Check("never", title="it passes", command=["false", made.path], within_s=0.1)
'''


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("-e", "prod"), ["-e prod", "site/dev"]),
        (("--env", "prod", "--no-refresh"), ["-e prod", "--no-refresh"]),
        (("--function", "other"), ["--function other"]),
        (("--title", "Other"), ["--title"]),
        (("-p", "title=Other", "--target", "files.File"), ["--title", "--target"]),
        (("--exclude", "files.File"), ["--exclude"]),
    ],
)
def test_what_contradicts_a_plan_file_is_refused(
    words: tuple[str, ...], names: list[str], purvey: Purvey, project: Path
) -> None:
    """Each option that cannot hold for the plan is named, with the reason and what to do; nothing is applied."""
    assert purvey("plan", SITE, "-o", PLAN).code == 0

    told = purvey("apply", PLAN, "--yes", *words)

    assert (told.code, "script.plan_options" in told.err, "purvey plan" in told.err) == (3, True, True)
    assert [name for name in names if name not in told.err] == []
    assert not (project / "public-dev").exists()


def test_what_agrees_with_a_plan_file_is_heeded(purvey: Purvey, project: Path) -> None:
    """The environment and the stack that the file has may be said; every check runs when that is asked."""
    assert purvey("apply", SITE, "--yes").code == 0
    assert purvey("plan", SITE, "-o", PLAN).code == 0

    told = purvey("apply", PLAN, "--yes", "-e", "dev", "--function", "site", "--refresh", "--check-all", "--json")

    assert told.code == 0
    assert [(change["action"], change["result"]) for change in told.json()["changes"]] == [("check", "done")]


def test_every_check_of_a_plan_file_that_was_planned_with_check_all_runs(purvey: Purvey, project: Path) -> None:
    """What was asked when the plan was made is in the file."""
    assert purvey("apply", SITE, "--yes").code == 0
    assert purvey("plan", SITE, "--check-all", "-o", PLAN).code == 0

    assert [change["action"] for change in purvey("apply", PLAN, "--yes", "--json").json()["changes"]] == ["check"]


def test_on_failure_holds_for_a_plan_file(purvey: Purvey, tmp_path: Path) -> None:
    """What happens when the run fails is no part of the plan, so the command says it."""
    (tmp_path / "broken.py").write_text(ONE_BROKEN, encoding="utf-8")
    assert purvey("plan", "broken.py", "-o", "it.purvey").code == 0

    assert purvey("apply", "it.purvey", "--yes", "--on-failure", "keep").code == 11
    assert (tmp_path / "broken.py.made").exists()


def test_max_deletes_holds_for_a_plan_file(purvey: Purvey, project: Path) -> None:
    """A bound can only make less of the plan."""
    assert purvey("apply", SITE, "--yes").code == 0
    assert purvey("plan", SITE, "--pages", "1", "-o", PLAN).code == 0

    told = purvey("apply", PLAN, "--yes", "--max-deletes", "0")

    assert (told.code, "refused.max_deletes" in told.err) == (4, True)
    (problem,) = purvey("apply", PLAN, "--yes", "--max-deletes", "0", "--json").json()["error"]["problems"]
    assert (problem["code"], problem["exit_code"], problem["problems"]) == ("refused.max_deletes", 4, [])
    assert problem["detail"].startswith(problem["address"])
    assert (project / "public-dev" / "page-2.html").exists()


def test_what_an_undo_is_refused_for_has_its_address(purvey: Purvey, project: Path) -> None:
    """As for what an apply is refused for."""
    assert purvey("apply", SITE, "--yes").code == 0

    (problem,) = purvey("undo", SITE, "--only", "files.File::nope", "--yes", "--json").json()["error"]["problems"]

    assert (problem["code"], problem["address"], problem["exit_code"]) == ("refused.not_in_run", "files.File::nope", 4)
