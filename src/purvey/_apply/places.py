"""Where the machines of a script are now, for what is recorded of the things on them.

A record says where its object is by the name of its machine, and how one got there. The script may say another way to that name
by now: it is the one that is gone, also to what is no longer declared. And it may call the machine by another name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from purvey._apply.parts import Parts
from purvey._graph import Graph, Node
from purvey._state.resource import ResourceState
from purvey.errors import PurveyError, RefusedError
from purvey.providers import Absent, NotKnownError, Observed, Present

Key = tuple[str, int]
Misplaced = tuple[tuple[str, str], ...]
"""What would be removed from a machine that has another name now: the address, and a sentence."""


class Anew(NamedTuple):
    """What was looked at in another way than was recorded.

    Attributes:
        addresses: The nodes of which that way is to be recorded.
        warnings: What stays on machines that have lost their name to others.
    """

    addresses: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()


class Places:
    """Knows the machines of a script, by name and by where they are.

    Args:
        parts: The run's tools.
        graph: What is declared.
    """

    def __init__(self, parts: Parts, graph: Graph) -> None:
        self._parts = parts
        self._graph = graph
        self._by_name: dict[str, Node] = {}
        self._machines: dict[int, str] = {}
        self._ways: set[tuple[str, str, str]] = set()
        for node in graph.nodes.values():
            if node.how is not None:
                self._by_name.setdefault(node.where, node)
                self._ways.add((node.where, node.way, self._machine(node)))
        self._names = {self._machine(node): name for name, node in self._by_name.items()}

    def reached(self, record: ResourceState) -> ResourceState:
        """The record with the script's way to its machine; itself where the script says no other, or none that is known."""
        node = self._on_its_machine(record)
        return record if node is None else reached_by(node, record)

    def rerouted(self, record: ResourceState) -> ResourceState:
        """As `reached`, as it may be recorded."""
        node = self._on_its_machine(record)
        if node is None:
            return record
        how = self._parts.how_at_rest(node.how)
        return msgspec.structs.replace(record, where=node.where, how=how, way=node.way, machine=self._machine(node))

    def misplaced(self, removed: Iterable[ResourceState]) -> Misplaced:
        """What of what is to be removed is on a machine that has another name now, or had its address."""
        found = []
        for record in removed:
            name = self._names.get(record.machine, "") if record.how is not None and record.where not in self._by_name else ""
            if name and name != record.where:
                found.append((record.address, f"{record.address} was made on {record.where}, which is where {name} is now."))
        return tuple(found)

    def anew(self, seen: Mapping[Key, Observed], again: Mapping[Key, Observed]) -> Anew:
        """What follows from looking once more.

        Args:
            seen: What was there on the recorded way.
            again: What is there on the script's.
        """
        counts: dict[str, int] = {}
        for key, found in again.items():
            record = self._parts.state.resources[key]
            if isinstance(found, Absent) and isinstance(seen.get(key), Present) and record.machine not in self._names:
                counts[record.where] = counts.get(record.where, 0) + 1
        lines = [
            f"{where} was another machine before, and {count} object{' of it stays' if count == 1 else 's of it stay'} there."
            for where, count in counts.items()
        ]
        addresses = [record.address for record in self._parts.state.resources.values() if self.reached(record) is not record]
        return Anew(frozenset(addresses), tuple(lines))

    def _on_its_machine(self, record: ResourceState) -> Node | None:
        """A node that says another way to a record's machine than the record does."""
        if record.how is None:
            return None
        node = self._graph.nodes.get(record.address)
        if node is not None and node.where == record.where and self._is_reached_by(node, record):
            return None
        latest = self._parts.state.latest(record.address)
        is_its_own = node is not None and node.how is not None and latest is not None and latest.generation == record.generation
        if not is_its_own or node is None or self._parts.elsewhere(node, record):
            if (record.where, record.way, record.machine) in self._ways:  # One of several that the script says.
                return None
            node = self._by_name.get(record.where)
        if node is None or self._is_reached_by(node, record):
            return None
        try:
            self._parts.host(node.where, node.how)
        except (NotKnownError, PurveyError):  # What it is made of is not there yet, or a secret of the way cannot be read.
            return None
        return node

    def _is_reached_by(self, node: Node, record: ResourceState) -> bool:
        return record.way == node.way and record.machine == self._machine(node)

    def _machine(self, node: Node) -> str:
        key = id(node.how)  # One for all nodes on it, as long as the graph is there.
        if key not in self._machines:
            self._machines[key] = self._parts.machine(node.how)
        return self._machines[key]


def reached_by(node: Node, record: ResourceState) -> ResourceState:
    """A record of what is on a machine, with the way to it that a node says."""
    return msgspec.structs.replace(record, where=node.where, how=node.how)


def refuse_misplaced(found: Misplaced) -> None:
    """Stop a plan that would remove what was made on one machine from what another one is called now.

    Raises:
        RefusedError: ``refused.another_machine``, with one line for each.
    """
    if found:
        raise RefusedError(
            "refused.another_machine",
            "What is no longer declared would be removed from a machine of another name",
            reasons=found,
            hint="If it is the same machine, let it keep its name, or say of each node that it was there before, with "
            "Options(moved_from=...). If another machine has got its address, forget what was on the former one with "
            "`purvey state rm`.",
        )
