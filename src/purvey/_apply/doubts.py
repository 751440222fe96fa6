"""Operations in doubt: which of them a run settles, and that nothing it does rests on the others. Pure.

A run that is limited to some nodes passes over what is in doubt elsewhere, so that a machine which is gone holds up nobody.
What it does must then stand clear of that: nobody knows what those objects are like, nor whether they are there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from purvey._graph import Graph, Node, Selection
from purvey._plan.plan import Plan
from purvey._state.state import InDoubt, State
from purvey.errors import RefusedError

Entangled = tuple[tuple[str, str], ...]
"""What of a plan rests on what is in doubt: the address that is in doubt, and a sentence."""


def settled_by(run: str, state: State, selection: Selection, touched: Iterable[str] = ()) -> list[InDoubt]:
    """The operations in doubt that a run settles: its own, those of nodes it is about, and those of and inside what it touched.

    Args:
        run: The run.
        state: What is recorded.
        selection: What the run is about.
        touched: Addresses at which it has done something.
    """
    theirs = frozenset(touched)
    return [
        doubt for doubt in state.in_doubt.values()
        if doubt.begun.run == run or selection.covers(doubt.begun.address) or not theirs.isdisjoint(_around(doubt, state))
    ]  # fmt: skip


def passed_over(run: str, state: State, selection: Selection) -> list[InDoubt]:
    """The others: they stay in doubt."""
    settled = {doubt.begun.operation for doubt in settled_by(run, state, selection)}
    return [doubt for operation, doubt in state.in_doubt.items() if operation not in settled]


def entangled(plan: Plan, graph: Graph, state: State, passed: Iterable[InDoubt]) -> Entangled:
    """What of a plan rests on operations that are passed over: it acts on their object, around it, or from what it is like."""
    doubts = {doubt.begun.address: doubt for doubt in passed}
    if not doubts:
        return ()
    operations = [item for item in (*plan.operations, *plan.deletions) if item.verb != "check"]
    removed = {item.address for item in operations if item.verb in ("delete", "forget")}
    found: dict[tuple[str, str], None] = {}
    met = _met(graph.nodes, doubts)
    for operation in operations:
        for address in sorted(met.get(operation.address, ())):
            told = "" if address == operation.address else f", and {operation.address} rests on it"
            found[address, f"{address}: its {doubts[address].begun.verb} is in doubt{told}."] = None
    for address, doubt in doubts.items():
        for outer in removed.intersection(_around(doubt, state)) - {address}:
            found[address, f"{address}: its {doubt.begun.verb} is in doubt, and {outer}, which it lives in, would go."] = None
    return tuple(found)


def refuse_entangled(found: Entangled) -> None:
    """Stop a plan that rests on what is in doubt.

    Raises:
        RefusedError: ``refused.in_doubt``, with one line for each.
    """
    if found:
        raise RefusedError(
            "refused.in_doubt",
            "The run passes over what is in doubt, and does something that rests on it",
            reasons=found,
            hint="Do not leave it out with --target or --exclude, so that the run settles it first; or leave out what rests on "
            "it, too. Where you have seen how it ended, say so with `purvey state settle`.",
        )


def _met(nodes: Mapping[str, Node], doubts: Mapping[str, InDoubt]) -> dict[str, set[str]]:
    """What of that is in doubt each node is, was, or needs; not what it only comes after in a rolling change.

    Args:
        nodes: In dependency order.
        doubts: By address.
    """
    met = {address: {address} for address in doubts}
    for address, node in nodes.items():
        behind = node.behind
        found = {
            item for need in (address, node.options.moved_from, *node.needs) if need not in behind for item in met.get(need, ())
        }
        if found:
            met[address] = found
    return met


def _around(doubt: InDoubt, state: State) -> Iterator[str]:
    """The address of an operation's object, and those of what it lives in."""
    address, container = doubt.begun.address, doubt.begun.node.container
    while address:
        yield address
        record = state.latest(container)
        address, container = container, record.container if record is not None else ""
