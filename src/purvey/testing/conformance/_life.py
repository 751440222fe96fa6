"""Behaviours of an undisturbed life: made, left alone, changed, replaced, taken back, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey.testing.conformance._project import require

if TYPE_CHECKING:
    from purvey._session import RunHistory
    from purvey.testing.conformance._case import Case, Wish
    from purvey.testing.conformance._project import Project


def require_seen(case: Case, wish: Wish, when: str) -> None:
    """The world is as the wish says."""
    seen, expected = case.look(), case.expected(wish)
    require(seen == expected, f"{when} the world is {seen!r} instead of", repr(expected))


def require_gone(project: Project, case: Case, when: str) -> None:
    """Nothing is left of the object: in the world, in the record, in its folder."""
    require(case.look() is None, f"{when} there still is", case.look())
    require(not project.recorded(), f"{when} the record still has", project.recorded())
    folder = project.object_folder()
    left = sorted(map(str, folder.rglob("*"))) if folder.exists() else []
    require(not folder.exists(), f"{when} the object's folder is still there", folder, left)


def nothing(project: Project, case: Case) -> None:
    """Begin where there is no object."""
    project.apply("")
    if _forgets(case):
        case.lose()
    require_gone(project, case, "at the beginning")


def first(project: Project, case: Case) -> RunHistory:
    """Begin with an object as the first wish says."""
    if _forgets(case):
        nothing(project, case)
    run = project.apply("first")
    require_seen(case, "first", "at the beginning")
    return run


def create(project: Project, case: Case) -> None:
    """The plan of a new object is to create it, and planning makes nothing; apply makes it, and nothing is left to do."""
    nothing(project, case)
    change = project.change(project.plan("first"))
    require(change is not None and change.action == "create", "the plan of a new object is", change)
    require(case.look() is None, "the plan has made", case.look())

    project.apply("first")

    require_seen(case, "first", "after its creation")
    project.settled("first")


def update(project: Project, case: Case) -> None:
    """A changed wish changes the object in place, and back again where there is a way back."""
    first(project, case)
    wishes: tuple[Wish, ...] = ("changed",) if _forgets(case) else ("changed", "first")
    for wish in wishes:
        done = project.effects(project.apply(wish))
        require(done == [f"update #{_generation(project)}"], "it was to be changed in place", done)
        require_seen(case, wish, "after the change")
        project.settled(wish)


def replace(project: Project, case: Case) -> None:
    """What cannot change in place is made anew, in the order that the plan shows, and the old one goes."""
    first(project, case)
    old = _generation(project)
    change = project.change(project.plan("replaced"))
    require(change is not None and change.action == "replace", "the plan of a replacement is", change)
    assert change is not None  # It was just required.
    require(bool(change.reasons), "the plan does not say why it replaces", change)

    run = project.apply("replaced")

    order = [f"create #{change.generation}", f"delete #{old}"]
    expected = order[::-1] if change.gap else order
    require(project.effects(run) == expected, f"the plan {'has a' if change.gap else 'has no'} gap", project.effects(run))
    require(change.gap or not case.kind._kind.delete_first, "the kind deletes first, and the plan shows no gap")  # noqa: SLF001
    require_seen(case, "replaced", "after the replacement")
    require(_generation(project) == change.generation, "more than the new object is recorded", project.recorded())
    project.settled("replaced")
    nothing(project, case)


def delete(project: Project, case: Case) -> None:
    """An object that is declared no more goes, with all that belongs to it; a second removal finds nothing to do."""
    first(project, case)

    run = project.apply("")

    require(
        [item.partition(" ")[0] for item in project.effects(run)] == ["delete"], "it was to be deleted", project.effects(run)
    )
    require_gone(project, case, "after its deletion")
    project.settled("")


def failure(project: Project, case: Case) -> None:
    """A creation that fails is explained, and leaves nothing behind."""
    nothing(project, case)

    run = project.apply("failing", result="undone")

    require(run.cause_address == project.address, "another node is said to have failed", run.cause_address)
    require(bool(run.cause_detail), "the failure is not explained", run.cause)
    require_gone(project, case, "after a failed creation")


def failed_update(project: Project, case: Case) -> None:
    """A change that fails leaves the object as it was."""
    first(project, case)
    before = case.content()

    project.apply("failing", result="undone")

    require(case.content() == before, "after a failed change the object is not what it was", case.content(), before)
    project.settled("first")


def undo_create(project: Project, case: Case) -> None:
    """Taking back the run that made it leaves nothing."""
    nothing(project, case)
    project.apply("first")

    project.undo()

    require_gone(project, case, "after the undo")


def undo_update(project: Project, case: Case) -> None:
    """Taking back a change gives back what was there."""
    first(project, case)
    before = case.content()
    project.apply("changed")
    require_seen(case, "changed", "after the change")

    project.undo()

    require(case.content() == before, "after the undo the object is not what it was", case.content(), before)
    require_seen(case, "first", "after the undo")
    project.settled("first")


def _generation(project: Project) -> int:
    recorded = project.recorded()
    require(len(recorded) == 1, "the record should have one object", recorded)
    return recorded[0].generation


def _forgets(case: Case) -> bool:
    """Whether the object stays when its node goes, so that the kit must clear it away itself."""
    return case.kind._kind.provider.forgets  # noqa: SLF001 - the test kit knows it.
