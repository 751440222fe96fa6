"""The graph: edges, order, selection."""

from __future__ import annotations

import pytest

from purvey._base.value import Late, Link, NodeLink
from purvey._graph import DEFAULT_OPTIONS, Node, Selection, edges_of, ordered
from purvey.errors import ScriptError


def _nodes(**needs: str) -> dict[str, Node]:
    """Nodes by name, each with the letters that it needs."""
    return {
        name: Node(name, "k.K", {}, tuple(wanted), DEFAULT_OPTIONS, f"shop.py:{name}", "") for name, wanted in needs.items()
    }


def test_edges_come_from_everywhere_in_a_value() -> None:
    """Each once, in the order of the inputs, `after` last."""
    inputs = {"x": [Link("a", "o"), {"y": NodeLink("b")}], "z": Late("concat", ("-", Link("c", "o"), Link("a", "p")))}
    assert edges_of(inputs, ["d", "b"]) == ("a", "b", "c", "d")


def test_a_valid_order_is_kept() -> None:
    """The script's own order, where it is one."""
    assert list(ordered(_nodes(a="", b="a", c="", d="bc"))) == ["a", "b", "c", "d"]


def test_forward_needs_are_sorted() -> None:
    """Each node after everything that it needs."""
    nodes = _nodes(a="d", b="", c="a", d="b")
    order = list(ordered(nodes))
    assert sorted(order) == sorted(nodes)
    assert all(order.index(need) < order.index(name) for name, node in nodes.items() for need in node.needs)


def test_a_cycle_and_a_stranger_are_refused() -> None:
    """With the lines of each node in the cycle."""
    with pytest.raises(ScriptError) as caught:
        ordered(_nodes(a="c", b="a", c="b", d=""))
    assert caught.value.code == "script.cycle"
    assert all(f"shop.py:{name}" in caught.value.detail for name in "abc")
    assert "shop.py:d" not in caught.value.detail
    with pytest.raises(ScriptError) as caught:
        ordered(_nodes(a="z"))
    assert caught.value.code == "script.unknown_address"


def test_a_node_that_needs_itself_is_a_cycle() -> None:
    """The shortest one."""
    with pytest.raises(ScriptError) as caught:
        ordered(_nodes(a="a"))
    assert caught.value.code == "script.cycle"


@pytest.mark.parametrize(
    ("targets", "excludes", "covered"),
    [
        ((), (), "abc"),
        (("*::a",), (), "a"),
        (("files.File",), (), "ab"),
        (("b",), (), "b"),
        (("eu/*",), (), "b"),
        ((), ("files.File",), "c"),
        (("*files.*",), ("a",), "b"),
        (("nothing",), (), ""),
    ],
)
def test_selections(targets: tuple[str, ...], excludes: tuple[str, ...], covered: str) -> None:
    """Globs over addresses, kinds and names; excludes win; no targets mean all."""
    addresses = {"a": "files.File::a", "b": "eu/files.File::b", "c": "tls.Key::c"}
    selection = Selection(targets, excludes)
    assert "".join(name for name, address in addresses.items() if selection.covers(address)) == covered
