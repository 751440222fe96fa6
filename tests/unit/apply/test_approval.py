"""What was approved is what runs, or less: what a yes covers when a run goes on, and what it does not."""

from __future__ import annotations

import pytest

from purvey._apply.request import AwaitsApproval
from purvey._plan.plan import Plan
from purvey._state.record import Approved
from purvey.errors import RefusedError
from tests.support.project import Project

PAIR = """
@stack
def main(size: int = 1):
    a = Thing("a", size=size)
    Thing("b", size=size, text="", opts=Options(after=[a]))
"""


def _kept(project: Project, **parameters: object) -> str:
    """A run that has changed `a` and failed before `b`; it is left as it is."""
    project.world.fail("update", "b", code="denied", times=1)
    run = project.apply(parameters=parameters, on_failure="keep")
    assert run.result == "kept"
    project.approved = []
    return run.id


def _key(project: Project, name: str) -> str:
    return next(key for key, entry in project.world.objects.items() if entry["name"] == name)


def test_a_resume_within_what_was_approved_asks_nobody(project: Project) -> None:
    """The rest of the plan was approved with the whole."""
    project.write(PAIR)
    project.apply()
    _kept(project, size=2)

    assert project.resume().result == "succeeded"
    assert project.approved == []


def test_a_resume_asks_for_another_field(project: Project) -> None:
    """What somebody changed outside meanwhile would be changed back: nobody was shown that."""
    project.write(PAIR)
    project.apply()
    run = _kept(project, size=2)
    project.world.set(_key(project, "b"), text="from outside")

    with pytest.raises(AwaitsApproval) as waits:
        project.session().resume(project.target(), approve=lambda _: None)
    assert sorted(field.path for change in waits.value.plan.changes for field in change.fields) == ["size", "text"]

    assert project.resume(run).result == "succeeded"
    assert len(project.approved) == 1
    assert project.world.objects[_key(project, "b")]["text"] == ""


def test_a_resume_asks_for_another_value(project: Project) -> None:
    """A field that was approved with one value is not set to another one."""
    source = project.declare('return {"size": size}', name="other", signature="size: int = 2")
    project.session().apply(source, approve=project.approve)
    project.declare("""
        size = stack_output("other", "dev")["size"]
        Thing("a", size=size)
        Thing("b", size=size, opts=Options(after=["test.Thing::a"]))
    """)
    project.world.fail("create", "b", code="denied", times=1)
    assert project.apply(on_failure="keep").result == "kept"
    project.approved = []
    project.session().apply(source, approve=lambda _: "me", parameters={"size": 3})

    with pytest.raises(AwaitsApproval):
        project.session().resume(project.target(), approve=lambda _: None)

    assert [entry["name"] for entry in project.world.objects.values()] == ["a"]


PORT = """
@stack
def main(color: str = "red"):
    a = Thing("a", text=color)
    Port("p", number=1, color=color, opts=Options(after=[a]))
"""


def test_an_approval_says_what_is_risky(project: Project) -> None:
    """A replacement that has become a gap would be another replacement: what was shown is written down."""
    project.write(PORT)
    project.apply()
    project.world.fail("update", "a", code="denied", times=1)
    run = project.apply(parameters={"color": "blue"}, on_failure="keep")
    (approved,) = [record for record in project.records(run.id) if isinstance(record, Approved)]

    assert (approved.bounds["replace test.Port::p"].risks, approved.removes) == (("gap",), ("test.Port::p",))


def test_a_resume_in_a_gap_asks_nobody(project: Project) -> None:
    """The old object is gone and the new one is still to be made: the rest of a replacement that was approved."""
    project.write(PORT)
    project.apply()
    project.world.fail("create", "p", code="denied", times=1)
    assert project.apply(parameters={"color": "blue"}, on_failure="keep").result == "kept"
    project.approved = []

    assert project.resume().result == "succeeded"
    assert project.approved == []


def test_a_resume_changes_what_was_adopted_and_asks_nobody(project: Project) -> None:
    """What was taken over is recorded, and the change that was shown with it is still to be made."""
    project.world.set("somebody's", name="a", kind="test.Tagged", size=5, color="red", revision=1)
    project.declare('Tagged("a", size=2, opts=Options(adopt=True))')
    project.world.fail("update", "a", code="denied", times=1)
    assert project.apply(on_failure="keep").result == "kept"
    project.approved = []

    assert project.resume().result == "succeeded"
    assert (project.approved, project.world.objects["somebody's"]["size"]) == ([], 2)


def test_a_plan_file_may_not_change_its_values(project: Project) -> None:
    """What another stack says now is not what was reviewed."""
    source = project.declare('return {"size": size}', name="other", signature="size: int = 2")
    project.session().apply(source, approve=project.approve)
    project.declare('Thing("a", size=stack_output("other", "dev")["size"])')
    path = project.folder / "plan.purvey"
    project.session().save_plan(path, project.script_path)
    project.session().apply(source, approve=project.approve, parameters={"size": 3})

    with pytest.raises(RefusedError) as caught:
        project.session().apply_plan(path, approve=project.approve)

    assert (caught.value.code, "other values" in caught.value.detail) == ("refused.plan_outdated", True)
    assert project.world.objects == {}


