"""Pictures of graphs: arrows point one way, boxes never overlap, and every path is drawn."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from purvey._report.layers import layered, reduced
from purvey._report.layout import GAP, HEIGHT, layout
from purvey._report.picture import Picture, Shape, picture
from purvey._report.svg import to_svg
from tests.unit.report import samples

Graph = tuple[list[str], list[tuple[str, str]]]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    """A graph without cycles, nodes in dependency order."""
    count = draw(st.integers(min_value=0, max_value=18))
    nodes = [f"n{number}" for number in range(count)]
    pairs = [(one, other) for place, other in enumerate(nodes) for one in nodes[:place]]
    return nodes, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=40)) if pairs else []


def reachable(nodes: list[str], edges: list[tuple[str, str]]) -> dict[str, set[str]]:
    """For each node everything that it needs, directly or not."""
    above: dict[str, set[str]] = {}
    for node in nodes:
        needs = [start for start, end in edges if end == node]
        above[node] = set(needs).union(*(above[need] for need in needs))
    return above


@given(graphs())
def test_leaving_arrows_out_loses_no_dependency(graph: Graph) -> None:
    """Arrows that follow from others are left out, and nothing that was connected becomes unconnected."""
    nodes, edges = graph
    kept = reduced(nodes, edges)

    assert reachable(nodes, kept) == reachable(nodes, edges)
    assert all(reachable(nodes, [edge for edge in kept if edge != one]) != reachable(nodes, edges) for one in kept)


@given(graphs())
def test_every_node_is_in_one_layer_and_arrows_go_forward(graph: Graph) -> None:
    """Each node stands in exactly one layer, and every arrow passes one layer after the other."""
    nodes, edges = graph
    found = layered(nodes, edges)
    layer_of = {node: index for index, layer in enumerate(found.layers) for node in layer}

    assert sorted(node for node in layer_of if "\n" not in node) == sorted(nodes)
    assert all(
        layer_of[later] == layer_of[earlier] + 1 for route in found.routes.values() for earlier, later in pairwise(route)
    )


@given(graphs())
def test_boxes_never_overlap(graph: Graph) -> None:
    """In a column two boxes keep their distance, and the picture is as large as what is in it."""
    nodes, edges = graph
    found = layout({node: 80.0 + 5 * place for place, node in enumerate(nodes)}, edges)
    columns: dict[float, list[float]] = {}
    for box in found.boxes.values():
        columns.setdefault(box.x, []).append(box.y)

    assert set(found.boxes) == set(nodes)
    for tops in columns.values():
        assert all(later - earlier >= HEIGHT + GAP - 0.001 for earlier, later in pairwise(sorted(tops)))
    assert all(-0.001 <= box.y <= found.height - HEIGHT + 0.001 for box in found.boxes.values())
    assert all(box.x + box.width <= found.width + 0.001 for box in found.boxes.values())


@given(graphs())
def test_an_arrow_begins_and_ends_at_its_boxes(graph: Graph) -> None:
    """Each arrow leaves the right side of what is needed and arrives at the left side of what needs it."""
    nodes, edges = graph
    found = layout(dict.fromkeys(nodes, 100.0), edges)

    for (start, end), points in found.lines.items():
        assert points[0] == (found.boxes[start].x + 100.0, found.boxes[start].y + HEIGHT / 2)
        assert points[-1] == (found.boxes[end].x, found.boxes[end].y + HEIGHT / 2)
        assert all(earlier[0] <= later[0] for earlier, later in pairwise(points))


def test_what_is_no_longer_declared_is_drawn_too() -> None:
    """An object that would be deleted is in the picture, although the script does not declare it."""
    drawn = picture(samples.GRAPH, samples.PLAN)

    assert Shape("files.File::old", "delete") in drawn.shapes


def test_the_picture_is_well_formed_whatever_names_say() -> None:
    """Names cannot break out of the picture's markup."""
    document = to_svg(Picture("<a>&b", (Shape("x/k.K::<script>&'\"", "create"),)))
    texts = [element.text for element in ET.fromstring(document).iter() if element.text]

    assert "<script>&'\"" in texts


def test_an_empty_graph_has_a_picture() -> None:
    """A script that declares nothing is drawn as nothing, without an error."""
    assert ET.fromstring(to_svg(Picture("a/dev", ()))) is not None
