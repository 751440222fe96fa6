"""What happens when something fails: the world is as before, or as the user asked that it be left."""

from __future__ import annotations

import pytest

from purvey._report.document import run_document
from purvey._report.run_text import show_page
from purvey._report.style import plain
from purvey.errors import ScriptError
from tests.support.project import Project


def test_a_failed_operation_is_undone(project: Project) -> None:
    """What was made is deleted, what was changed has its former values, and the run says why."""
    project.declare('Thing("old", size=1, text="was")')
    project.apply()
    before = project.world.visible()
    project.declare("""
        old = Thing("old", size=2, text="is")
        new = Thing("new", text=old.label)
        Thing("bad", text=new.label)
    """)
    project.world.fail("create", "bad", detail="no room")

    run = project.apply()

    assert run.result == "undone"
    assert (run.cause_address, run.cause_detail) == ("test.Thing::bad", "no room\nIt is declared at main.py:11.")
    assert project.world.visible() == before
    assert project.world.log[1:] == ["update old", "create new", "delete new", "update old"]
    project.require_sound()


def test_after_an_undo_the_same_script_applies(project: Project) -> None:
    """An undone run leaves nothing in the way of the next."""
    project.declare('a = Thing("a")\nThing("b", text=a.label)')
    project.world.fail("create", "b")
    assert project.apply().result == "undone"
    project.world.mend()

    assert project.apply().result == "succeeded"
    assert {entry["name"] for entry in project.world.objects.values()} == {"a", "b"}
    project.require_sound()


def test_an_undo_drifts_back_to_what_was_observed(project: Project) -> None:
    """An update is taken back to the fields as they were observed before, not as they were recorded."""
    project.declare('Thing("a", size=1, text="recorded")')
    project.apply()
    (key,) = project.world.objects
    project.world.set(key, text="by hand")
    project.declare('a = Thing("a", size=2, text="wished")\nThing("bad", text=a.label)')
    project.world.fail("create", "bad")

    assert project.apply().result == "undone"
    assert (project.world.objects[key]["size"], project.world.objects[key]["text"]) == (1, "by hand")


def test_a_failed_replacement_keeps_the_old_object(project: Project) -> None:
    """The old generation is deleted only after everything passed, so an undo still has it."""
    project.declare('Thing("a", color="red")')
    project.apply()
    (old,) = project.world.objects
    project.declare('a = Thing("a", color="blue")\nThing("bad", text=a.label)')
    project.world.fail("create", "bad")

    assert project.apply().result == "undone"
    assert list(project.world.objects) == [old]
    project.world.mend()
    assert project.apply().result == "succeeded"
    assert {entry["name"]: entry.get("color") for entry in project.world.objects.values()} == {"a": "blue", "bad": "red"}
    project.require_sound()


def test_a_failed_gap_makes_the_old_object_again(project: Project) -> None:
    """Where the old object had to go first, the undo makes it again."""
    project.declare('Lock("a", color="red")')
    project.apply()
    project.declare('a = Lock("a", color="blue")\nThing("bad", text=a.label)')
    project.world.fail("create", "bad")

    assert project.apply().result == "undone"
    (entry,) = project.world.objects.values()
    assert (entry["name"], entry["color"]) == ("a", "red")
    project.require_sound()
    project.declare('Lock("a", color="red")')
    assert project.plan().is_empty


def test_a_failing_check_undoes(project: Project) -> None:
    """A check downstream of a change gates it: what it sees is the cause."""
    project.declare('a = Thing("a")\nProbe("ok", of=a, within_s=5)')
    project.world.fail("check", "ok", "timeout", detail="still 503")

    run = project.apply()

    assert (run.result, run.cause_address) == ("undone", "test.Probe::ok")
    assert run.cause_detail == "still 503\nIt is declared at main.py:10."
    assert project.world.objects == {}
    assert sum(project.clock.slept) <= 7
    project.require_sound()


def test_a_check_that_failed_already_leads_to_kept(project: Project) -> None:
    """A check that passed once and fails before the first write is not the plan's doing, so nothing is undone."""
    project.declare('a = Thing("a", size=1)\nProbe("ok", of=a, within_s=5)')
    project.apply()
    project.declare('a = Thing("a", size=2)\nProbe("ok", of=a, within_s=5)')
    project.world.fail("check", "ok", "invalid", detail="down since yesterday")

    run = project.apply()

    assert (run.result, run.cause_detail) == ("kept", "down since yesterday\nIt is declared at main.py:10.")
    assert [entry["size"] for entry in project.world.objects.values()] == [2]
    project.world.mend()
    assert project.resume().result == "succeeded"


