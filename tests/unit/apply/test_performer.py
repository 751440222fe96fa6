"""The performer by itself: how long its calls may take, what goes with its container, and what is not performed any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from purvey import Resource
from purvey._apply.executor import Stop
from purvey._apply.perform import Performer
from purvey._base.limits import CALL_DEADLINE_S, OPERATION_TIMEOUT_S
from purvey._plan.effects import Effect
from purvey._plan.plan import Operation, Plan
from purvey._session.workshop import make_parts
from purvey._state.record import Begun, Record
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.providers import registry
from tests.support.kinds import ThingProvider
from tests.support.project import Project


class PatientProvider(ThingProvider):
    """Needs its time."""

    long_calls = True
    lands_within_s = 7.0
    seen_within_s = 11.0


@pytest.fixture(autouse=True)
def kinds() -> Iterator[None]:
    """A kind of these tests alone."""

    class Patient(Resource, kind="own.Patient", provider=PatientProvider):
        pass

    yield
    registry._kinds.pop(Patient._kind.name)


def performer(project: Project, plan: Plan | None = None, *records: ResourceState) -> Performer:
    """One for a run of its own, whose records are kept nowhere."""
    parts = make_parts(
        stack="main/dev", run="RUN", state=State(records), store=None, settings=project.session().settings(),
        root=project.folder, clock=project.clock, observer=project.watcher,
    )  # fmt: skip

    async def write(*records: Record) -> None:
        """Say that they are durable."""

    return Performer(parts, plan or Plan(stack="main/dev"), write, Stop(), 1)


def book(name: str, container: str, **more: Any) -> ResourceState:
    """An object, in another one or in none."""
    fields = {"kind": "test.Book", "generation": 1, "id": name, "container": container and f"test.Book::{container}", **more}
    return ResourceState(address=f"test.Book::{name}", **fields)


@pytest.mark.parametrize(
    ("kind", "own_s", "limit_s", "expected"),
    [
        ("test.Thing", None, None, (OPERATION_TIMEOUT_S, CALL_DEADLINE_S)),
        ("test.Thing", 5.0, None, (5.0, CALL_DEADLINE_S)),
        ("test.Thing", 5000.0, None, (5000.0, 5000.0)),
        ("test.Thing", None, 5000.0, (5000.0, CALL_DEADLINE_S)),
        ("test.Thing", 5000.0, 6000.0, (6000.0, 6000.0)),
        ("own.Patient", None, None, (OPERATION_TIMEOUT_S, OPERATION_TIMEOUT_S)),
        ("own.Patient", 5.0, None, (5.0, CALL_DEADLINE_S)),
        ("", None, None, (OPERATION_TIMEOUT_S, CALL_DEADLINE_S)),
        ("", 5000.0, None, (5000.0, 5000.0)),
    ],
)
def test_how_long_an_operation_and_its_calls_may_take(
    project: Project, kind: str, own_s: float | None, limit_s: float | None, expected: tuple[float, float]
) -> None:
    """A call may take all of the node's own time, or of a kind whose calls are long; else it is bounded for itself."""
    found = registry.get(kind) if kind else None
    job = performer(project).attempts("op", "a.A::a", found, own_s=own_s, limit_s=limit_s, started=3.0).job

    assert (job.run, job.operation, job.address, job.started) == ("RUN", "op", "a.A::a", 3.0)
    assert (job.timeout_s, job.deadline_s) == expected
    assert (job.lands_within_s, job.seen_within_s) == {"own.Patient": (7.0, 11.0), "test.Thing": (120.0, 0.0), "": (0.0, 0.0)}[
        kind
    ]


SHELVES = (book("outer", ""), book("inner", "outer"), book("page", "inner", follows={"test.Book::inner": 1}))


@pytest.mark.parametrize(
    ("deleted", "expected"),
    [
        (("outer", 1), "unchanged"),
        (("inner", 1), "unchanged"),
        (("page", 1), "done"),
        (("outer", 2), "done"),
        (("none", 1), "done"),
    ],
)
async def test_what_is_in_what_is_deleted_is_forgotten_with_that(
    project: Project, deleted: tuple[str, int], expected: str
) -> None:
    """However deep inside; only what stays by itself is forgotten by itself."""
    name, generation = deleted
    forget = Operation(id="forget", verb="forget", address="test.Book::page", generation=1)
    delete = Operation(id="delete", verb="delete", address=f"test.Book::{name}", generation=generation)
    one = performer(project, Plan(stack="main/dev", operations=(forget,), deletions=(delete,)), *SHELVES)

    assert await one.perform("forget")
    assert [getattr(event, "result", "") for event in project.watcher.events][1:] == [expected]
    assert (("test.Book::page", 1) in one.parts.state.resources) == (expected == "unchanged")


@pytest.mark.parametrize(("verb", "expected"), [("create", "unchanged"), ("update", "done")])
async def test_what_is_in_what_an_undo_deletes_goes_with_that(project: Project, verb: str, expected: str) -> None:
    """An undo of a creation is a deletion; one of an update is none."""
    forget = Operation(id="forget", verb="forget", address="test.Book::inner", generation=1)
    undo = Operation(id="undo", verb="undo", address="test.Book::outer", generation=1, undoes="did")
    one = performer(project, Plan(stack="main/dev", operations=(forget, undo)), *SHELVES)
    begun = Begun(at=1.0, operation="did", address="test.Book::outer", generation=1, verb=verb, token="t", node=SHELVES[0])
    one.undone = {"did": Effect(begun, SHELVES[0])}

    assert await one.perform("forget")
    assert [getattr(event, "result", "") for event in project.watcher.events][1:] == [expected]


async def test_the_container_is_the_one_that_it_followed(project: Project) -> None:
    """A later object at the container's address is another one; where none is on record, it is the latest."""
    shelves = (*SHELVES[:1], book("outer", "", generation=2), SHELVES[1], book("old", "outer", follows={"test.Book::outer": 1}))
    deletions = (Operation(id="delete", verb="delete", address="test.Book::outer", generation=2),)
    forgets = tuple(Operation(id=name, verb="forget", address=f"test.Book::{name}", generation=1) for name in ("inner", "old"))
    one = performer(project, Plan(stack="main/dev", operations=forgets, deletions=deletions), *shelves)

    await one.perform("inner")
    await one.perform("old")
    assert [event.result for event in project.watcher.events if hasattr(event, "result")] == ["unchanged", "done"]


async def test_removals_that_are_cancelled_are_not_performed(project: Project) -> None:
    """Each of several; one of another generation of the same address is."""
    deletions = tuple(
        Operation(id=f"{name} {generation}", verb="delete", address=f"test.Book::{name}", generation=generation)
        for name, generation in (("outer", 1), ("outer", 2), ("inner", 1))
    )
    one = performer(project, Plan(stack="main/dev", deletions=deletions), *SHELVES)

    one.cancel_removal(SHELVES[0])
    one.cancel_removal(SHELVES[1])

    assert one.cancelled == {"outer 1", "inner 1"}
    assert await one.perform("outer 1")
    assert project.watcher.events == []
