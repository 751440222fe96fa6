"""Losing data that nothing restores needs a word of its own, beside the yes."""

from __future__ import annotations

import pytest

from purvey._report.style import plain
from purvey._report.text import plan_page
from purvey._state.record import Opened
from purvey.errors import RefusedError
from tests.support.project import Project

SHELF = """
@stack
def main(color: str = "red", books: int = 2):
    s = Shelf("s", color=color)
    for n in range(books):
        Book(f"b-{n}", shelf=s)
"""


@pytest.mark.parametrize(
    ("given", "lost"),
    [
        ({"books": 1}, {"test.Book::b-1": "delete"}),
        ({"color": "blue"}, {"test.Book::b-0": "replace", "test.Book::b-1": "replace"}),
    ],
)
def test_a_plan_that_loses_data_needs_a_word_of_its_own(
    project: Project, given: dict[str, object], lost: dict[str, str]
) -> None:
    """A yes alone does not do: every object is named with its line, and nothing is touched until it is allowed."""
    project.write(SHELF)
    project.apply()
    before = project.world.log
    plan = project.plan(**given)

    assert {change.address: change.action for change in plan.losses} == lost
    assert "--allow-final" in plain(plan_page(plan))
    with pytest.raises(RefusedError) as caught:
        project.apply(parameters=given, final="refuse")
    assert (caught.value.code, project.world.log) == ("refused.final", before)
    assert [finding.split()[0] for finding in caught.value.findings] == list(lost)
    assert all("main.py:" in finding for finding in caught.value.findings)
    assert project.apply(parameters=given, final="allow").result == "succeeded"


def test_an_environment_may_allow_it(project: Project) -> None:
    """Where data is not worth a word, the environment says so once."""
    project.write(SHELF)
    project.apply()
    (project.folder / "purvey.toml").write_text("[env.dev]\nallow_final = true\n")

    assert project.apply(parameters={"books": 0}, final="refuse").result == "succeeded"


def test_what_goes_with_a_container_is_data_too(project: Project) -> None:
    """A shelf holds no data of its own; the books that go with it do, and the plan says so."""
    project.write(SHELF)
    project.apply()
    project.declare("")
    plan = project.plan()

    assert [(change.action, change.goes_with, change.final) for change in plan.losses] == [
        ("forget", "test.Shelf::s", True), ("forget", "test.Shelf::s", True),
    ]  # fmt: skip
    assert "goes with test.Shelf::s, which it lives in" in plain(plan_page(plan))
    with pytest.raises(RefusedError, match="nothing restores"):
        project.apply(final="refuse")


def test_what_is_in_a_container_that_goes_first_cannot_be_restored(project: Project) -> None:
    """A shelf that must go before its successor comes takes its content along; data in it is lost, and the plan says so."""
    script = 'r = Rack("r", number=1, color="{}")\nBook("b", shelf=r)\nTag("t", shelf=r)'
    project.declare(script.format("red"))
    project.apply()
    project.declare(script.format("blue"))
    plan = project.plan()

    assert {change.address: (change.gap, change.final, change.holds_data) for change in plan.changes} == {
        "test.Rack::r": (True, False, False),
        "test.Book::b": (True, True, True),
        "test.Tag::t": (True, False, False),
    }
    assert [change.undo for change in plan.changes] == ["make the old one again"] * 3


def test_an_undo_that_deletes_data_needs_the_word(project: Project) -> None:
    """What a run made may hold data by now: its undo is refused without the word, also where the run itself needed none."""
    project.write(SHELF)
    run = project.apply(final="refuse")
    plan = project.session().undo_plan(project.target(run=run.id))

    assert [change.address for change in plan.losses] == ["test.Book::b-1", "test.Book::b-0"]
    with pytest.raises(RefusedError) as caught:
        project.session().undo(project.target(), approve=project.approve)
    assert (caught.value.code, len(project.world.objects)) == ("refused.final", 3)
    assert project.session().undo(project.target(), approve=project.approve, final="allow").result == "undone"
    assert project.world.objects == {}


def test_a_run_that_fails_undoes_itself_without_the_word(project: Project) -> None:
    """What a run has just made goes when the run fails: nobody had the time to trust data to it."""
    project.write(SHELF)
    project.world.fail("create", "b-1", code="denied", times=1)

    assert project.apply(final="refuse").result == "undone"
    assert project.world.objects == {}


def test_a_run_that_has_not_succeeded_is_taken_back_without_the_word(project: Project) -> None:
    """Nor had anybody the time to trust data to a run that was kept as it failed."""
    project.write(SHELF)
    project.world.fail("create", "b-1", code="denied", times=1)
    assert project.apply(final="refuse", on_failure="keep").result == "kept"

    assert project.session().undo(project.target(), approve=project.approve).result == "undone"
    assert project.world.objects == {}


def test_a_destroy_says_it_with_its_name(project: Project) -> None:
    """A destroy is for nothing else; protection is what keeps data from it."""
    project.write(SHELF)
    project.apply()

    assert project.session().destroy(project.target(), approve=project.approve).result == "succeeded"


def test_a_resume_has_the_word_that_the_run_had(project: Project) -> None:
    """What was allowed is on disk with the run, and what was asked for and approved is not asked for again."""
    for final in ("allow", "ask"):
        project.write(SHELF)
        project.apply()
        project.world.fail("delete", "b-1", code="denied", times=1)
        run = project.apply(parameters={"books": 1}, final=final)
        assert run.result == "partial"
        opened = next(record for record in project.records(run.id) if isinstance(record, Opened))
        assert opened.allow_final == (final == "allow")
        project.apply(parameters={"books": 1}, final="allow")
        project.world.fail("create", "b-1", code="denied", times=1)
        kept = project.apply(parameters={"color": "blue"}, final=final, on_failure="keep")
        assert kept.result == "kept"
        assert project.session().resume(project.target(), approve=project.approve).result == "succeeded"
        project.apply(final="allow")