def test_deletions_wait_for_the_checks(project: Project) -> None:
    """A failing gate leaves what would have been deleted."""
    project.declare('Thing("old")')
    project.apply()
    project.declare('a = Thing("a")\nProbe("ok", of=a, within_s=2)')
    project.world.fail("check", "ok")

    assert project.apply().result == "undone"
    assert [entry["name"] for entry in project.world.objects.values()] == ["old"]


def test_checks_run_once_more_after_deletions(project: Project) -> None:
    """A check that passes before the deletions and fails after them makes the run partial: it cannot be undone."""
    project.declare('Thing("old")\nThing("a")')
    project.apply()
    project.declare('a = Thing("a", size=2)\nProbe("needs-old", of=a)')

    def break_when_deleted(event: object) -> None:
        if type(event).__name__ == "OperationEnded" and getattr(event, "verb", "") == "delete":
            project.world.fail("check", "needs-old", detail="old was needed")

    project.watcher.react = break_when_deleted
    run = project.apply()

    assert (run.result, run.cause_address) == ("partial", "test.Probe::needs-old")


def test_a_failing_deletion_is_partial(project: Project) -> None:
    """What could not be deleted stays recorded, and the next run deletes it."""
    project.declare('Thing("old")\nThing("gone")')
    project.apply()
    project.declare("")
    project.world.fail("delete", "old")

    run = project.apply()

    assert (run.result, run.cause_address) == ("partial", "test.Thing::old")
    assert "It was declared at main.py:" in run.cause_detail
    assert [entry["name"] for entry in project.world.objects.values()] == ["old"]
    project.world.mend()
    assert project.apply().result == "succeeded"
    assert project.world.objects == {}
    project.require_sound()


def test_a_failing_undo_is_partial(project: Project) -> None:
    """What an undo could not take back stays recorded, and the run says what is left."""
    project.declare('a = Thing("a")\nThing("bad", text=a.label)')
    project.world.fail("create", "bad")
    project.world.fail("delete", "a", detail="locked")

    run = project.apply()

    assert run.result == "partial"
    assert "locked" in run.cause_detail
    assert project.state().latest("test.Thing::a") is not None


@pytest.mark.parametrize("policy", ["keep", "continue"])
def test_on_failure_keep_and_continue_keep_what_was_made(project: Project, policy: str) -> None:
    """Neither takes anything back; a resume goes on with what failed."""
    project.declare("""
        a = Thing("a")
        bad = Thing("bad", text=a.label)
        Thing("behind", text=bad.label)
        Thing("z1", opts=Options(after=[a]))
        Thing("z2", opts=Options(after=["test.Thing::z1"]))
    """)
    project.world.fail("create", "bad")

    run = project.apply(on_failure=policy, parallel=1)

    made = {entry["name"] for entry in project.world.objects.values()}
    assert run.result == "kept"
    assert "a" in made
    assert not {"bad", "behind"} & made
    assert ({"z1", "z2"} <= made) == (policy == "continue")
    project.world.mend()
    assert project.resume().result == "succeeded"
    assert len(project.world.objects) == 5
    assert len(project.world.log) == 5
    project.require_sound()


def test_a_node_has_its_own_policy(project: Project) -> None:
    """`Options(on_failure=...)` of the node that failed decides over the run's own."""
    project.declare('Thing("a")\nThing("b", opts=Options(on_failure="continue", after=["test.Thing::a"]))')
    project.world.fail("create", "b")

    assert project.apply(on_failure="undo").result == "kept"
    assert [entry["name"] for entry in project.world.objects.values()] == ["a"]


@pytest.mark.parametrize("order", ["undo continue", "continue undo", "keep undo", "undo keep", "continue keep"])
def test_of_several_failures_the_strictest_policy_decides(project: Project, order: str) -> None:
    """Whichever fails first: evidence that a node wants kept is kept, and what one wants undone is undone."""
    first, second = order.split()
    project.declare(f"""
        a = Thing("a")
        Slow("x", size=1, opts=Options(on_failure="{first}", after=[a]))
        Slow("y", size=1, opts=Options(on_failure="{second}", after=[a]))
    """)
    project.world.fail("create", "x")
    project.world.fail("create", "y")

    assert project.apply().result == ("kept" if "keep" in order else "undone")
    assert bool(project.world.objects) == ("keep" in order)


