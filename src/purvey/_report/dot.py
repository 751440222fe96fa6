"""A graph in Graphviz's language, for those who have it; see https://graphviz.org/doc/info/lang.html."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from purvey._report.picture import Picture, Shape

_COLOURS: Final[Mapping[str, str]] = {
    "create": "#1a7f37", "adopt": "#1a7f37", "update": "#9a6700", "replace": "#8250df", "delete": "#cf222e",
    "forget": "#cf222e", "check": "#0969da", "unreadable": "#cf222e",
}  # fmt: skip


def to_dot(picture: Picture) -> str:
    """The picture as a `digraph`; arrows run from what is needed to what needs it."""
    lines = [
        f"digraph {_quoted(picture.title)} {{",
        "  rankdir=LR;",
        '  node [shape=box, style=rounded, fontname="sans-serif", color="#57606a"];',
        '  edge [color="#8c959f"];',
        *(f"  {_node(shape)};" for shape in picture.shapes),
        *(f"  {_quoted(need)} -> {_quoted(shape.address)};" for shape in picture.shapes for need in shape.needs),
        "}",
    ]
    return "\n".join(lines) + "\n"


def _node(shape: Shape) -> str:
    label = _quoted(f"{shape.subtitle}\n{shape.title}")
    colour = f', color="{_COLOURS[shape.action]}", penwidth=2' if shape.action in _COLOURS else ""
    return f"{_quoted(shape.address)} [label={label}, tooltip={_quoted(shape.action)}{colour}]"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
