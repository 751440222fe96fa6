"""The order of an undo with what makes other changes take effect: each after its causes, and both at their place."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from graphlib import TopologicalSorter
from typing import Any

import pytest

from purvey import Input, Resource
from purvey._plan.effects import Effect
from purvey._plan.plan import Plan
from purvey._plan.undo import undo_plan
from purvey._state.record import Begun
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.providers import registry
from tests.support.kinds import ThingProvider

KINDS = {"daemon": "settling.Daemon", "tree": "settling.Tree"}


class DaemonProvider(ThingProvider):
    """Reads what it is told the revisions of."""

    settles = True
    settles_for = ("on",)


class TreeProvider(ThingProvider):
    """Is made of all that it needs."""

    settles = True


@pytest.fixture(autouse=True)
def kinds() -> Iterator[None]:
    """Kinds of these tests alone."""

    class Daemon(Resource, kind="settling.Daemon", provider=DaemonProvider):
        on: Any = Input(default=())

    class Tree(Resource, kind="settling.Tree", provider=TreeProvider):
        size: int = Input(default=1)

    yield
    for name in (Daemon._kind.name, Tree._kind.name):
        registry._kinds.pop(name)


def address(name: str) -> str:
    """Daemons and trees are called so; all else is a thing."""
    return f"{KINDS.get(name.partition('-')[0], 'test.Thing')}::{name}"


def updated(name: str, *needs: str, on: Sequence[str] = ()) -> Effect:
    """The update of an object that needs others; the revision of each has another number than before."""
    prior, after = (
        ResourceState(
            address=address(name), kind=address(name).partition("::")[0], generation=1, id=name, run="RUN",
            needs=tuple(map(address, (*needs, *on))), outputs={"key": name, "revision": f"{name} {time}"},
            inputs={"on": [f"{cause} {time}" for cause in on]} if name.startswith("daemon") else {},
        )
        for time in ("before", "after")
    )  # fmt: skip
    begun = Begun(
        at=1.0, operation=name, address=after.address, generation=1, verb="update", token="t", node=after, prior=prior,
        run="RUN",
    )  # fmt: skip
    return Effect(begun, after)


def plan_of(done: Sequence[Effect], *doubts: Effect) -> Plan:
    """The undo of what was done, and of what is in doubt."""
    state = State([effect.after for effect in done if effect.after is not None])
    begun = [effect.begun for effect in doubts]
    return undo_plan("shop/dev", "RUN", done, state, registry, later=(), doubts=begun)


def order(done: Sequence[Effect], *doubts: Effect) -> list[set[str]]:
    """What is taken back together, one after the other, if each takes as long as any other."""
    plan = plan_of(done, *doubts)
    sorter = TopologicalSorter({item.id: item.needs for item in plan.operations})
    names = {item.id: item.undoes for item in plan.operations}
    sorter.prepare()
    found = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append({names[item] for item in ready})
        sorter.done(*ready)
    return found


def machine(n: int, *gate: str, on: Sequence[str] = (), restored: bool = True) -> list[Effect]:
    """What a rolling change does on one machine, after those that its turn is behind."""
    out, file, daemon = f"out-{n}", f"file-{n}", f"daemon-{n}"
    body = [updated(out, *gate), updated(file, *gate, out), updated(daemon, *gate, out, on=(file, *on))]
    return [*body, updated(f"back-{n}", *gate, daemon)] if restored else body


def steps(n: int) -> list[set[str]]:
    """The machine taken back by itself: out of service, the file, the daemon, in service."""
    return [{f"back-{n}"}, {f"file-{n}"}, {f"daemon-{n}"}, {f"out-{n}"}]


def test_machine_after_machine_is_taken_back() -> None:
    """Each goes out of service, gets its file, reads it, and is back in service before the one before it begins."""
    done = [*machine(1), *machine(2, "back-1"), *machine(3, "back-2")]

    assert order(done) == [*steps(3), *steps(2), *steps(1)]


def test_one_that_was_not_put_back_is_taken_back_first() -> None:
    """The check on the last failed: there is nothing to take out of service."""
    done = [*machine(1), *machine(2, "back-1", restored=False)]

    assert order(done) == [*steps(2)[1:], *steps(1)]


def test_one_in_doubt_has_its_place() -> None:
    """The daemon of the last did not start again: it does, with its file, before it is in service; it is no change."""
    *done, doubt = [*machine(1), *machine(2, "back-1", restored=False)]

    assert order(done, doubt) == [*steps(2)[1:], *steps(1)]
    assert address("daemon-2") not in {change.address for change in plan_of(done, doubt).changes}


def test_batches_are_taken_back_together() -> None:
    """Two at a time, in reverse."""
    done = [*machine(1), *machine(2), *machine(3, "back-1", "back-2"), *machine(4, "back-1", "back-2")]

    assert order(done) == [*map(set.union, steps(3), steps(4)), *map(set.union, steps(1), steps(2))]


def test_without_steps_around_daemons_are_told_one_by_one() -> None:
    """Nothing but the daemon's turn holds the machines apart."""
    done: list[Effect] = []
    for n, gate in enumerate([(), ("daemon-0",), ("daemon-1",)]):
        done += [updated(f"file-{n}", *gate), updated(f"daemon-{n}", *gate, on=[f"file-{n}"])]

    assert order(done) == [{"file-2"}, {"daemon-2"}, {"file-1"}, {"daemon-1"}, {"file-0"}, {"daemon-0"}]


