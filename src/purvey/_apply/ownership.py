"""Whose an object is that exists already: what purvey made or recorded elsewhere is not taken over.

Two things tell: the mark that a kind has written on its object (`Call.mark`) and finds there (`Present.owner`), and the records
of this estate. A mark of this very estate is believed only as far as its records agree: they know what was moved or forgotten
since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey._base.address import full
from purvey._state.place import Place, place
from purvey.providers import Present

if TYPE_CHECKING:
    from collections.abc import Mapping

    from purvey._apply.parts import Parts
    from purvey._graph import Graph, Node
    from purvey.providers import Observed


_Key = tuple[str, str, Place, tuple[str, ...]]
"""Kind, id, what it lives in, and the machine: by what identifies it, or by the name that a stack gives it."""


class Owners:
    """Finds the owners of objects; reads the records of the other stacks once, and only when it is asked.

    Args:
        parts: The run's tools.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._known: dict[_Key, list[tuple[str, str]]] | None = None

    def of(self, node: Node, seen: Present) -> str:
        """The full address of the object's owner, where that is not `node` itself; empty if nobody has it.

        Args:
            node: Who wants it.
            seen: What was found under the node's identity.
        """
        parts = self._parts
        if seen.owner and seen.owner.partition("/")[0] != parts.estate:
            return seen.owner
        mine = (parts.stack, node.address)
        inside = place(parts.state, node.container)
        for machine in _machines(parts.machine(node.how), parts.stack, node.where):
            for stack, address in self._records().get((node.kind, seen.id, inside, machine), ()):
                if (stack, address) != mine:
                    return full(stack, address)
        return ""

    def among(self, graph: Graph, found: Mapping[str, Observed]) -> dict[str, str]:
        """The owners of what was found, by the address of the node that wants it."""
        owners = {address: self.of(graph.nodes[address], seen) for address, seen in found.items() if isinstance(seen, Present)}
        return {address: owner for address, owner in owners.items() if owner}

    def _records(self) -> dict[_Key, list[tuple[str, str]]]:
        if self._known is None:
            self._known = {}
            for stack, state in {**self._parts.other_stacks(), self._parts.stack: self._parts.state}.items():
                for record in state.resources.values():
                    inside = place(state, record.container)
                    for machine in _machines(record.machine, stack, record.where):
                        self._known.setdefault((record.kind, record.id, inside, machine), []).append((stack, record.address))
        return self._known


def _machines(machine: str, stack: str, where: str) -> tuple[tuple[str, ...], ...]:
    """What a machine is found by: one that gets another address keeps the name that its own stack gives it."""
    return ((machine,), (stack, where))


def how_to_get(owner: str, estate: str, to_stack: str) -> str:
    """What a person can do who wants an object of `owner` in a stack of this estate.

    Args:
        owner: Its full address; one of another estate begins with that one's id.
        estate: This estate's id.
        to_stack: ``name/environment`` of the stack that wants it.
    """
    stack, _, address = owner.partition("::")
    if stack.count("/") > 1:
        return f"That is not an address of this estate, which is {estate}: have it forgotten there, or remove its mark."
    name, env = stack.split("/")
    forget = f"\n\n    purvey state rm {address} --stack {name} -e {env}"
    if stack == to_stack:
        return f"Move it with Options(moved_from={address!r}), or forget it under that address:{forget}"
    other, _, other_env = to_stack.partition("/")
    move = f"\n\n    purvey state mv {address} --stack {name} -e {env} --to-stack {other}/{other_env}"
    return f"Move it here:{move}\n\nor forget it there:{forget}"
