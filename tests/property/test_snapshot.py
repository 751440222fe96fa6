"""The snapshot is the fold of the journal, in a file and on a server."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from purvey._state.record import Noted, Record
from purvey._state.state import State, fold
from tests.unit.state import kit
from tests.unit.state.conftest import database_server, fresh

__all__ = ["database_server", "fresh"]


def journal(choices: list[tuple[int, int, int]]) -> list[Record]:
    """A possible journal: each choice begins, identifies or ends an operation, or changes the record alone."""
    state = State()
    records: list[Record] = [kit.opened()]
    for number, (kind, which, detail) in enumerate(choices):
        records.append(_next(state, number, kind, which, detail))
        state.apply(records[-1])
    return records


def _next(state: State, number: int, kind: int, which: int, detail: int) -> Record:
    doubts = list(state.in_doubt.values())
    objects = list(state.resources.values())
    if kind < 3 and doubts:
        first = doubts[which % len(doubts)].begun
        ends: list[Record] = [
            kit.succeeded(first.operation, first.node, gone=first.verb == "delete"),
            kit.failed(first.operation, first.node, may_exist=bool(detail % 2)),
            kit.identified(first.operation, f"id-{detail}"),
        ]
        return ends[kind]
    if kind == 3 and objects:
        old = objects[which % len(objects)]
        return kit.begun(f"op{number}", old, "delete" if detail % 2 else "update", prior=old)
    if kind == 4 and objects:
        return _note(state, objects[which % len(objects)].address, number, detail)
    if kind == 5:
        return kit.outputs(number=number)
    name = f"n{which}"
    generation = state.generations.get(f"files.File::{name}", 0) + 1
    return kit.begun(f"op{number}", kit.resource(name, generation=generation))


def _note(state: State, address: str, number: int, detail: int) -> Noted:
    old = state.latest(address)
    assert old is not None
    if detail == 0:
        return kit.noted("forgotten", old)
    if detail == 1:
        moved = kit.resource(f"moved{number}", generation=1)
        return kit.noted("moved", moved, state=moved, was=address)
    if detail == 2:
        return kit.noted("checked", old)
    return kit.noted("refreshed", old, state=kit.resource(address.rpartition(":")[2], generation=old.generation, id="x"))


CHOICES = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 3), st.integers(0, 3)), max_size=40)


@given(choices=CHOICES, sizes=st.lists(st.integers(1, 7), min_size=1, max_size=6))
def test_the_snapshot_is_the_fold_of_the_journal(
    fresh: Callable[[], kit.Place], choices: list[tuple[int, int, int]], sizes: list[int]
) -> None:
    """Whatever was written, in groups of any size, loading gives what folding all records gives, and verifies."""
    records = journal(choices)
    with kit.store_at(fresh()) as store:
        with kit.held(store) as lease:
            writer = store.open_journal(kit.STACK, "RUN1", lease.fence)
            rest = list(records)
            while rest:
                size = sizes[len(rest) % len(sizes)]
                writer.write_now(*rest[:size])
                rest = rest[size:]

        assert store.records("RUN1") == records
        assert kit.same(store.load(kit.STACK), fold(records))
        assert store.verify() == []
