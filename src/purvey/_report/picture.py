"""A graph with what happens to each node: what its pictures are made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from purvey._base.address import split
from purvey._graph import Graph
from purvey._plan.plan import Plan

ACTIONS: Final = ("create", "adopt", "update", "replace", "delete", "forget", "check", "unreadable", "none")
"""Every action, in the order of a legend."""

WORDS: Final[Mapping[str, str]] = {"none": "unchanged", "unreadable": "cannot be read"}
"""How a legend calls actions whose own name says too little."""


class Shape(msgspec.Struct, frozen=True):
    """One node of a picture.

    Attributes:
        address: Its address.
        action: What happens to it.
        needs: The addresses that it needs.
    """

    address: str
    action: str
    needs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name."""
        return split(self.address)[2]

    @property
    def subtitle(self) -> str:
        """Its scope and kind."""
        return self.address.rpartition("::")[0]


class Picture(msgspec.Struct, frozen=True):
    """What a picture shows: a title, and the nodes in dependency order."""

    title: str
    shapes: tuple[Shape, ...]

    def counts(self) -> dict[str, int]:
        """How many nodes have each action, zeros left out."""
        found = [shape.action for shape in self.shapes]
        return {action: found.count(action) for action in ACTIONS if action in found}


def picture(graph: Graph, plan: Plan) -> Picture:
    """The nodes that a script declares, and those that would be deleted because it no longer does."""
    actions = actions_of(plan)
    shapes = [Shape(node.address, actions.get(node.address, "none"), node.needs) for node in graph.nodes.values()]
    gone = [Shape(address, action) for address, action in actions.items() if address not in graph.nodes]
    return Picture(plan.stack, (*shapes, *gone))


def actions_of(plan: Plan) -> dict[str, str]:
    """What happens to each address that changes."""
    return {change.address: change.action for change in plan.changes}
