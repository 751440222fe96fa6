"""Steps in a run: they run when something asks for it, once, and are taken back by their undo."""

from __future__ import annotations

import pytest

from purvey._report.run_text import ended_page
from purvey._report.style import plain
from purvey._state.check import violations
from purvey.errors import RefusedError
from tests.support.project import Project, actions

STEPS = """
@step
def migrate(dsn: str, to: int = 1) -> int:
    here().note(f"migrate {to}")
    if to == 13:
        raise ValueError("bad luck")
    return to - 1

@migrate.undo
def _(found: int, /, dsn: str, to: int) -> None:
    here().note(f"back to {found}")

@stack
def main(to: int = 1, color: str = "red", check: bool = False):
    db = Thing("db", color=color)
    schema = migrate("schema", dsn=db.key, to=to)
    app = Thing("app", text=f"needs {schema.result}")
    if check:
        Probe("ok", of=app, within_s=2)
"""


def test_a_step_runs_once_and_again_when_its_arguments_differ(project: Project) -> None:
    """A second apply runs nothing; another argument runs it again, and what uses its result follows."""
    project.write(STEPS)
    project.apply()
    project.apply()
    assert project.world.log == ["create db", "migrate 1", "create app"]

    assert project.apply(parameters={"to": 2}).result == "succeeded"
    assert project.world.log[3:] == ["migrate 2", "update app"]
    assert project.plan(to=2).is_empty
    project.require_sound()


def test_a_step_follows_a_replacement_upstream(project: Project) -> None:
    """A step reruns when the object it works on is another one."""
    project.write(STEPS)
    project.apply()

    assert actions(project.plan(color="blue"))["schema"] == "update"
    assert project.apply(parameters={"color": "blue"}).result == "succeeded"
    assert project.world.log.count("migrate 1") == 2


def test_a_step_never_reruns_because_its_code_changed(project: Project) -> None:
    """What a step's function says is not part of the wish."""
    project.write(STEPS)
    project.apply()
    project.write(STEPS.replace("return to - 1", "return to - 1 + 0"))

    assert project.plan().is_empty


def test_a_failing_step_is_undone_and_leaves_no_doubt(project: Project) -> None:
    """A step that raises fails with its own message and line; the run takes back the rest, and the next may try again."""
    project.write(STEPS)

    run = project.apply(parameters={"to": 13})

    assert (run.result, run.cause_address) == ("undone", "step.migrate::schema")
    assert "bad luck" in run.cause_detail
    assert "main.py:" in run.cause_detail
    assert project.world.objects == {}
    project.require_sound()
    assert project.apply().result == "succeeded"


def test_a_step_is_taken_back_by_its_undo(project: Project) -> None:
    """The undo gets what the step returned; a rerun that is undone is recorded with the earlier arguments again."""
    project.write(STEPS)
    project.apply()
    project.world.fail("check", "ok")

    run = project.apply(parameters={"to": 5, "check": True})

    assert run.result == "undone"
    assert project.world.log[3:] == ["migrate 5", "update app", "update app", "back to 4"]
    assert project.plan().is_empty
    project.require_sound()


def test_removing_a_step_forgets_it_and_calls_nothing(project: Project) -> None:
    """Forgetting is no undo."""
    project.write(STEPS)
    project.apply()
    before = project.world.log
    project.declare('db = Thing("db")')

    plan = project.plan()

    assert actions(plan) == {"schema": "forget", "app": "delete"}
    project.apply()
    assert project.world.log == [*before, "delete app"]


def test_a_step_without_an_undo_is_final(project: Project) -> None:
    """The plan says that it cannot be undone; a failed run that ran it ends partial and says so."""
    project.write("""
    @step
    def announce(text: str) -> None:
        here().note(text)

    @stack
    def main():
        said = announce("say", "hello")
        Thing("bad", opts=Options(after=[said]))
    """)
    (change,) = [item for item in project.plan().changes if item.address == "step.announce::say"]
    assert (change.final, change.undo) == (True, "cannot be undone")
    project.world.fail("create", "bad")

    run = project.apply()

    assert run.result == "partial"
    assert "step.announce::say cannot be undone" in run.cause_detail
    assert violations(project.state()) == []


ANNOUNCING = """
@step
def announce(text: str) -> None:
    here().note(text)

@stack
def main():
"""


def test_an_undo_of_nothing_but_a_final_step_is_refused(project: Project) -> None:
    """A succeeded run stays one, and nothing is written down; with something else beside, that is taken back."""
    project.write(ANNOUNCING + '    announce("say", "hello")\n')
    run = project.apply().id
    before = project.records(run)

    with pytest.raises(RefusedError) as refused:
        project.undo(run)

    assert refused.value.code == "refused.cannot_undo"
    assert refused.value.findings[0].startswith("step.announce::say cannot be undone")
    assert project.records(run) == before
    project.write(ANNOUNCING + '    announce("say", "again")\n    Thing("beside")\n')
    project.apply()
    ended = project.undo()
    assert (ended.result, project.world.objects) == ("partial", {})
    assert "you asked to take the run back, and not all of it could be" in plain(ended_page(ended, {}))


CHECKED = """
@step
def label(text: str) -> str:
    here().set("label", text=text)
    here().note(f"label {text}")
    return text

@label.check
def _(text: str) -> bool:
    return here().objects.get("label", {}).get("text") == text

@stack
def main():
    label("it", "hello")
"""


def test_a_check_of_a_step_makes_it_run_again(project: Project) -> None:
    """A step whose effect is gone runs again; while it is there it does not."""
    project.write(CHECKED)
    project.apply()
    project.apply()
    assert project.world.log == ["label hello"]
    project.world.remove("label")

    assert not project.plan().is_empty
    project.apply()
    assert project.world.log == ["label hello"] * 2
    project.require_sound()


def test_options_of_a_step(project: Project) -> None:
    """`step.options(...)` gives one call what `Options` gives a resource."""
    project.write("""
    @step
    def go(n: int) -> int:
        here().note(f"go {n}")
        return n

    @stack
    def main():
        first = go("first", 1)
        go.options(after=[first])("second", 2)
    """)
    project.apply()
    assert project.world.log == ["go 1", "go 2"]
