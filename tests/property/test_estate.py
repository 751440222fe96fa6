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
from tests.support.project import Project

KINDS = ("Thing", "Server", "Tagged", "Port", "Shelf", "Book", "Lock", "Probe")


class Estate:
    """A random set of declarations that can be edited.

    Args:
        rng: Chance.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.serial = 0
        self.nodes: dict[str, dict[str, object]] = {}
        for _ in range(rng.randrange(1, 9)):
            self.add()

    def add(self) -> None:
        """Declare another node, which may use those before it."""
        self.serial += 1
        name = f"n{self.serial}"
        shelves = [other for other, node in self.nodes.items() if node["kind"] == "Shelf"]
        kind = self.rng.choice([kind for kind in KINDS if shelves or kind != "Book"])
        node: dict[str, object] = {"kind": kind, "size": 1, "color": "red", "uses": [], "shelf": "", "number": self.serial}
        if kind == "Book" or (kind == "Lock" and shelves and self.rng.random() < 0.5):
            node["shelf"] = self.rng.choice(shelves)
        others = [other for other, found in self.nodes.items() if found["kind"] != "Probe"]
        node["uses"] = self.rng.sample(others, min(len(others), self.rng.randrange(3)))
        self.nodes[name] = node

    def edit(self) -> None:
        """One to three changes: another size, another immutable colour, a node less, a node more."""
        for _ in range(self.rng.randrange(1, 4)):
            what = self.rng.choice(("size", "color", "remove", "add"))
            if what == "add" or not self.nodes:
                self.add()
            elif what == "remove":
                self.remove(self.rng.choice(list(self.nodes)))
            else:
                node = self.nodes[self.rng.choice(list(self.nodes))]
                node[what] = self.rng.choice(("red", "blue", "green")) if what == "color" else self.rng.randrange(1, 5)

    def remove(self, name: str) -> None:
        """Take a node away with all mentions of it, and what lives in it."""
        del self.nodes[name]
        for other in [other for other, node in self.nodes.items() if node["shelf"] == name]:
            self.remove(other)
        for node in self.nodes.values():
            node["uses"] = [use for use in node["uses"] if use != name]  # type: ignore[attr-defined]

    def script(self) -> str:
        """The declarations as a stack's body."""
        return "\n".join(self._line(name, node) for name, node in self.nodes.items())

    def _line(self, name: str, node: dict[str, object]) -> str:
        kind, uses = node["kind"], node["uses"]
        text = "f'" + " ".join(f"{{{use}.{self._output(use)}}}" for use in uses) + "'"  # type: ignore[attr-defined]
        inputs = {
            "Thing": f"size={node['size']}, color={node['color']!r}, text={text}",
            "Server": f"size={node['size']}, color={node['color']!r}, text={text}",
            "Tagged": f"size={node['size']}, color={node['color']!r}",
            "Port": f"number={node['number']}, color={node['color']!r}, text={text}",
            "Shelf": f"size={node['size']}, color={node['color']!r}",
            "Book": f"shelf={node['shelf']}, text={text}",
            "Lock": f"color={node['color']!r}" + (f", shelf={node['shelf']}" if node["shelf"] else ""),
            "Probe": f"opts=Options(after=[{', '.join(uses)}])",  # type: ignore[arg-type]
        }[str(kind)]
        return f"{name} = {kind}({name!r}, {inputs})"

    def _output(self, name: str) -> str:
        return ("key", "label", "revision")[self.nodes[name]["number"] % 3]  # type: ignore[operator]


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
