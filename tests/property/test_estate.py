"""Random edits of random graphs over the JSON world: the plan is what happens, a second plan is empty, an undo restores."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from purvey._plan.plan import Plan
from purvey._state.check import violations
from purvey._state.record import decode_state, encode_state
from purvey._state.state import fold
from tests.support.estate import Estate
from tests.support.project import Project


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """An empty project."""
    return Project(tmp_path, monkeypatch)  # type: ignore[return-value]


def _apply(project: Project, estate: Estate) -> Plan:
    """Apply, and compare what happened with what was planned."""
    project.declare(estate.script())
    plan = project.plan()
    before = len(project.world.log)
    run = project.apply()
    assert run.result == "succeeded", run.cause_detail
    happened = project.world.log[before:]
    allowed = [f"{item.verb} {item.address.rpartition('::')[2]}" for item in (*plan.operations, *plan.deletions)]
    for effect in happened:
        verb, _, name = effect.partition(" ")
        assert effect in allowed or (verb == "update" and f"create {name}" in allowed), f"{effect} was not planned"
    return plan


def _same(project: Project, estate: Estate) -> None:
    """A second plan is empty, the record is sound, and the world holds exactly what is declared."""
    second = project.plan()
    assert second.changes == (), [(change.action, change.address, change.cause) for change in second.changes]
    assert second.deletions == ()
    project.require_sound()
    wanted = sorted(name for name, node in estate.nodes.items() if node["kind"] != "Probe")
    assert sorted(entry["name"] for entry in project.world.objects.values()) == wanted


@pytest.mark.trials(sample=25, full=500)
def test_random_edits(project: Project, rng: random.Random) -> None:
    """Whatever is edited: what happens was planned, and afterwards nothing is left to do."""
    estate = Estate(rng)
    for _ in range(4):
        _apply(project, estate)
        _same(project, estate)
        estate.edit()
    project.declare("")
    assert project.apply().result == "succeeded"
    assert project.world.objects == {}
    assert project.state().resources == {}


@pytest.mark.trials(sample=25, full=500)
def test_a_random_failure_is_undone(project: Project, rng: random.Random) -> None:
    """Whichever operation fails: the world is as before, and the next apply succeeds."""
    estate = Estate(rng)
    _apply(project, estate)
    before = project.world.visible()
    estate.edit()
    project.declare(estate.script())
    changing = [item for item in project.plan().operations if item.verb in ("create", "update")]
    if changing:
        victim = rng.choice(changing)
        name = victim.address.rpartition("::")[2]
        for verb in ("create", "update"):
            project.world.fail(verb, name, may_exist=rng.random() < 0.3, after=False, times=1)
        run = project.apply(parallel=rng.randrange(1, 5))
        if run.result == "undone":
            assert project.world.visible() == before
            project.require_sound()
        else:
            assert run.result == "succeeded"  # What was planned turned out to be nothing to do.
        project.world.mend()
    _apply(project, estate)
    _same(project, estate)


@pytest.mark.trials(sample=25, full=500)
def test_the_state_is_the_fold_of_the_records(project: Project, rng: random.Random) -> None:
    """Folding a stack's journal gives the state that the store keeps live; and folding is deterministic."""
    estate = Estate(rng)
    for _ in range(3):
        project.declare(estate.script())
        if rng.random() < 0.3 and estate.nodes:
            project.world.fail("create", rng.choice(list(estate.nodes)), times=1)
        project.apply(parallel=3)
        project.world.mend()
        estate.edit()
    store = project.store()
    try:
        live = store.load("main/dev")
        records = [record for row in reversed(store.runs("main/dev", 100)) for record in store.records(row.id)]
    finally:
        store.close()
    folded, again = fold(records), fold(records)
    for state in (folded, again):
        assert {key: encode_state(entry) for key, entry in state.resources.items()} == {
            key: encode_state(entry) for key, entry in live.resources.items()
        }
        assert state.generations == live.generations
        assert violations(state) == []
    assert all(decode_state(encode_state(entry)) == entry for entry in live.resources.values())
