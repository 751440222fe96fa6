"""The rows as a picture: CPU seconds over the size of the estate, one panel for each step, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from rows import STEPS, Row

PANEL = 240
HEIGHT = 260
LEFT, TOP = 46, 58
GAP = 22

STYLE = """
  svg { font: 12px system-ui, sans-serif; --ink: #1b1f24; --faint: #d0d7de; --back: #ffffff; background: var(--back) }
  text { fill: var(--ink) } .faint { stroke: var(--faint); stroke-width: 1 } .small { font-size: 10px }
  .title { font-weight: 600 } .line { fill: none; stroke-width: 2 } .line.layered { stroke-dasharray: 5 4 }
  .dot { stroke-width: 1.5 } svg .dot.layered { fill: var(--back) }
  .purvey { stroke: #0a7d4f } .terraform { stroke: #7b42bc } .alchemy { stroke: #d9730d }
  .dot.purvey { fill: #0a7d4f } .dot.terraform { fill: #7b42bc } .dot.alchemy { fill: #d9730d }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6edf3; --faint: #30363d; --back: #0d1117 }
    .purvey { stroke: #3fb97f } .terraform { stroke: #b083f0 } .alchemy { stroke: #f0a050 }
    .dot.purvey { fill: #3fb97f } .dot.terraform { fill: #b083f0 } .dot.alchemy { fill: #f0a050 }
  }
"""

SERIES = (("purvey", ""), ("purvey", "layered"), ("terraform", ""), ("terraform", "layered"), ("alchemy", ""))


def draw(rows: Sequence[Row]) -> str:
    """An SVG of its own, for light and dark pages.

    Args:
        rows: Those of one run; start-up and the empty stack are left out.
    """
    shown = [row for row in rows if row.shape in ("independent", "layered") and row.cpu > 0]
    width = LEFT + len(STEPS) * (PANEL + GAP)
    scale = _Scale(shown)
    parts = [part for index, step in enumerate(STEPS) for part in _panel(scale, index, step, shown)]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 44}" role="img">',
            f"<title>CPU seconds by number of objects</title><style>{STYLE}</style>",
            f'<text x="{LEFT}" y="18" class="title">CPU seconds (user and system) by number of objects</text>',
            *_legend(width),
            *parts,
            "</svg>\n",
        )
    )


class _Scale:
    """Where a size and a cost lie: whole powers of ten that hold all rows."""

    def __init__(self, rows: Sequence[Row]) -> None:
        sizes = [math.log10(row.n) for row in rows] or [3.0]
        costs = [math.log10(row.cpu) for row in rows] or [0.0]
        self.sizes = range(math.floor(min(sizes)), max(math.ceil(max(sizes)), math.floor(min(sizes)) + 1) + 1)
        self.costs = range(math.floor(min(costs)), max(math.ceil(max(costs)), math.floor(min(costs)) + 1) + 1)

    def x(self, panel: int, size: float) -> float:
        """For the logarithm of a size."""
        share = (size - self.sizes[0]) / (self.sizes[-1] - self.sizes[0])
        return LEFT + panel * (PANEL + GAP) + share * PANEL

    def y(self, cost: float) -> float:
        """For the logarithm of a cost."""
        return TOP + HEIGHT * (1 - (cost - self.costs[0]) / (self.costs[-1] - self.costs[0]))


def _panel(scale: _Scale, index: int, step: str, rows: Sequence[Row]) -> Iterator[str]:
    left, right = scale.x(index, scale.sizes[0]), scale.x(index, scale.sizes[-1])
    yield f'<text x="{left:.1f}" y="{TOP - 8}" class="title">{escape(step)}</text>'
    for cost in scale.costs:
        y = scale.y(cost)
        yield f'<path class="faint" d="M{left:.1f} {y:.1f}H{right:.1f}"/>'
        if index == 0:
            yield f'<text x="{left - 6:.1f}" y="{y + 4:.1f}" text-anchor="end" class="small">{10.0**cost:g}</text>'
    for size in scale.sizes:
        x = scale.x(index, size)
        yield f'<path class="faint" d="M{x:.1f} {TOP}V{TOP + HEIGHT}"/>'
        yield f'<text x="{x:.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle" class="small">{_short(10**size)}</text>'
    for tool, shape in SERIES:
        found = [row for row in rows if (row.tool, row.shape, row.step) == (tool, shape or "independent", step)]
        yield from _series(scale, index, sorted(found, key=lambda row: row.n), f"{tool} {shape}".strip())


def _series(scale: _Scale, index: int, rows: Sequence[Row], name: str) -> Iterator[str]:
    points = [(scale.x(index, math.log10(row.n)), scale.y(math.log10(row.cpu)), row) for row in rows]
    if len(points) > 1:
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y, _ in points)
        yield f'<path class="line {name}" d="M{path}"/>'
    for x, y, row in points:
        told = f"{name}, {row.n:,}: {row.cpu:.2f} CPU s, {row.rss_mb:,.0f} MiB"
        yield f'<circle class="dot {name}" cx="{x:.1f}" cy="{y:.1f}" r="3"><title>{told}</title></circle>'


def _short(size: int) -> str:
    return f"{size // 1000}k" if size >= 1000 else str(size)


def _legend(width: int) -> Iterator[str]:
    for number, (tool, shape) in enumerate(SERIES):
        x = width - 165 * (len(SERIES) - number)
        name = f"{tool} {shape}".strip()
        yield f'<path class="line {name}" d="M{x} 14h24"/><text x="{x + 30}" y="18">{escape(name.replace(" ", ", "))}</text>'
