"""The list of errors, read from the source: each place that raises an error with a fixed code and a fixed summary.

The list is made where ``<!-- error list -->`` stands on a page, from the syntax trees alone, so that building the
documentation imports nothing of the package.
"""

from __future__ import annotations

import ast
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = Path(__file__).resolve().parents[2] / "src" / "purvey"
MARKER = "<!-- error list -->"


class Entry(NamedTuple):
    """One error: its code, its summary, and the family that says who must act."""

    code: str
    summary: str
    family: str


def families() -> set[str]:
    """The classes of the error tree."""
    module = ast.parse((SOURCE / "errors.py").read_text(encoding="utf-8"))
    return {node.name for node in module.body if isinstance(node, ast.ClassDef)}


def entries() -> list[Entry]:
    """Every error with a fixed code and summary, once, in order of the codes."""
    names = families()
    found = {entry for path in SOURCE.rglob("*.py") for entry in _raised(path, names)}
    return sorted(found)


def _raised(path: Path, names: set[str]) -> Iterator[Entry]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(
                func=ast.Name(id=family) | ast.Attribute(attr=family),
                args=[ast.Constant(value=str(code)), ast.Constant(value=str(summary)), *_],
            ) if family in names:
                yield Entry(code, summary, family)
            case _:
                pass


def table() -> str:
    """The list as a table with an anchor for each code; a code with several summaries names itself once."""
    rows = []
    for code, group in groupby(entries(), key=lambda one: one.code):
        head = f'<span id="{code}"></span>`{code}`'
        for one in group:
            rows.append(f"| {head} | {one.summary}. | `{one.family}` |")
            head = ""
    return "\n".join(["| code | what it says | family |", "|---|---|---|", *rows])


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put the list where a page asks for it."""
    return markdown.replace(MARKER, table()) if MARKER in markdown else markdown
