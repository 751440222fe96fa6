"""From decisions to operations in a safe order. Pure.

Creates, updates and checks go as the graph allows. What a replacement leaves behind, and nodes that are no longer declared, go
last, each after everything that depended on it. Only where the new object needs what the old one occupies is the old one
deleted first: a gap.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from purvey._graph import Node
from purvey._plan.decision import Decision
from purvey._plan.plan import Operation, Verb, operation_id
from purvey._state.resource import ResourceState
from purvey._state.state import State

_VERBS: Mapping[str, Verb] = {
    "create": "create",
    "replace": "create",
    "update": "update",
    "adopt": "adopt",
    "check": "check",
}


class Frontier:
    """The nearest operations behind each node.

    An operation waits for those of the nodes it needs, also through nodes that stay as they are: a migration waits for the
    server's restart, though the database between them does not change.

    Args:
        touched: Nodes that change, or depend on one that does.
    """

    def __init__(self, touched: set[str]) -> None:
        self._touched = touched
        self._behind: dict[str, tuple[str, ...]] = {}

    def put(self, address: str, operation: str) -> None:
        """The node at `address` is complete when `operation` is."""
        self._behind[address] = (operation,)

    def of(self, needs: Iterable[str]) -> tuple[str, ...]:
        """The operations to wait for, each once."""
        found: dict[str, None] = {}
        for need in needs:
            found.update(dict.fromkeys(self._behind.get(need, ())))
        return tuple(found)

    def pass_through(self, address: str, needs: Iterable[str]) -> None:
        """The node stays as it is: what waits for it waits for what is behind it. Told in dependency order."""
        if address in self._touched:
            self._behind[address] = self.of(needs)


class _Edges:
    """What each node's operation waits for, and in which of these cases however that ends.

    Args:
        touched: See `Frontier`.
    """

    def __init__(self, touched: set[str]) -> None:
        self._all = Frontier(touched)
        self._firm = Frontier(touched)  # Without what a machine's turn is behind; the same for all that is no rolling change.

    def put(self, address: str, operation: str) -> None:
        """See `Frontier.put`."""
        self._all.put(address, operation)
        self._firm.put(address, operation)

    def pass_through(self, node: Node) -> None:
        """See `Frontier.pass_through`."""
        self._all.pass_through(node.address, node.needs)
        self._firm.pass_through(node.address, _firm(node))

    def of(self, node: Node) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The operations that a node's waits for, and those of them that may also fail."""
        needs = self._all.of(node.needs)
        if node.options.turn is None:
            return needs, ()
        firm = self._firm.of(_firm(node))
        return needs, tuple(need for need in needs if need not in firm)


def _firm(node: Node) -> tuple[str, ...]:
    """The nodes without which a node cannot be."""
    behind = node.behind
    return tuple(need for need in node.needs if need not in behind) if behind else node.needs


def forward(
    decisions: Mapping[str, Decision], nodes: Mapping[str, Node], touched: set[str], state: State, gaps: set[str]
) -> list[Operation]:
    """The operations that make and change, in dependency order.

    Args:
        decisions: What happens, in dependency order.
        nodes: Every declared node.
        touched: See `Frontier`.
        state: For the next free generation.
        gaps: Addresses whose old object goes first.
    """
    edges = _Edges(touched)
    operations: list[Operation] = []
    for address, node in nodes.items():
        decision = decisions.get(address)
        verb = _VERBS.get(decision.action) if decision is not None else None
        if decision is None or verb is None:
            edges.pass_through(node)
            continue
        needs, despite = edges.of(decision.node)
        generation = generation_of(decision, state)
        record = decision.record
        if address in gaps and record is not None:
            gone = Operation(
                id=operation_id("delete", record.address, record.generation), verb="delete", address=record.address,
                generation=record.generation, needs=needs, despite=despite,
            )  # fmt: skip
            operations.append(gone)
            needs = (*needs, gone.id)
        prior = record.generation if record is not None and not decision.lost else 0
        operation = Operation(
            id=operation_id(verb, address, generation), verb=verb, address=address, generation=generation, needs=needs,
            planned=tuple(sorted({change.name for change in decision.fields})), prior=prior, despite=despite,
        )  # fmt: skip
        operations.append(operation)
        edges.put(address, operation.id)
    return operations


def generation_of(decision: Decision, state: State) -> int:
    """Which object of its node a decision makes or touches; numbers are never reused."""
    record = decision.record
    if decision.action == "update" and record is not None:
        return record.generation
    if decision.action == "check":
        return record.generation if record is not None else 1
    return state.generations.get(decision.node.address, 0) + 1


def backward(gone: Mapping[tuple[str, int], ResourceState], forgotten: set[tuple[str, int]]) -> list[Operation]:
    """The operations that remove, dependants before what they depend on.

    Args:
        gone: Objects to remove, by address and generation.
        forgotten: Those of them whose record is dropped without a call.
    """
    waiting: dict[str, list[str]] = {}
    loose: dict[str, list[str]] = {}
    by_address: dict[str, list[ResourceState]] = {}
    for resource in gone.values():
        by_address.setdefault(resource.address, []).append(resource)
    for resource in gone.values():
        for need in resource.needs:
            if need in by_address and need != resource.address:
                waiting.setdefault(need, []).append(_removal_id(resource, forgotten))
        for need in resource.behind:
            loose.setdefault(need, []).append(_removal_id(resource, forgotten))
    return [
        Operation(
            id=_removal_id(resource, forgotten), verb=_removal(resource, forgotten), address=resource.address,
            generation=resource.generation, needs=tuple(dict.fromkeys(waiting.get(resource.address, ()))),
            despite=tuple(dict.fromkeys(loose.get(resource.address, ()))),
        )
        for resource in reversed(list(gone.values()))
    ]  # fmt: skip


def _removal(resource: ResourceState, forgotten: set[tuple[str, int]]) -> Verb:
    return "forget" if (resource.address, resource.generation) in forgotten else "delete"


def _removal_id(resource: ResourceState, forgotten: set[tuple[str, int]]) -> str:
    return operation_id(_removal(resource, forgotten), resource.address, resource.generation)