def test_one_cause_of_all_goes_back_once_and_the_daemons_in_turn() -> None:
    """A file that all daemons read is back before the first of them, which is out of service by then."""
    done = [updated("shared"), *machine(1, on=["shared"]), *machine(2, "back-1", on=["shared"])]

    assert order(done) == [{"back-2"}, {"file-2", "shared"}, *steps(2)[2:], *steps(1)]


def test_what_lies_between_goes_back_before_the_daemon() -> None:
    """A step that looks at the file is taken back before it, so the daemon, which comes after the file, comes after both."""
    done = [updated("file"), updated("look", "file"), updated("daemon", "look", on=["file"]), updated("user", "daemon")]

    assert order(done) == [{"user"}, {"look"}, {"file"}, {"daemon"}]


def test_a_change_of_its_own_goes_back_where_it_was() -> None:
    """None of what it needs made it read anything."""
    done = [updated("out"), updated("daemon", "out"), updated("back", "daemon")]

    assert order(done) == [{"back"}, {"daemon"}, {"out"}]


def test_one_that_says_no_inputs_comes_after_all_that_it_needs() -> None:
    """Such as an archive of a tree."""
    done = [updated("a"), updated("b", "a"), updated("tree", "a", "b"), updated("user", "tree")]

    assert order(done) == [{"user"}, {"b"}, {"a"}, {"tree"}]


def test_daemons_that_read_daemons() -> None:
    """Each after what it has read, however many there are in a chain."""
    done = [updated("file"), updated("daemon-1", on=["file"]), updated("daemon-2", on=["daemon-1", "file"])]

    assert order(done) == [{"file"}, {"daemon-1"}, {"daemon-2"}]


@pytest.mark.parametrize("case", range(50))
def test_no_undo_waits_for_itself(case: int) -> None:
    """Whatever hangs together how: there is an order, in which each daemon comes after its causes."""
    chance = random.Random(case)
    done: list[Effect] = []
    names: list[str] = []
    causes: dict[str, list[str]] = {}
    for n in range(12):
        name = f"{chance.choice(['thing', 'daemon', 'daemon', 'tree'])}-{n}"
        needs = [other for other in names if chance.random() < 0.3]
        causes[name] = [other for other in needs if chance.random() < 0.5] if name.startswith("daemon") else []
        done.append(updated(name, *(other for other in needs if other not in causes[name]), on=causes[name]))
        names.append(name)

    place = {name: n for n, together in enumerate(order(done)) for name in together}

    assert len(place) == len(done)
    assert all(place[cause] < place[name] for name, found in causes.items() for cause in found)
