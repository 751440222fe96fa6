"""Scripts that pause for values: one stage after the other, each approved, all of them one run."""

from __future__ import annotations

import pytest

from purvey._apply.request import AwaitsApproval
from purvey.errors import ScriptError
from tests.support.project import Project, actions

POOL = """
@stack
def main(size: int = 2):
    pool = Thing("pool", size=size)
    for n in range(value(pool.revision) + 1):
        Thing(f"node-{n}", text=pool.label)
"""


def test_a_script_pauses_and_goes_on(project: Project) -> None:
    """The first plan says where it pauses; each stage has its own approval; the end state is the whole script's."""
    path = project.write(POOL)
    plan = project.plan()
    assert actions(plan) == {"pool": "create"}
    line = next(number for number, text in enumerate(path.read_text().splitlines(), 1) if "value(pool" in text)
    assert [(pause.source, str(pause.link)) for pause in plan.pauses] == [(f"main.py:{line}", "test.Thing::pool.revision")]

    run = project.apply()

    assert (run.result, run.stages) == ("succeeded", 2)
    assert [list(actions(item)) for item in project.approved] == [["pool"], ["node-0", "node-1"]]
    assert len(project.world.objects) == 3
    assert project.plan().is_empty
    project.require_sound()


def test_a_failure_in_a_later_stage_undoes_every_stage(project: Project) -> None:
    """The undo covers all stages of the run."""
    project.write(POOL)
    project.world.fail("create", "node-1")

    assert project.apply().result == "undone"
    assert project.world.objects == {}
    project.require_sound()


def test_a_later_stage_without_approval_stops_resumable(project: Project) -> None:
    """Nobody says yes to the second stage: nothing of it happens, and a resume asks for it again."""
    project.write(POOL)

    with pytest.raises(AwaitsApproval):
        project.session().apply(project.script_path, approve=lambda plan: "me" if plan.stage == 1 else None)

    assert [entry["name"] for entry in project.world.objects.values()] == ["pool"]
    assert project.resume().result == "succeeded"
    assert project.world.log == ["create pool", "create node-0", "create node-1"]


@pytest.mark.parametrize(
    ("bound", "asked"), [("at_most=2, kinds=[Thing]", 1), ("at_most=1", 2), ("at_most=9, kinds=[Port]", 2)]
)
def test_later_lets_the_first_approval_cover_creates(project: Project, bound: str, asked: int) -> None:
    """Creates within the bound need no second approval; beyond it, or of another kind, they do."""
    project.write(POOL.replace("    pool =", f"    later({bound})\n    pool ="))

    assert project.apply().result == "succeeded"
    assert len(project.approved) == asked


def test_a_paused_plan_deletes_nothing(project: Project) -> None:
    """What a later stage declares is not known yet, so nothing is deleted for not being declared so far."""
    project.write(POOL)
    project.apply()
    plan = project.plan(size=3)

    assert actions(plan) == {"pool": "update"}
    assert plan.deletions == ()
    project.apply(parameters={"size": 3})
    assert sorted(entry["name"] for entry in project.world.objects.values()) == ["node-0", "node-1", "node-2", "pool"]


def test_a_pause_ends_the_innermost_component_only(project: Project) -> None:
    """Siblings are declared in the same stage; what is made inside carries the component's scope."""
    project.write("""
    @component
    def cluster(name: str):
        pool = Thing("pool")
        Thing("after", text=str(value(pool.revision)))
        return pool

    @stack
    def main():
        for name in ("eu", "us"):
            cluster(name)
        Thing("sibling")
    """)

    run = project.apply()

    assert (run.result, run.stages) == ("succeeded", 2)
    assert [len(item.changes) for item in project.approved] == [3, 2]
    assert sorted(project.state().current()) == [
        "eu/test.Thing::after", "eu/test.Thing::pool", "test.Thing::sibling", "us/test.Thing::after", "us/test.Thing::pool",
    ]  # fmt: skip


def test_a_script_that_varies_is_refused(project: Project) -> None:
    """Declaring something else after a pause is an error that names both lines, and nothing more is applied."""
    project.write("""
    @stack
    def main():
        n = len(here().log)
        a = Thing("a", size=n + 1)
        Thing("b", text=str(value(a.revision)))
    """)

    with pytest.raises(ScriptError) as caught:
        project.apply()

    assert caught.value.code == "script.not_deterministic"
    assert "test.Thing::a" in caught.value.detail
    assert [entry["name"] for entry in project.world.objects.values()] == ["a"]


def test_a_lookup_is_read_once_and_replayed(project: Project) -> None:
    """What a look-up found stands for the whole run, so that a script which reads the outside is deterministic."""
    project.write("""
    @stack
    def main():
        n = lookup("effects", lambda: len(here().log))
        a = Thing("a", size=n + 1)
        Thing("b", text=str(value(a.revision)))
    """)

    assert project.apply().result == "succeeded"
    assert project.state().latest("test.Thing::a").inputs["size"] == 1  # type: ignore[union-attr]


def test_a_value_that_changes_within_a_run_is_an_error(project: Project) -> None:
    """A value that was given once and is another one in a later stage stops the run: what rests on the first would be wrong."""
    project.declare('a = Thing("a", size=1)\nThing("b", size=value(a.revision))')
    with pytest.raises(AwaitsApproval):
        project.session().apply(project.script_path, approve=lambda plan: "me" if plan.stage == 1 else None)
    (key,) = project.world.objects
    project.world.set(key, size=9)  # The resume repairs it, and with that makes another revision.

    with pytest.raises(ScriptError) as caught:
        project.resume()

    assert (caught.value.code, caught.value.address) == ("script.value_changed", "test.Thing::a")
    assert [entry["name"] for entry in project.world.objects.values()] == ["a"]


def test_a_revealed_secret_stays_one(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret output that `value` opened is recorded masked wherever it is passed on whole."""
    monkeypatch.setenv("DB_PASSWORD", "correct-horse")
    project.write("""
    @stack
    def main():
        a = Safe("a", text=secret("env:DB_PASSWORD"))
        opened = value(a.made)
        Safe("b", text=opened)
    """)

    assert project.apply().result == "succeeded"
    assert sorted(entry["text"] for entry in project.world.objects.values()) == ["opened 10", "opened 13"]
    stored = b"".join(path.read_bytes() for path in (project.folder / ".purvey").rglob("*") if path.is_file())
    assert b"made-for" not in stored
    assert b"correct-horse" not in stored
    assert project.plan().is_empty
    project.require_sound()
