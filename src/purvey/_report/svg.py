"""A graph as an SVG that stands alone: light or dark as its reader's system is, without scripts or fonts from elsewhere.

Arrows run from left to right, from what is needed to what needs it; an arrow that follows from others is left out. The full
address and the action of a box are its tooltip.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from purvey._report.layout import HEIGHT, Box, Layout, Point, layout
from purvey._report.picture import WORDS, Picture, Shape

MARGIN: Final = 28.0
HEADER: Final = 52.0
"""Pixels above the boxes, for the title and the legend."""

TITLE_MAX: Final = 30
"""Characters of a name or kind in a box; the tooltip has all of them."""

_PAD: Final = 16.0
_NAME_PX: Final = 7.9
"""Width of a character of 13 px in the usual monospaced fonts."""

_KIND_PX: Final = 6.3
"""Width of a character of 10.5 px in these."""

_PALETTE: Final[Mapping[str, tuple[str, str, str, str]]] = {
    "none": ("#f6f8fa", "#afb8c1", "#161b22", "#3d444d"),
    "create": ("#dafbe1", "#1a7f37", "#10261a", "#3fb950"),
    "adopt": ("#dafbe1", "#4ac26b", "#10261a", "#2ea043"),
    "update": ("#fff8c5", "#bf8700", "#2a210b", "#d29922"),
    "replace": ("#fbefff", "#8250df", "#231a38", "#a371f7"),
    "delete": ("#ffebe9", "#cf222e", "#2d1214", "#f85149"),
    "forget": ("#ffebe9", "#ff8182", "#2d1214", "#b62324"),
    "check": ("#ddf4ff", "#0969da", "#0f2338", "#4493f8"),
    "unreadable": ("#fff1e5", "#bc4c00", "#2d1a0c", "#db6d28"),
}
"""For each action: fill and border in light, fill and border in dark."""


def to_svg(picture: Picture) -> str:
    """The picture as an SVG document."""
    widths = {shape.address: _width(shape) for shape in picture.shapes}
    edges = [(need, shape.address) for shape in picture.shapes for need in shape.needs]
    plan = layout(widths, edges)
    legend, legend_width = _legend(picture)
    width = max(plan.width, legend_width) + 2 * MARGIN
    height = plan.height + HEADER + 2 * MARGIN
    title = escape(f"{picture.title}: {len(picture.shapes)} nodes")
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="{title}">'
    )
    parts = [
        opening,
        f"<style>{_style(picture)}</style>",
        _MARKER,
        '<rect class="page" width="100%" height="100%"/>',
        f'<text class="title" x="{MARGIN:.0f}" y="{MARGIN + 6:.0f}">{escape(picture.title)}</text>',
        legend,
        f'<g transform="translate({MARGIN:.0f} {MARGIN + HEADER:.0f})">',
        *_arrows(plan),
        *(_box(shape, plan.boxes[shape.address]) for shape in picture.shapes),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


_MARKER: Final = (
    '<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path class="head" d="M0.5 0.8 L7.5 4 L0.5 7.2 Z"/></marker></defs>'
)

_FONT: Final = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"


def _style(picture: Picture) -> str:
    light, dark = [], []
    for action in picture.counts():
        fill, line, dark_fill, dark_line = _PALETTE[action]
        light.append(f".{action} rect{{fill:{fill};stroke:{line}}}")
        dark.append(f".{action} rect{{fill:{dark_fill};stroke:{dark_line}}}")
    return (
        f"text{{font-family:{_FONT};fill:#1f2328}}"
        ".title{font-size:16px;font-weight:600}.name{font-size:13px;font-weight:600}"
        ".kind,.legend{font-size:10.5px;fill:#59636e}.page{fill:#fff}"
        ".node rect{stroke-width:1.4}.forget rect,.delete rect{stroke-dasharray:5 3}"
        ".edge{fill:none;stroke:#8c959f;stroke-width:1.2}.head{fill:#8c959f}" + "".join(light) + "@media"
        "(prefers-color-scheme:dark){text{fill:#f0f6fc}.kind,.legend{fill:#9198a1}.page{fill:#0d1117}"
        ".edge{stroke:#656c76}.head{fill:#656c76}" + "".join(dark) + "}"
    )


def _width(shape: Shape) -> float:
    name, kind = len(_cut(shape.title)) * _NAME_PX, len(_cut(shape.subtitle)) * _KIND_PX
    return round(max(name, kind, 60.0) + 2 * _PAD)


def _cut(text: str) -> str:
    if len(text) <= TITLE_MAX:
        return text
    half = TITLE_MAX // 2
    return f"{text[: half - 1]}…{text[-half:]}"


def _box(shape: Shape, box: Box) -> str:
    tooltip = escape(f"{shape.address}\n{WORDS.get(shape.action, shape.action)}")
    x, y = box.x + _PAD, box.y
    return (
        f'<g class="node {shape.action}"><title>{tooltip}</title>'
        f'<rect x="{box.x:.1f}" y="{y:.1f}" width="{box.width:.1f}" height="{HEIGHT:.0f}" rx="8"/>'
        f'<text class="kind" x="{x:.1f}" y="{y + 16:.1f}">{escape(_cut(shape.subtitle))}</text>'
        f'<text class="name" x="{x:.1f}" y="{y + 33:.1f}">{escape(_cut(shape.title))}</text></g>'
    )


def _arrows(plan: Layout) -> list[str]:
    return [f'<path class="edge" marker-end="url(#head)" d="{_path(points)}"/>' for points in plan.lines.values()]


def _path(points: tuple[Point, ...]) -> str:
    """Straight across columns, and an S between them."""
    text = f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for index, (x, y) in enumerate(points[1:], 1):
        if index % 2:
            text += f" H{x:.1f}"
        else:
            before_x, before_y = points[index - 1]
            bend = (x - before_x) / 2
            text += f" C{before_x + bend:.1f} {before_y:.1f} {x - bend:.1f} {y:.1f} {x:.1f} {y:.1f}"
    return text


def _legend(picture: Picture) -> tuple[str, float]:
    """What the colours mean, and how wide that is."""
    x, y = MARGIN, MARGIN + 24
    parts: list[str] = []
    for action, count in picture.counts().items():
        text = f"{count} {WORDS.get(action, action)}"
        parts.append(
            f'<g class="node {action}"><rect x="{x:.1f}" y="{y - 9:.1f}" width="12" height="12" rx="3"/>'
            f'<text class="legend" x="{x + 18:.1f}" y="{y + 1:.1f}">{escape(text)}</text></g>'
        )
        x += 18 + len(text) * _KIND_PX + 20
    return "".join(parts), x - MARGIN
