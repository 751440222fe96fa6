"""Where each box stands and how each arrow runs, in pixels: layers become columns, from left to right.

Boxes are pulled towards the middle of what they are joined to. Inside a column the order is kept, so the nearest allowed
positions are an isotonic regression, which pooling adjacent violators solves exactly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from purvey._report.layers import Edge, Layered, layered

HEIGHT: Final = 44.0
"""Of a box."""

GAP: Final = 16.0
"""Between two boxes of a column."""

LANE: Final = 10.0
"""Between a box and an arrow that passes it, and between two such arrows."""

COLUMN_GAP: Final = 64.0
"""Between two columns; arrows bend here."""

PULLS: Final = 12
"""Passes of the alignment, to and fro."""

Point = tuple[float, float]


class Box(msgspec.Struct, frozen=True):
    """Where a node stands: its upper left corner, and its width."""

    x: float
    y: float
    width: float


class Layout(msgspec.Struct, frozen=True):
    """Boxes by node, and for each edge its points: pairs of a straight piece's two ends, bends between them."""

    boxes: Mapping[str, Box]
    lines: Mapping[Edge, tuple[Point, ...]]
    width: float
    height: float


def layout(widths: Mapping[str, float], edges: Iterable[Edge]) -> Layout:
    """Lay a graph out.

    Args:
        widths: Each node's width in pixels, in dependency order.
        edges: From what is needed to what needs it.
    """
    graph = layered(list(widths), edges)
    middle = _aligned(graph, set(widths))
    columns = _columns(graph, widths)
    boxes = {
        node: Box(columns[index][0], middle[node] - HEIGHT / 2, widths[node])
        for index, layer in enumerate(graph.layers)
        for node in layer
        if node in widths
    }
    lines = {edge: _line(route, boxes, middle, columns) for edge, route in graph.routes.items()}
    right = max(map(sum, columns), default=0.0)
    bottom = max((value + HEIGHT / 2 for value in middle.values()), default=0.0)
    return Layout(boxes, lines, right, bottom)


def _columns(graph: Layered, widths: Mapping[str, float]) -> list[tuple[float, float]]:
    """The left edge and the width of each column."""
    found: list[tuple[float, float]] = []
    left = 0.0
    for layer in graph.layers:
        width = max((widths.get(node, 0.0) for node in layer), default=0.0)
        found.append((left, width))
        left += width + COLUMN_GAP
    return found


def _aligned(graph: Layered, boxes: set[str]) -> dict[str, float]:
    """The vertical middle of each node and waypoint."""
    middle: dict[str, float] = {}
    offsets = [_offsets(layer, boxes) for layer in graph.layers]
    for layer, offset in zip(graph.layers, offsets, strict=True):
        middle.update(zip(layer, offset, strict=True))
    joined: tuple[dict[str, list[str]], dict[str, list[str]]] = ({}, {})
    for route in graph.routes.values():
        for start, end in pairwise(route):
            joined[0].setdefault(end, []).append(start)
            joined[1].setdefault(start, []).append(end)
    for pull in range(PULLS):
        backwards = pull % 2 == 0
        order = reversed(range(len(graph.layers))) if backwards else range(len(graph.layers))
        for index in order:
            _pull(graph.layers[index], offsets[index], joined[1 if backwards else 0], middle)
    top = min(middle.values(), default=0.0) - HEIGHT / 2
    return {node: value - top for node, value in middle.items()}


def _offsets(layer: Sequence[str], boxes: set[str]) -> list[float]:
    """Positions that keep the least distances, from 0 on."""
    found = [0.0] if layer else []
    for one, other in pairwise(layer):
        both = one in boxes and other in boxes
        either = one in boxes or other in boxes
        found.append(found[-1] + (HEIGHT + GAP if both else HEIGHT / 2 + LANE if either else LANE))
    return found


def _pull(
    layer: Sequence[str], offsets: Sequence[float], joined: Mapping[str, Sequence[str]], middle: dict[str, float]
) -> None:
    """Move a column's nodes as near to the middle of their neighbours as order and distances allow."""
    wanted = [
        sum(middle[other] for other in joined[node]) / len(joined[node]) if node in joined else middle[node] for node in layer
    ]
    weights = [float(len(joined.get(node, ()))) or 0.2 for node in layer]
    shifted = _isotonic([want - offset for want, offset in zip(wanted, offsets, strict=True)], weights)
    middle.update({node: value + offset for node, value, offset in zip(layer, shifted, offsets, strict=True)})


def _isotonic(values: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing numbers nearest to `values` by weighted squares."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values, weights, strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            before = pools.pop()
            total = before[1] + pool[1]
            pool = ((before[0] * before[1] + pool[0] * pool[1]) / total, total, before[2] + pool[2])
        pools.append(pool)
    return [value for value, _, count in pools for _ in range(count)]


def _line(
    route: Sequence[str], boxes: Mapping[str, Box], middle: Mapping[str, float], columns: Sequence[tuple[float, float]]
) -> tuple[Point, ...]:
    """The straight pieces of an edge: out of its start, across each column that it passes, into its end."""
    start, end = boxes[route[0]], boxes[route[-1]]
    lefts = [left for left, _ in columns]
    first = bisect_right(lefts, start.x) - 1
    points: list[Point] = [(start.x + start.width, middle[route[0]]), (sum(columns[first]), middle[route[0]])]
    for step, waypoint in enumerate(route[1:-1], first + 1):
        points += [(columns[step][0], middle[waypoint]), (sum(columns[step]), middle[waypoint])]
    return (*points, (end.x, middle[route[-1]]))
