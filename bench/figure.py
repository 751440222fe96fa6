"""The rows as a picture: CPU seconds over the size of what is measured, one panel for each step, both axes logarithmic."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape
from typing import NamedTuple

import host_goals
from rows import STEPS, Row

PANEL = 240
HEIGHT = 260
LEFT, TOP = 46, 58
GAP = 22
LEGEND = 165

STYLE = """
  svg { font: 12px system-ui, sans-serif; --ink: #1b1f24; --faint: #d0d7de; --back: #ffffff; background: var(--back) }
  text { fill: var(--ink) } .faint { stroke: var(--faint); stroke-width: 1 } .small { font-size: 10px }
  .title { font-weight: 600 } .line { fill: none; stroke-width: 2 } .line.layered { stroke-dasharray: 5 4 }
  .dot { stroke-width: 1.5 } svg .dot.layered { fill: var(--back) }
  .purvey { stroke: #0a7d4f } .terraform, .pyinfra { stroke: #7b42bc } .alchemy, .ansible-mitogen { stroke: #d9730d }
  .dot.purvey { fill: #0a7d4f } .dot.terraform, .dot.pyinfra { fill: #7b42bc }
  .dot.alchemy, .dot.ansible-mitogen { fill: #d9730d }
  .floor { stroke: #6e7781 } .ansible-tuned { stroke: #cf222e } .ansible { stroke: #82071e }
  .line.floor { stroke-dasharray: 2 3 } .dot.floor { fill: #6e7781 }
  .dot.ansible-tuned { fill: #cf222e } .dot.ansible { fill: #82071e }
  @media (prefers-color-scheme: dark) {
    svg { --ink: #e6edf3; --faint: #30363d; --back: #0d1117 }
    .purvey { stroke: #3fb97f } .terraform, .pyinfra { stroke: #b083f0 } .alchemy, .ansible-mitogen { stroke: #f0a050 }
    .ansible-tuned { stroke: #ff7b72 } .ansible { stroke: #ffa198 }
    .dot.purvey { fill: #3fb97f } .dot.terraform { fill: #b083f0 } .dot.alchemy { fill: #f0a050 }
  }
"""


class Picture(NamedTuple):
    """What a picture shows.

    Attributes:
        what: What there is a number of, for the title.
        steps: A panel for each.
        series: A line for each tool and shape; the shape is named where a tool has several.
    """

    what: str
    steps: tuple[str, ...]
    series: tuple[tuple[str, str, str], ...]


ENGINE = Picture(
    "objects", STEPS,
    (
        ("purvey", "independent", ""), ("purvey", "layered", "layered"), ("terraform", "independent", ""),
        ("terraform", "layered", "layered"), ("alchemy", "independent", ""),
    ),
)  # fmt: skip

HOSTS = Picture(
    "hosts", host_goals.STEPS,
    tuple((tool, "near", "") for tool in ("floor", "purvey", "pyinfra", "ansible-mitogen", "ansible-tuned", "ansible")),
)  # fmt: skip


def draw(rows: Sequence[Row], picture: Picture = ENGINE) -> str:
    """An SVG of its own, for light and dark pages.

    Args:
        rows: Those of one run; what is in none of the picture's series is left out.
        picture: What it shows.
    """
    shapes = {shape for _, shape, _ in picture.series}
    shown = [row for row in rows if row.shape in shapes and row.cpu > 0]
    width = LEFT + len(picture.steps) * (PANEL + GAP) + LEGEND
    scale = _Scale(shown)
    parts = [part for index in range(len(picture.steps)) for part in _panel(scale, index, picture, shown)]
    title = f"CPU seconds (user and system) by number of {picture.what}"
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {TOP + HEIGHT + 44}" role="img">',
            f"<title>{title}</title><style>{STYLE}</style>",
            f'<text x="{LEFT}" y="18" class="title">{title}</text>',
            *_legend(width - LEGEND, picture),
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


def _panel(scale: _Scale, index: int, picture: Picture, rows: Sequence[Row]) -> Iterator[str]:
    step = picture.steps[index]
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
    for tool, shape, more in picture.series:
        found = [row for row in rows if (row.tool, row.shape, row.step) == (tool, shape, step)]
        yield from _series(scale, index, sorted(found, key=lambda row: row.n), f"{tool} {more}".strip())


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


def _legend(left: int, picture: Picture) -> Iterator[str]:
    for number, (tool, _, more) in enumerate(picture.series):
        y = TOP + 10 + 20 * number
        name = f"{tool} {more}".strip()
        yield f'<path class="line {name}" d="M{left} {y}h24"/>'
        yield f'<text x="{left + 30}" y="{y + 4}">{escape(name.replace(" ", ", "))}</text>'
