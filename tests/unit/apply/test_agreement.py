"""The plan that was shown and what happened agree: in a random corpus exactly, and whatever tries something else is stopped."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from copy import deepcopy
from typing import Any

import msgspec
import pytest

from purvey._apply import make
from purvey._apply.perform import Performer
from purvey._base.value import is_known
from purvey._plan.plan import Operation, Plan, operation_id
from purvey._state.record import Begun, Record
from purvey.errors import InternalError, RefusedError
from tests.support.estate import Estate
from tests.support.project import Project

Bend = Callable[[Performer, Operation], Operation]


class Edited(Estate):
    """Declarations that are guarded as well, over a world that others change, too; `vanished` is what they removed."""

    vanished: frozenset[str] = frozenset()

    def __init__(self, rng: random.Random) -> None:
        super().__init__(rng)
        self.guard()

    def edit(self) -> None:
        """As in any estate; and what guards some objects is said, unsaid or lifted."""
        super().edit()
        self.guard()

    def guard(self) -> None:
        """Say something else about some objects."""
        for node in self.nodes.values():
            if node["kind"] in ("Thing", "Server") and self.rng.random() < 0.5:
                option = self.rng.choice(("protect", "retain"))
                node["opts"] = self.rng.choice(({}, {option: True}, {option: True}, {option: False}))

    def disturb(self, project: Project) -> None:
        """Let somebody change or remove an object outside purvey, now and then."""
        for key, entry in project.world.objects.items():
            chance = self.rng.random()
            if entry.get("kind") in ("test.Thing", "test.Server") and chance < 0.1:
                project.world.set(key, size=77)
            elif entry.get("kind") in ("test.Thing", "test.Tagged") and chance < 0.15:
                project.world.remove(key)
                self.vanished |= {entry["name"]}

    def lift(self) -> None:
        """End the protection of everything."""
        for node in self.nodes.values():
            if node["kind"] in ("Thing", "Server"):
                node["opts"] = {"protect": False}


def _shown(plans: list[Plan]) -> tuple[Counter[str], Counter[str]]:
    """What the plans say will be done, and what of that may turn out smaller: it rests on values that only a run can tell."""
    certain: Counter[str] = Counter()
    open_: Counter[str] = Counter()
    for plan in plans:
        changes = {change.address: change for change in plan.changes}
        for operation in (*plan.operations, *plan.deletions):
            change = changes[operation.address]  # Nothing is done that is not shown.
            if operation.verb not in ("create", "update", "delete"):
                continue
            tells = [field for field in change.fields if is_known(field.after) and not field.path.startswith("opts.")]
            lives_in_another = any("lives in" in reason or "kind" in reason for reason in change.reasons)
            is_open = change.action in ("update", "replace") and not tells and not lives_in_another
            (open_ if is_open else certain)[operation.id] += 1
    return certain, open_


def _done(records: list[Record]) -> Counter[str]:
    """What a run's journal says that it did, by the ids of operations."""
    begun = [record for record in records if isinstance(record, Begun)]
    return Counter(operation_id(record.verb, record.address, record.generation) for record in begun)


def _agree(project: Project, plans: list[Plan], run: str, before: int, vanished: AbstractSet[str] = frozenset()) -> int:
    """Compare what was shown with the journal, and the journal with the world's own ledger; return how much was done.

    A deletion of what somebody has removed is done and has no effect.
    """
    certain, open_ = _shown(plans)
    done = _done(project.records(run))
    missing, more = certain - done, done - certain
    assert not missing, f"shown and not done: {missing}"
    for operation in more:
        verb, address, number = operation.split()
        smaller = verb == "update" and any(item.startswith(f"create {address} #") for item in open_)
        assert operation in open_ or smaller, f"done and not shown: {verb} {address} {number}"
    ledger = Counter(project.world.log[before:])
    effects = Counter(f"{item.split()[0]} {item.split()[1].rpartition('::')[2]}" for item in done.elements())
    assert ledger == effects - Counter(f"delete {name}" for name in vanished)
    return done.total()


