"""Guards: the budget for deletions over a whole run, and objects that are retained and in the way."""

from __future__ import annotations

import pytest

from purvey._report.document import error_document
from purvey._report.style import plain
from purvey._report.text import plan_page
from purvey._state.record import Closed
from purvey.errors import Refusals, RefusedError, ScriptError
from tests.support.project import Project

PAIR = """
@stack
def main(color: str = "red", more: bool = True):
    Thing("a", color=color)
    if more:
        Thing("b")
"""


@pytest.mark.parametrize(("file", "given", "allowed"), [(None, 0, 0), (None, 2, 2), (5, 1, 1), (1, 5, 1), (2, None, 2)])
def test_the_smaller_budget_counts(project: Project, file: int | None, given: int | None, allowed: int) -> None:
    """What the environment allows and what the command allows hold both; replacements count; nothing is written beyond."""
    if file is not None:
        (project.folder / "purvey.toml").write_text(f"[env.dev]\nmax_deletes = {file}\n")
    project.write(PAIR)
    project.apply()
    before = project.world.log

    if allowed >= 2:
        assert project.apply(parameters={"color": "blue", "more": False}, max_deletes=given).result == "succeeded"
        return
    with pytest.raises(RefusedError) as caught:
        project.apply(parameters={"color": "blue", "more": False}, max_deletes=given)

    assert caught.value.code == "refused.max_deletes"
    assert len(caught.value.findings) == 2
    assert any("test.Thing::a would be replaced" in finding for finding in caught.value.findings)
    assert any("test.Thing::b would be deleted" in finding for finding in caught.value.findings)
    assert project.world.log == before


def test_the_budget_holds_for_a_destroy(project: Project) -> None:
    """A destroy that would take more than expected takes nothing."""
    project.write(PAIR)
    project.apply()

    with pytest.raises(RefusedError, match="budget"):
        project.session().destroy(project.target(), approve=project.approve, max_deletes=1)
    assert len(project.world.objects) == 2
    assert project.session().destroy(project.target(), approve=project.approve, max_deletes=2).result == "succeeded"


def test_the_budget_is_one_for_all_stages(project: Project) -> None:
    """What an earlier stage replaced counts for the later ones."""
    script = """
@stack
def main(color: str = "red"):
    s = Server("s", text=color)
    a = Thing("a", color=color)
    Thing("b", color=color, text=f"{value(a.label)}")
"""
    project.write(script)
    project.apply()

    with pytest.raises(RefusedError, match="budget") as caught:
        project.apply(parameters={"color": "blue"}, max_deletes=1)

    assert [finding.split()[0] for finding in caught.value.findings] == ["test.Thing::a", "test.Thing::b"]


def test_a_resume_keeps_the_budget(project: Project) -> None:
    """What the command allowed is on disk with the run."""
    project.write(PAIR)
    project.apply()
    project.world.fail("delete", "b", code="denied", times=1)
    run = project.apply(parameters={"more": False}, max_deletes=1)

    assert run.result == "partial"
    assert [record.deletes_max for record in project.records(run.id) if hasattr(record, "deletes_max")] == [1]
    assert any(isinstance(record, Closed) for record in project.records(run.id))


def test_a_retained_object_does_not_make_room(project: Project) -> None:
    """It stays in the world, so what needs its place cannot be made; the plan says so, with both ways out."""
    project.declare('Port("p", number=1, opts=Options(retain=True))')
    project.apply()
    project.declare('Port("q", number=1)')

    with pytest.raises(ScriptError) as caught:
        project.plan()

    assert caught.value.code == "script.retained_in_the_way"
    assert caught.value.address == "test.Port::p"
    assert "retain=False" in caught.value.hint


def test_a_retained_object_is_not_deleted_in_a_gap(project: Project) -> None:
    """A replacement that must delete first is refused for an object that is to be left."""
    project.declare('Port("p", number=1, color="red", opts=Options(retain=True))')
    project.apply()
    project.declare('Port("p", number=1, color="blue", opts=Options(retain=True))')

    with pytest.raises(ScriptError, match="in the way"):
        project.apply()

    assert [entry["color"] for entry in project.world.objects.values()] == ["red"]


TWO_STAGES = """
@stack
def main(color: str = "red"):
    a = Thing("a", color=color)
    Thing("z", text=color, opts=Options(after=[a]))
    Thing("b", color=color, text=f"{value(a.label)}")
"""


def test_the_budget_is_one_for_a_run_that_is_resumed(project: Project) -> None:
    """What the run took away before it was stopped counts when it goes on."""
    project.write(TWO_STAGES)
    project.apply()
    project.world.fail("update", "z", code="denied", times=1)
    run = project.apply(parameters={"color": "blue"}, max_deletes=1, on_failure="keep")
    assert run.result == "kept"

    with pytest.raises(RefusedError, match="budget") as caught:
        project.resume()

    assert [finding.split()[0] for finding in caught.value.findings] == ["test.Thing::a", "test.Thing::b"]
    assert "main.py:11" in caught.value.findings[1]


def test_what_goes_with_its_container_counts(project: Project) -> None:
    """Contents that are dropped without a call are as gone as what is deleted; what only the record knew of is not."""
    project.declare("""
        s = Shelf("s")
        Book("x", shelf=s)
        Book("y", shelf=s)
        Thing("kept", opts=Options(retain=True))
    """)
    project.apply()
    project.declare("")

    with pytest.raises(RefusedError) as caught:
        project.apply(max_deletes=2)

    assert sorted(finding.split()[0] for finding in caught.value.findings) == [
        "test.Book::x", "test.Book::y", "test.Shelf::s"
    ]  # fmt: skip
    assert "dropped with test.Shelf::s, which it lives in (main.py:11)" in caught.value.detail
    assert project.apply(max_deletes=3).result == "succeeded"


def test_all_guards_speak_at_once(project: Project) -> None:
    """One attempt shows every reason for a no, each under its own code, and nothing was touched."""
    project.declare('Thing("a", opts=Options(protect=True))\nThing("b")\nThing("c", color="red")')
    project.apply()
    project.session().tag_out(project.target(), "test.Thing::c", "being repaired")
    before = project.world.log
    project.declare('Safe("d", text=secret("env:NOT_THERE"))\nThing("c", color="blue")')

    with pytest.raises(Refusals) as caught:
        project.apply(max_deletes=0)

    assert [problem.code for problem in caught.value.problems] == [
        "refused.preflight", "refused.protected", "refused.tagged_out", "refused.max_deletes",
    ]  # fmt: skip
    assert error_document(caught.value)["error"]["problems"][1]["code"] == "refused.protected"
    assert "NOT_THERE" in caught.value.detail
    assert project.world.log == before


def test_a_plan_says_what_an_apply_would_refuse(project: Project) -> None:
    """The budget and the protection are looked at when the plan is made, not only when it is applied."""
    project.declare('Thing("a", opts=Options(protect=True))\nThing("b")')
    project.apply()
    project.declare("")
    plan = project.session().plan(project.script_path, max_deletes=1)

    assert [text.partition(".")[0] for text in plan.refusals] == [
        "The plan touches protected objects", "The plan deletes more than its budget allows",
    ]  # fmt: skip
    assert "2 objects would go, and 1 may" in plain(plan_page(plan))
