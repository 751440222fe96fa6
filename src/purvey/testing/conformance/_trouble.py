"""Behaviours in trouble: the world is changed by others, cannot be seen, or the engine dies and its calls are repeated."""

from __future__ import annotations

import shutil
from contextlib import nullcontext
from typing import TYPE_CHECKING, Final

from purvey.errors import RefusedError
from purvey.providers import Provider
from purvey.testing.conformance import _accident
from purvey.testing.conformance._life import first, nothing, require_gone, require_seen
from purvey.testing.conformance._project import NotConformingError, require

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from purvey.testing.conformance._case import Case, Wish
    from purvey.testing.conformance._project import Project

RESUMES_MAX: Final = 200
"""How often a run is resumed that parks again and again: on a slow machine a server needs seconds to start."""


def lost(project: Project, case: Case) -> None:
    """An object that is gone is seen as drift, and made again."""
    first(project, case)
    case.lose()
    require(case.look() is None, "`lose` has left", case.look())
    change = project.drift("first")
    require(change is not None and change.cause == "it is gone", "the drift of a lost object is", change)

    project.apply("first")

    require_seen(case, "first", "after a lost object was made again")
    project.settled("first")


def drift(project: Project, case: Case) -> None:
    """A change from outside is seen, with its field and no other, and repaired."""
    first(project, case)
    expected = case.drift()
    require(case.look() != case.expected("first"), "`drift` has changed nothing")
    change = project.drift("first")
    fields = {field.name for field in change.fields} if change is not None else set[str]()
    named = {expected} if isinstance(expected, str) else set(expected)
    require(fields == named, f"{expected} was changed from outside, and what is seen is", change)

    run = project.apply("first")

    verbs = [item.partition(" ")[0] for item in project.effects(run)]
    require(verbs == ["update"], "the repair was to be a change in place", verbs)
    require_seen(case, "first", "after the repair")
    project.settled("first")


def unreadable(project: Project, case: Case) -> None:
    """An object that cannot be read is not taken for absent: no plan makes it again, and it is what it was."""
    first(project, case)
    before = case.identity()
    with case.hidden():
        planned, drifted = project.change(project.plan("first")), project.drift("first")
    require(planned is not None, "the plan does not show that an object cannot be read")
    assert planned is not None  # It was just required.
    require(planned.action in ("unreadable", "update"), "the plan for an object that cannot be read is", planned)
    require(drifted is None or drifted.cause != "it is gone", "an object that cannot be read counts as gone", drifted)
    require(case.identity() == before, "looking has changed it", before, case.identity())
    project.settled("first")


def adopt(project: Project, case: Case) -> None:
    """What somebody else has made is refused, taken over only on request, and never removed by an undo."""
    nothing(project, case)
    case.found()
    try:
        _adopted(project, case)
    finally:
        if case.exists():
            case.lose()
        shutil.rmtree(project.object_folder(), ignore_errors=True)  # What is forgotten, as this was, keeps it.


def _adopted(project: Project, case: Case) -> None:
    before = case.content()
    try:
        run = project.attempt("first")
    except RefusedError:
        pass
    else:
        raise NotConformingError(f"an object that was there already was not refused: the run ended {run.result}")
    require(case.content() == before, "the refused run has changed what was there", before, case.content())

    project.apply("first", adopt=True)
    require_seen(case, "first", "after the adoption")
    require([item.adopted for item in project.recorded()] == [True], "it is not recorded as adopted", project.recorded())

    project.undo()
    require(case.content() == before, "the undo of an adoption has not left what was there", before, case.content())


def killed_create(project: Project, case: Case) -> None:
    """A death between the creation and its record leaves one object after the resume, and no second one."""
    for method in _moments(case):
        nothing(project, case)
        died = project.kill("first", method)
        require(case.exists(), "the dead process has made nothing")
        if died:
            _resumed(project, case, "first")
        else:
            require(method != "create", "a new object was recorded without being created")


def killed_update(project: Project, case: Case) -> None:
    """A death between a change and its record ends, after the resume, in the changed object."""
    first(project, case)
    require(project.kill("changed", "update"), "a changed object was recorded without an update")
    _resumed(project, case, "changed")


def killed_delete(project: Project, case: Case) -> None:
    """A death between the deletion and its record ends, after the resume, in nothing."""
    first(project, case)
    require(project.kill("", "delete"), "an object was forgotten without a delete")
    require(case.look() is None, "the dead process has left", case.look())
    run = project.resume()
    require(run.result == "succeeded", f"the resumed run ended {run.result}", run.cause, run.cause_detail)
    require_gone(project, case, "after the resume")


def _moments(case: Case) -> list[str]:
    """After which methods a creation can be interrupted."""
    waits = type(case.kind._kind.provider).ready is not Provider.ready  # noqa: SLF001 - the test kit knows it.
    return ["create", "ready"] if waits else ["create"]


def _resumed(project: Project, case: Case, wish: Wish, *, resumes_max: int = 1) -> None:
    run = project.resume()
    for _ in range(resumes_max - 1):
        if run.result != "parked":
            break
        run = project.resume()
    require(run.result == "succeeded", f"the resumed run ended {run.result}", run.cause, run.cause_detail)
    require_seen(case, wish, "after the resume")
    require(len(project.recorded()) == 1, "the record should have one object", project.recorded())
    project.require_sound()
    project.settled(wish)


def created_twice(project: Project, case: Case) -> None:
    """A creation that is repeated with its token and its name makes one object, the same."""
    _made_through(project, case, _accident.twice(case))


def lost_answer(project: Project, case: Case) -> None:
    """A creation whose answer is lost is repeated by the engine, and makes one object."""
    _made_through(project, case, _accident.lost_answer(case))


def lagging_view(project: Project, case: Case) -> None:
    """What was made and is not to be seen yet, its answer heard or lost, is neither made again nor taken for gone."""
    with _accident.lagging(case):
        _made_through(project, case, nullcontext())
    with _accident.lagging(case):
        _made_through(project, case, _accident.lost_answer(case))


def _made_through(project: Project, case: Case, accident: AbstractContextManager[None]) -> None:
    nothing(project, case)
    with accident:
        project.apply("first")
    require_seen(case, "first", "after the accident")
    project.settled("first")


def late_answer(project: Project, case: Case) -> None:
    """A creation that is not complete in time parks the run, undoes nothing, and is completed by the resume."""
    nothing(project, case)
    with _accident.endless(case):
        project.apply("first", result="parked", timeout_s=0.01)
    require(case.exists(), "the time-out has removed the object")
    # The node's own time holds for each resume, too, and it is far shorter than a real start.
    _resumed(project, case, "first", resumes_max=RESUMES_MAX)