def _apply(project: Project, estate: Edited) -> int:
    """Plan, apply, and compare."""
    project.declare(estate.script())
    plan = project.plan()
    before = len(project.world.log)
    run = project.apply()
    assert run.result == "succeeded", run.cause_detail
    if not plan.is_empty:
        assert [shown.changes for shown in project.approved] == [plan.changes]
    assert not (plan.is_empty and len(project.world.log) > before)
    count = _agree(project, project.approved, run.id, before, estate.vanished)
    again = project.plan()
    assert again.is_empty, [(change.action, change.address, change.cause) for change in again.changes]
    return count


@pytest.mark.trials(sample=40, full=200)
def test_what_is_shown_is_what_happens(project: Project, rng: random.Random) -> None:
    """A random edit of a random script, in a world that others change: plan, journal and world say the same.

    What is refused has no effect at all. Only a change that rests on a value which a plan cannot know may turn out smaller;
    then a second plan is empty, so that nothing was left out either.
    """
    estate = Edited(rng)
    _apply(project, estate)
    former = deepcopy(estate.nodes)
    estate.edit()
    estate.disturb(project)
    project.declare(estate.script())
    if project.plan().refusals:
        before = project.world.log
        with pytest.raises(RefusedError, match="protected"):
            project.apply()
        assert project.world.log == before
        edited, estate.nodes = estate.nodes, former
        estate.lift()
        _apply(project, estate)
        estate.nodes = edited
        estate.lift()
    _apply(project, estate)
    project.require_sound()


STAGED = """
@stack
def main(size: int = 1):
    a = Thing("a", size=size)
    for n in range(value(a.revision)):
        Thing(f"b-{n}", size=size, text=a.label)
    Thing("c", text=f"{value(a.revision)}")
"""


def test_what_each_stage_shows_is_what_happens(project: Project) -> None:
    """A script that pauses shows a plan for each stage, and together they are what happens."""
    project.write(STAGED)
    for size in (1, 2, 3):
        before = len(project.world.log)
        run = project.apply(parameters={"size": size})
        assert run.stages == 2
        assert _agree(project, project.approved, run.id, before) >= 2


@pytest.mark.parametrize(
    "bend",
    [
        lambda performer, operation: msgspec.structs.replace(operation, id="update test.Thing::z #1"),
        lambda performer, operation: msgspec.structs.replace(operation, planned=("color",)),
        lambda performer, operation: msgspec.structs.replace(operation, verb="delete"),
        lambda performer, operation: performer.plan.operations[1],
    ],
    ids=["unknown", "another", "another verb", "another node's"],
)
def test_an_effect_outside_the_plan_is_stopped(project: Project, monkeypatch: pytest.MonkeyPatch, bend: Bend) -> None:
    """Whatever goes wrong in the engine: what the approved plan does not say is not even begun."""
    project.declare('Thing("a", size=1)\nThing("b", size=1)')
    project.apply()
    project.declare('Thing("a", size=2)\nThing("b", size=2)')
    whole = Performer.effect

    async def bent(self: Performer, operation: Operation, *more: Any, **named: Any) -> Any:
        """The effect of another operation than the one that is performed."""
        is_first = operation.address == "test.Thing::a"
        return await whole(self, bend(self, operation) if is_first else operation, *more, **named)

    monkeypatch.setattr(Performer, "effect", bent)
    with pytest.raises(InternalError, match="approved plan"):
        project.apply(parallel=1)

    assert "update a" not in project.world.log
    assert all(record.address != "test.Thing::a" for record in project.records(_newest(project)) if isinstance(record, Begun))


def test_another_object_than_the_planned_one_is_not_touched(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation that would change the next node's object is stopped at the last look."""
    project.declare('Thing("a", size=1)\nThing("b", size=1)')
    project.apply()
    project.declare('Thing("a", size=2)\nThing("b", size=1)')
    before = project.world.log
    change = make._change

    async def bent(performer: Performer, operation: Operation, attempts: Any, node: Any, prior: Any, *more: Any) -> str:
        """Change `b` in the place of `a`."""
        other = performer.parts.state.current()["test.Thing::b"]
        return await change(performer, operation, attempts, msgspec.structs.replace(node, address=other.address), other, *more)

    monkeypatch.setattr(make, "_change", bent)
    with pytest.raises(InternalError, match="approved plan"):
        project.apply()

    assert project.world.log == before


def _newest(project: Project) -> str:
    return project.session().runs(limit=1)[0].id
