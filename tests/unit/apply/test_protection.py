"""Protection lasts until somebody writes that it ends, and that is part of the plan that is approved."""

from __future__ import annotations

import pytest

from purvey._apply.request import AwaitsApproval
from purvey._report.style import plain
from purvey._report.text import plan_page
from purvey.errors import RefusedError
from tests.support.project import Project, actions


@pytest.mark.parametrize("line", ['Thing("a")', 'Thing("a", opts=Options())', 'Thing("a", size=2)'])
def test_removing_the_line_does_not_remove_the_protection(project: Project, line: str) -> None:
    """What was protected stays so, also when the object changes and when its node goes next."""
    project.declare('Thing("a", opts=Options(protect=True))')
    project.apply()
    project.declare(line)
    if "size" not in line:
        assert project.plan().is_empty
    project.apply()

    assert project.state().current()["test.Thing::a"].protect
    project.declare("")
    with pytest.raises(RefusedError, match="protected") as caught:
        project.apply()
    assert "Options(protect=False)" in caught.value.hint
    assert len(project.world.objects) == 1


def test_removing_the_line_does_not_make_a_retained_object_deletable(project: Project) -> None:
    """What was to be left in the world is left there."""
    project.declare('Thing("a", opts=Options(retain=True))')
    project.apply()
    project.declare('Thing("a")')
    project.apply()
    project.declare("")

    assert actions(project.plan()) == {"a": "forget"}
    project.apply()
    assert len(project.world.objects) == 1


@pytest.mark.parametrize("option", ["protect", "retain"])
def test_lifting_it_is_a_change_that_needs_approval(project: Project, option: str) -> None:
    """`protect=False` is shown with its line, and nobody's yes leaves everything as it was."""
    project.declare(f'Thing("a", opts=Options({option}=True))\nThing("b", text="before")')
    project.apply()
    project.declare(f'Thing("a", opts=Options({option}=False))\nThing("b", text="before")')
    plan = project.plan()

    (change,) = plan.changes
    assert (change.action, change.cause, plan.operations, plan.unchanged) == ("update", "changed at main.py:9", (), 1)
    assert [(field.path, field.before, field.after) for field in change.fields] == [(f"opts.{option}", True, False)]
    assert f"{'protection' if option == 'protect' else 'retention'} lifted at main.py:9" in plain(plan_page(plan))
    with pytest.raises(AwaitsApproval):
        project.session().apply(project.script_path, approve=lambda _: None)
    assert getattr(project.state().current()["test.Thing::a"], option)

    before = project.world.log
    assert project.apply().result == "succeeded"
    assert (len(project.approved), project.world.log) == (1, before)
    assert not getattr(project.state().current()["test.Thing::a"], option)
    assert project.plan().is_empty


def test_lifting_it_together_with_a_change(project: Project) -> None:
    """The change of the object says that it lifts the protection as well."""
    project.declare('Thing("a", size=1, opts=Options(protect=True))')
    project.apply()
    project.declare('Thing("a", size=2, opts=Options(protect=False))')

    assert [field.path for change in project.plan().changes for field in change.fields] == ["size", "opts.protect"]
    assert project.apply().result == "succeeded"
    assert not project.state().current()["test.Thing::a"].protect


def test_a_new_object_of_a_protected_node_is_protected(project: Project) -> None:
    """One that is made again because it is gone, under another name, inherits what its record said."""
    project.declare('Thing("a", opts=Options(protect=True))')
    project.apply()
    project.world.remove(next(iter(project.world.objects)))
    project.declare('Thing("z", opts=Options(moved_from="test.Thing::a"))')
    project.apply()

    assert project.state().current()["test.Thing::z"].protect


def test_an_undo_puts_the_protection_back(project: Project) -> None:
    """Lifting it is an effect of the run like any other."""
    project.declare('Thing("a", opts=Options(protect=True))')
    project.apply()
    project.declare('Thing("a", opts=Options(protect=False))')
    project.apply()

    assert project.undo().result == "undone"
    assert project.state().current()["test.Thing::a"].protect


def test_protection_counts_from_the_line_that_declares_it(project: Project) -> None:
    """An object that the same edit protects and replaces is protected."""
    project.declare('Thing("x", color="red")')
    project.apply()
    project.declare('Thing("x", color="blue", opts=Options(protect=True))')

    with pytest.raises(RefusedError, match="protected") as caught:
        project.apply()

    assert "main.py:9" in caught.value.findings[0]
    assert [entry["color"] for entry in project.world.objects.values()] == ["red"]
