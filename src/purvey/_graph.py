"""What is wanted: nodes, and the edges that follow from their values. Pure data, frozen once the script has run.

Nodes stand in a valid order: each after everything it needs. Edges come from references in inputs, from nodes given as
inputs, and from `Options(after=...)`; from nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from typing import Literal

import msgspec

from purvey._base.address import split
from purvey._base.value import PLAIN, Link, NodeLink, Value, walk
from purvey.errors import ScriptError

OnFailure = Literal["undo", "keep", "continue"]
OnMachineFailure = Literal["undo", "keep", "undo_batch"]


class Turn(msgspec.Struct, frozen=True, omit_defaults=True):
    """When a node has its turn in a change that goes from machine to machine.

    Attributes:
        rollout: Identifies the change within the stack.
        machine: The machine whose turn it is, by its scope.
        batch: Which of the batches, from 1.
        behind: The nodes that the batch before ends with: they are waited for, however they end.
        failures_max: How many machines may fail before no other has its turn.
        on_failure: What the run does when more have failed; by default what it does with any failure.
    """

    rollout: str
    machine: str
    batch: int
    behind: tuple[str, ...] = ()
    failures_max: int = 0
    on_failure: OnMachineFailure | None = None


class NodeOptions(msgspec.Struct, frozen=True, omit_defaults=True):
    """What belongs to the engine and not to the resource; see `purvey.Options` for the meaning of each.

    Attributes:
        around: The nodes that it goes with: it is performed whenever one of these changes, and never by itself, unless it comes
            after them and an earlier run that changed one did not come to it.
        turn: Its turn in a rolling change.
    """

    after: tuple[str, ...] = ()
    protect: bool | None = None
    retain: bool | None = None
    adopt: bool = False
    ignore: tuple[str, ...] = ()
    timeout_s: float | None = None
    replace_when: Value = None
    moved_from: str = ""
    on_failure: OnFailure | None = None
    tags: dict[str, str] = {}
    preflight: bool = False
    around: tuple[str, ...] = ()
    turn: Turn | None = None


DEFAULT_OPTIONS = NodeOptions()


class Node(msgspec.Struct, frozen=True):
    """One declared resource, step or check.

    Attributes:
        address: Its address inside the stack.
        kind: The name of its kind.
        inputs: Its inputs, frozen; only those the script gave.
        needs: Addresses it depends on, without duplicates.
        container: The node it lives in (the one that makes its machine, or an input of a container kind); empty if none.
        options: What belongs to the engine.
        source: ``file:line`` of its declaration.
        where: The name of the machine it is on; empty for this one.
        how: How to get there, frozen; None for this machine.
        way: Identifies that; empty for this machine.
        digest: Identifies kind, inputs and options that matter to the object; equal digests mean an equal wish.
    """

    address: str
    kind: str
    inputs: dict[str, Value]
    needs: tuple[str, ...]
    options: NodeOptions
    source: str
    digest: str
    container: str = ""
    where: str = ""
    how: Value = None
    way: str = ""

    @property
    def behind(self) -> tuple[str, ...]:
        """Those of `needs` without which it can be: the machines before its own, unless it refers to what is on them."""
        turn = self.options.turn
        if turn is None or not turn.behind:
            return ()
        referred = edges_of({**self.inputs, "how": self.how}, ())
        return tuple(need for need in self.needs if need in turn.behind and need not in referred)


class Pause(msgspec.Struct, frozen=True):
    """Where the script stopped for a value that is not known yet."""

    source: str
    link: Link
    scope: str = ""


class Later(msgspec.Struct, frozen=True):
    """What the first approval may cover of the stages to come: at most so many creates, of these kinds (empty: any)."""

    at_most: int
    kinds: tuple[str, ...] = ()


class Graph(msgspec.Struct, frozen=True):
    """The nodes of one stage in dependency order, the script's outputs, and where it paused (empty when it is complete)."""

    nodes: dict[str, Node]
    outputs: dict[str, Value] = {}
    pauses: tuple[Pause, ...] = ()
    later: Later | None = None


EMPTY = Graph({})


class Selection(msgspec.Struct, frozen=True):
    """Which nodes a run is about: globs over addresses, or kinds; no targets mean all."""

    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def covers(self, address: str) -> bool:
        """Whether the run is about the node at `address`."""
        if self.targets and not any(_matches(address, pattern) for pattern in self.targets):
            return False
        return not any(_matches(address, pattern) for pattern in self.excludes)

    def unmatched(self, addresses: Iterable[str]) -> list[str]:
        """The patterns that mean none of these: most likely misspelt."""
        known = list(addresses)
        patterns = (*self.targets, *self.excludes)
        return [pattern for pattern in patterns if not any(_matches(address, pattern) for address in known)]


ALL = Selection()


def _matches(address: str, pattern: str) -> bool:
    """Whether `pattern` means the node: a glob over its address, with or without its scope, over its kind, or its name."""
    _, kind, name = split(address)
    return any(fnmatchcase(text, pattern) for text in (address, f"{kind}::{name}", kind)) or name == pattern


def edges_of(inputs: Mapping[str, Value], after: Iterable[str]) -> tuple[str, ...]:
    """The addresses that a node's values refer to, and those it was told to wait for; each once, in order."""
    found: dict[str, None] = {}
    for value in inputs.values():
        kind = type(value)
        if kind is Link or kind is NodeLink:
            found[value.address] = None
        elif kind not in PLAIN:
            found.update((item.address, None) for item in walk(value) if isinstance(item, Link | NodeLink))
    found.update(dict.fromkeys(after))
    return tuple(found)


def ordered(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """The nodes in dependency order; the declared order where it is valid already, which it is without forward `after`.

    Raises:
        ScriptError: ``script.cycle`` naming each line of a cycle; ``script.unknown_address`` for a need that is not declared.
    """
    seen: set[str] = set()
    in_order = True
    for address, node in nodes.items():
        for need in node.needs:
            if need not in seen:
                if need not in nodes:
                    raise _undeclared(node, need)
                in_order = False
        seen.add(address)
    if in_order:
        return dict(nodes)
    try:
        order = TopologicalSorter({address: node.needs for address, node in nodes.items()}).static_order()
        return {address: nodes[address] for address in order}
    except CycleError as error:
        raise _cycle(nodes, error.args[1]) from None


def _undeclared(node: Node, need: str) -> ScriptError:
    return ScriptError(
        "script.unknown_address",
        "A node waits for one that is not declared",
        detail=f"{node.address} says `after={need!r}`, but the script declares no such node.",
        hint="Check the spelling, or pass the node itself: `Options(after=[node])`.",
        address=node.address,
        source=node.source,
    )


def _cycle(nodes: Mapping[str, Node], cycle: list[str]) -> ScriptError:
    path = [nodes[address] for address in reversed(cycle)]
    lines = [f"  {node.source}  {node.address}" for node in path]
    return ScriptError(
        "script.cycle",
        "Nodes wait for each other in a circle",
        detail="None of these could ever start, for each needs the next:\n" + "\n".join(lines),
        hint="Remove one of the `after=` entries.",
        address=path[0].address,
        source=path[0].source,
    )
