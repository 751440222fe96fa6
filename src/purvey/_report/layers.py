"""Which column and which row: a graph as ordered layers, so that arrows point one way and cross seldom.

The method is Sugiyama's: layers by longest path, long edges cut into pieces with a waypoint in each layer that they pass (one
for all edges with the same start, so that they run together), and the order inside each layer by barycentres, swept to and fro.
See Healy and Nikolov, "Hierarchical Drawing Algorithms" (2013).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

Edge = tuple[str, str]

SWEEPS: Final = 24
"""Passes of the ordering; graphs of a few hundred nodes no longer improve after about ten."""

REDUCED_MAX: Final = 2_000
"""Nodes up to which arrows that follow from others are left out; the search grows with the square."""


class Layered(msgspec.Struct, frozen=True):
    """A graph in layers.

    Attributes:
        layers: The ids in each layer, in order; waypoints of long edges among them.
        routes: For each edge the ids that it passes, its own two ends included.
    """

    layers: tuple[tuple[str, ...], ...]
    routes: Mapping[Edge, tuple[str, ...]]


def layered(nodes: Sequence[str], edges: Iterable[Edge]) -> Layered:
    """The nodes in layers.

    Args:
        nodes: Ids in dependency order: the start of each edge stands before its end.
        edges: From what is needed to what needs it; an edge with an end that is no node is passed over.
    """
    known = set(nodes)
    clean = list(dict.fromkeys(edge for edge in edges if edge[0] in known and edge[1] in known))
    kept = reduced(nodes, clean) if len(nodes) <= REDUCED_MAX else clean
    rank = _ranks(nodes, kept)
    layers: list[list[str]] = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for node in nodes:
        layers[rank[node]].append(node)
    routes: dict[Edge, tuple[str, ...]] = {}
    waypoints: dict[str, int] = {}
    for start, end in kept:
        # A name has no line ends, so no waypoint is called like a node.
        passed = {f"{start}\n{layer}": layer for layer in range(rank[start] + 1, rank[end])}
        routes[start, end] = (start, *passed, end)
        waypoints |= passed
    for waypoint, layer in waypoints.items():
        layers[layer].append(waypoint)
    pieces = list(dict.fromkeys(piece for route in routes.values() for piece in pairwise(route)))
    return Layered(tuple(map(tuple, _ordered(layers, pieces))), routes)


def reduced(nodes: Sequence[str], edges: Sequence[Edge]) -> list[Edge]:
    """The edges that do not follow from others: the transitive reduction."""
    needs: dict[str, list[str]] = {node: [] for node in nodes}
    for start, end in edges:
        needs[end].append(start)
    above: dict[str, set[str]] = {}
    for node in nodes:
        above[node] = set(needs[node]).union(*(above[need] for need in needs[node]))
    return [(start, end) for start, end in edges if not any(start in above[need] for need in needs[end] if need != start)]


def _ranks(nodes: Sequence[str], edges: Sequence[Edge]) -> dict[str, int]:
    """The layer of each node: one after the last that it needs, then as near as possible to the first that needs it."""
    rank = dict.fromkeys(nodes, 0)
    needs: dict[str, list[str]] = {node: [] for node in nodes}
    users: dict[str, list[str]] = {node: [] for node in nodes}
    for start, end in edges:
        needs[end].append(start)
        users[start].append(end)
    for node in nodes:
        rank[node] = max((rank[need] + 1 for need in needs[node]), default=0)
    for node in reversed(nodes):
        if users[node] and len(needs[node]) <= len(users[node]):
            rank[node] = min(rank[user] for user in users[node]) - 1
    return rank


def _ordered(layers: list[list[str]], pieces: Sequence[Edge]) -> list[list[str]]:
    """The layers with the fewest crossings that were found."""
    before: dict[str, list[str]] = {node: [] for layer in layers for node in layer}
    after: dict[str, list[str]] = {node: [] for layer in layers for node in layer}
    for start, end in pieces:
        before[end].append(start)
        after[start].append(end)
    best, fewest = [list(layer) for layer in layers], _crossings(layers, after)
    for sweep in range(SWEEPS):
        if fewest == 0:
            break
        _sweep(layers, before if sweep % 2 == 0 else after, backwards=sweep % 2 == 1)
        count = _crossings(layers, after)
        if count < fewest:
            best, fewest = [list(layer) for layer in layers], count
    return best


def _sweep(layers: list[list[str]], neighbours: Mapping[str, Sequence[str]], *, backwards: bool) -> None:
    place = {node: index for layer in layers for index, node in enumerate(layer)}
    for layer in reversed(layers) if backwards else layers:
        centre = {
            node: sum(place[other] for other in neighbours[node]) / len(neighbours[node])
            if neighbours[node]
            else float(place[node])
            for node in layer
        }
        layer.sort(key=centre.__getitem__)
        place.update({node: index for index, node in enumerate(layer)})


def _crossings(layers: Sequence[Sequence[str]], after: Mapping[str, Sequence[str]]) -> int:
    """How often two pieces cross: inversions between the orders of their ends."""
    total = 0
    for layer, following in pairwise(layers):
        place = {node: index for index, node in enumerate(following)}
        seen: list[int] = []
        for node in layer:
            ends = sorted(place[end] for end in after[node])
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total