THREE_STAGES = """
@stack
def main():
    later(at_most=3)
    a = Thing("a")
    for n in range(value(a.revision) + 1):
        b = Thing(f"b-{n}")
    for n in range(value(b.revision) + 1):
        Thing(f"c-{n}")
"""


def test_later_bounds_the_whole_run(project: Project) -> None:
    """Two creates in each of two later stages are four, and the approval was for three."""
    project.write(THREE_STAGES)

    assert project.apply().result == "succeeded"
    assert [plan.stage for plan in project.approved] == [1, 3]
    assert [plan.later.at_most for plan in project.approved if plan.later] == [3, 1]


def test_later_bounds_a_run_that_is_resumed(project: Project) -> None:
    """A resume neither forgets what was covered nor begins the count anew."""
    project.write(THREE_STAGES)
    project.world.fail("create", "b-1", code="denied", times=1)
    assert project.apply(on_failure="keep").result == "kept"
    project.approved = []

    with pytest.raises(AwaitsApproval) as waits:
        project.session().resume(project.target(), approve=lambda _: None)

    assert [change.address for change in waits.value.plan.changes] == ["test.Thing::c-0", "test.Thing::c-1"]
    assert sorted(entry["name"] for entry in project.world.objects.values()) == ["a", "b-0", "b-1"]


def test_later_without_an_approval_covers_nothing(project: Project) -> None:
    """A first stage in which nothing happens is shown to nobody, so nobody has said yes to what comes later."""
    project.declare('Thing("a")')
    project.apply()
    project.declare('later(at_most=9)\na = Thing("a")\nif value(a.revision):\n    Thing("b")')

    assert project.apply().result == "succeeded"
    assert [[change.action for change in plan.changes] for plan in project.approved] == [["create"]]


# Which object a yes is about.

COLORED = """
import os

@stack
def main():
    if not os.environ.get("GONE"):
        Thing("x", color=os.environ.get("COLOR", "red"))
    Thing("bad", size=2 if "COLOR" in os.environ else 1)
"""


def _replaced(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept run that has replaced `x`, whose old object is still there."""
    project.write(COLORED)
    project.apply()
    monkeypatch.setenv("COLOR", "blue")
    project.world.fail("update", "bad", times=1)
    assert project.apply(on_failure="keep").result == "kept"
    project.approved = []


def _colors(project: Project) -> list[str]:
    return sorted(entry["color"] for entry in project.world.objects.values() if entry["name"] == "x")


def test_a_replacement_covers_the_end_of_the_object_that_was_shown(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old one goes when the run goes on; nobody is asked again."""
    _replaced(project, monkeypatch)

    assert project.resume().result == "succeeded"
    assert (project.approved, _colors(project)) == ([], ["blue"])


def test_a_replacement_does_not_cover_the_end_of_its_successor(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The node is gone from the script: the new object would go, too, which nobody was shown."""
    _replaced(project, monkeypatch)
    monkeypatch.setenv("GONE", "1")

    with pytest.raises(AwaitsApproval):
        project.session().resume(project.target(), approve=lambda _: None)
    assert _colors(project) == ["blue", "red"]

    assert project.resume().result == "succeeded"
    assert (len(project.approved), _colors(project)) == (1, [])


def test_a_replacement_is_approved_once(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new object was changed outside, so that it would be replaced as well: that is another replacement."""
    _replaced(project, monkeypatch)
    key = next(key for key, entry in project.world.objects.items() if entry["color"] == "blue")
    project.world.set(key, color="green")

    with pytest.raises(AwaitsApproval):
        project.session().resume(project.target(), approve=lambda _: None)
    assert _colors(project) == ["green", "red"]


def test_a_plan_file_may_remove_two_objects_of_one_address(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """The old and the new one of a replacement that was not finished are both in the review."""
    _replaced(project, monkeypatch)
    monkeypatch.setenv("GONE", "1")
    path = project.folder / "reviewed.plan"
    project.session().save_plan(path, project.script_path)

    assert project.session().apply_plan(path, approve=project.approve).result == "succeeded"
    assert _colors(project) == []


def test_later_does_not_cover_what_cannot_be_taken_back(project: Project) -> None:
    """A step without an undo is not a create like others: somebody says yes to it."""
    project.write("""
    @step
    def mail(to: str) -> None:
        here().note(f"mail {to}")

    @stack
    def main():
        later(at_most=5)
        a = Thing("a")
        value(a.key)
        Thing("b")
        mail("news", to="all")
    """)
    asked: list[Plan] = []

    def approve(plan: Plan) -> str | None:
        asked.append(plan)
        return "me" if len(asked) == 1 else None

    with pytest.raises(AwaitsApproval):
        project.session().apply(project.script_path, approve=approve)
    assert [[change.final for change in plan.changes] for plan in asked] == [[False], [False, True]]
    assert project.world.log == ["create a"]

    assert project.resume().result == "succeeded"
    assert sorted(project.world.log) == ["create a", "create b", "mail all"]