def test_the_ledger_says_what_an_undo_has_left(project: Project) -> None:
    """What failed, what waits for it, and what is final: each with its id; in the record, on the screen and for programs."""
    project.declare("""
        a = Thing("a")
        b = Thing("b", text=a.label)
        Thing("c", text=b.label)
        Thing("bad", text=b.label)
    """)
    project.world.fail("create", "bad")
    project.world.fail("delete", "b", "denied", detail="locked")

    run = project.apply()

    ids = {entry["name"]: key for key, entry in project.world.objects.items()}
    assert [(item.address, item.id, item.verb, item.why) for item in run.left] == [
        ("test.Thing::a", ids["a"], "create", "waiting"), ("test.Thing::b", ids["b"], "create", "failed"),
    ]  # fmt: skip
    assert run_document(run)["left"][1]["detail"] == "locked"
    text = plain(show_page(run))
    assert f"its id is {ids['b']}" in text
    assert f"purvey undo {run.id}" in text
    project.world.mend()
    assert project.undo(run.id).result == "undone"
    assert project.world.objects == {}


def test_the_ledger_says_what_a_removal_has_left(project: Project) -> None:
    """An object that could not be removed, and what it still needs, stay on record and in the ledger."""
    project.declare('old = Thing("old")\nThing("older", text=old.label)')
    project.apply()
    project.world.fail("delete", "older", "denied", detail="locked")
    project.declare("pass")

    run = project.apply()

    assert run.result == "partial"
    assert [(item.address, item.verb, item.why) for item in run.left] == [
        ("test.Thing::older", "removal", "failed"), ("test.Thing::old", "removal", "waiting"),
    ]  # fmt: skip
    assert f"purvey apply {project.script_path}" in plain(show_page(run))


def test_what_is_final_offers_no_undo(project: Project) -> None:
    """A step without an undo is left for good, and nobody is told to try again."""
    project.write("""
@step
def mail(to: str) -> str:
    return to

@stack
def main():
    sent = mail("news", to="all")
    Thing("bad", text=sent.result)
""")
    project.world.fail("create", "bad")

    run = project.apply()

    assert [(item.address, item.why) for item in run.left] == [("step.mail::news", "final")]
    text = plain(show_page(run))
    assert "its create cannot be undone" in text
    assert f"undo {run.id}" not in text


def test_a_started_branch_finishes_before_the_undo(project: Project) -> None:
    """What was in flight when another branch failed is complete and taken back, never half done."""
    project.declare('Thing("bad")\nSlow("slow", size=3)')
    project.world.fail("create", "bad")

    assert project.apply().result == "undone"
    assert project.world.objects == {}
    project.require_sound()


@pytest.mark.parametrize("kind", ["Thing", "Server", "Tagged"])
def test_an_ambiguous_failure_leaves_nothing_behind(project: Project, kind: str) -> None:
    """A create that answered with an error and happened all the same is found and taken back with the rest."""
    project.declare(f'{kind}("a")')
    project.world.fail("create", "a", "invalid", may_exist=True, after=True, times=1)

    run = project.apply()

    assert run.result == "undone"
    assert project.world.objects == {}
    project.require_sound()


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("kind", ["Thing", "Server", "Tagged"])
def test_an_ambiguous_replacement_spares_the_old_object(project: Project, kind: str, after: bool) -> None:
    """The old object is not taken for the new one that may have been made, though it carries the same name."""
    project.declare(f'{kind}("a", color="red")')
    project.apply()
    (old,) = project.world.objects
    project.declare(f'{kind}("a", color="blue")')
    project.world.fail("create", "a", "invalid", may_exist=True, after=after, times=1)

    assert project.apply().result == "undone"
    assert list(project.world.objects) == [old]
    project.require_sound()


def test_an_ambiguous_failure_that_did_not_happen_is_no_doubt(project: Project) -> None:
    """A create that answered ambiguously and made nothing leaves neither an object nor a doubt."""
    project.declare('Thing("b")\nTagged("a", opts=Options(after=["test.Thing::b"]))')
    project.world.fail("create", "a", "invalid", may_exist=True)

    assert project.apply().result == "undone"
    assert project.world.objects == {}
    project.require_sound()


def test_a_run_that_adopted_and_failed_is_kept(project: Project) -> None:
    """An adoption calls nothing, and is done all the same: the run can be resumed and undone, and is no refused one."""
    project.world.set("tag-9", name="a", kind="test.Tagged", size=1, color="red", revision=1, token="x")
    project.declare("""
        a = Tagged("a", opts=Options(adopt=True))
        if value(a.revision):
            raise ValueError("a later stage fails")
    """)

    with pytest.raises(ScriptError):
        project.apply()

    run = project.session().runs()[0]
    assert (run.result, [change.action for change in run.changes]) == ("kept", ["adopted"])
    assert project.undo(run.id).result == "undone"
    assert project.state().resources == {}
    assert list(project.world.objects) == ["tag-9"]
    project.require_sound()
