"""Stories of what is killed, and settled. One that ends with a refusal lets it out."""

from __future__ import annotations

from tests.golden.stories.acts import LOST, TOLD_STEPS, apply, resume, undo
from tests.support.points import dying
from tests.support.project import Project


def _killed(project: Project, kind: str) -> None:
    """A creation, an update and a deletion of which nobody knows the end; each is settled by the next command."""
    project.declare(f'{kind}("a")')
    with dying(LOST):
        apply(project)
    resume(project)
    project.declare(f'{kind}("a", size=2)')
    with dying("after the update in the world"):
        apply(project)
    apply(project)
    with dying("after the delete in the world"):
        project.destroy()
    project.destroy()


def one_found_by_name_is_killed(project: Project) -> None:
    """The name says which it is."""
    _killed(project, "Thing")


def one_found_by_token_is_killed(project: Project) -> None:
    """The token does."""
    _killed(project, "Server")


def one_found_by_tag_is_killed(project: Project) -> None:
    """The tag does."""
    _killed(project, "Tagged")


def one_that_nothing_was_made_of_is_killed(project: Project) -> None:
    """Killed before its effect, it did not happen."""
    project.declare('Tagged("a")\nServer("b")')
    with dying("before the create in the world"):
        apply(project)
    resume(project)


def one_that_cannot_be_found_is_killed(project: Project) -> None:
    """Only a person knows, who is told what to say; and says it."""
    project.declare('Lost("a")')
    with dying(LOST):
        apply(project)
    (made,) = project.world.objects
    try:
        resume(project)
    finally:
        project.session().state_settle(project.target(), "test.Lost::a", happened=True, object_id=made)


def an_undo_is_killed(project: Project) -> None:
    """Of an update and of a creation; it is resumed, and the record is the earlier run's again."""
    project.declare('a = Thing("a", size=size)\nif size > 1: Tagged("b", opts=Options(after=(a,)))', signature="size: int = 1")
    apply(project)
    apply(project, parameters={"size": 2})
    with dying("after the delete in the world"):
        undo(project)
    with dying("after the update in the world"):
        resume(project)
    resume(project)


def an_undo_of_a_step_is_killed(project: Project) -> None:
    """It is run again, where that does no harm."""
    project.write(TOLD_STEPS.replace("@step", "@step(repeatable=True)", 1))
    apply(project)
    apply(project, parameters={"to": 4})
    with dying("in the undo"):
        undo(project)
    resume(project)


def an_undo_of_a_step_with_a_check_is_killed(project: Project) -> None:
    """It is looked whether it had its effect: once before it, when it is run again, and once after it."""
    project.write(
        TOLD_STEPS
        + """
@migrate.check
def _(to: int) -> bool:
    here().note(f"look for {to}")
    return here().fault("gone", "migrate") is None
"""
    )
    project.world.fail("gone", "migrate")
    apply(project)
    project.world.mend()
    apply(project, parameters={"to": 4})
    with dying("in the undo"):
        undo(project)
    with dying("in the undo"):
        resume(project)
    project.world.fail("gone", "migrate", times=1)
    resume(project)


def a_step_with_a_check_is_killed(project: Project) -> None:
    """It is looked whether it had its effect; where it had not, it is run once more."""
    project.write(
        TOLD_STEPS
        + """
@migrate.check
def _(to: int) -> bool:
    return here().fault("gone", "migrate") is None
"""
    )
    project.world.fail("gone", "migrate")
    with dying("in the step"):
        apply(project)
    with dying("in the step"):
        resume(project)
    project.world.mend()
    resume(project)
    with dying("in the step"):
        apply(project, parameters={"to": 4})
    resume(project)


def a_deletion_of_one_that_cannot_be_found_is_killed(project: Project) -> None:
    """It is simply made again."""
    project.declare('Lost("a")')
    apply(project)
    with dying("after the delete in the world"):
        project.destroy()
    resume(project)


def one_that_takes_its_time_is_killed(project: Project) -> None:
    """It is looked at until it is complete, under the id that is on record."""
    project.declare('Slow("a", size=3)')
    project.world.fail("create", "a", "unavailable", times=1, may_exist=True, after=True)
    apply(project)
    project.declare('Slow("a", size=3)\nSlow("b", size=20, opts=Options(timeout_s=30.0))')
    apply(project)
    resume(project)


def _unsettled(project: Project, kind: str) -> None:
    project.declare(f'{kind}("a")')
    with dying(LOST):
        apply(project)
    project.world.fail("create", "a", "denied", may_exist=True)
    resume(project)


def what_cannot_be_settled_is_told(project: Project) -> None:
    """Where and why, and what a person can do about it."""
    _unsettled(project, "Server")


def a_failed_call_is_looked_for(project: Project) -> None:
    """A lost answer of one found by its tag, and a refusal after another."""
    project.declare('Tagged("a")\nTagged("b")')
    project.world.fail("create", "a", "unavailable", times=1, may_exist=True, after=True)
    project.world.fail("create", "b", "unavailable", times=1, may_exist=True)
    apply(project)


def one_that_is_found_half_made_is_killed(project: Project) -> None:
    """It is looked for by its tag while its id is not on record, and by its id afterwards; and waited for."""
    project.write("from tests.support.kiln import Kiln\n\n@stack\ndef main():\n    Kiln('a', size=4)\n")
    with dying(LOST):
        apply(project)
    with dying("in a look"):
        resume(project)
    resume(project)


def one_found_by_name_cannot_be_settled(project: Project) -> None:
    """Its id follows from its name, so nobody is asked for it."""
    _unsettled(project, "Thing")
