"""The reference of the kinds: one page for each module below `purvey.resources`, made from its declarations.

A kind is a class with ``kind="files.File"``; what stands in its ``Input(...)`` and ``Output(...)`` becomes two tables.
Only the syntax trees are read, so that building the documentation imports nothing of the package.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = Path(__file__).resolve().parents[2] / "src" / "purvey" / "resources"

MARKS = {
    "immutable": "a change replaces the object",
    "secret": "takes secrets",
    "container": "lives in it",
    "stable": "never changes",
}


class FieldRow(NamedTuple):
    """One input or output as its table shows it."""

    name: str
    type: str
    told: str


class KindEntry(NamedTuple):
    """One kind: its name for people, where its class is, and its fields."""

    kind: str
    path: str
    inputs: list[FieldRow]
    outputs: list[FieldRow]


def modules() -> list[str]:
    """The public modules below `purvey.resources`, in alphabetical order."""
    return sorted(path.stem for path in KINDS.iterdir() if path.stem[0] not in "_." and _sources(path.stem))


def page(module: str) -> str:
    """The page of one module of kinds."""
    blocks = [f"# {module}", _docstring(f"purvey.resources.{module}")]
    for entry in sorted(entries(module)):
        blocks += [f"## {entry.kind}", _docstring(entry.path)]
        blocks += _table("Input", entry.inputs) + _table("Output", entry.outputs)
    return "\n\n".join(blocks) + "\n"


def entries(module: str) -> Iterator[KindEntry]:
    """The kinds that a module declares, its private files included."""
    for source in _sources(module):
        dotted = ".".join(source.relative_to(KINDS.parents[1]).with_suffix("").parts).removesuffix(".__init__")
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and (kind := _text(node.keywords, "kind")):
                line = _line(node, _classes(module))
                yield KindEntry(kind, f"{dotted}.{node.name}", _rows(line, "Input"), _rows(line, "Output"))


def _classes(module: str) -> dict[str, ast.ClassDef]:
    """The classes from which a module's kinds may inherit, by name: its own, and those that all modules share."""
    trees = [ast.parse(source.read_text(encoding="utf-8")) for source in (*sorted(KINDS.glob("_*.py")), *_sources(module))]
    return {node.name: node for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)}


def _line(node: ast.ClassDef, classes: dict[str, ast.ClassDef]) -> list[ast.ClassDef]:
    """A class and those from which it inherits fields, the farthest base first."""
    bases = [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
    return [*(above for base in bases for above in _line(base, classes)), node]


def _rows(line: list[ast.ClassDef], which: str) -> list[FieldRow]:
    """The fields of a kind, its own first; those of a class win over its bases'."""
    own = {row.name: row for node in line for row in _fields(node, which)}
    order = dict.fromkeys(row.name for node in reversed(line) for row in _fields(node, which))
    return [own[name] for name in order]


def _sources(module: str) -> list[Path]:
    single = KINDS / f"{module}.py"
    return [single] if single.exists() else sorted((KINDS / module).glob("*.py"))


def _docstring(path: str) -> str:
    options = ("members: []", "show_root_heading: false", "show_bases: false", "show_root_toc_entry: false")
    return "\n".join([f"::: {path}", "    options:", *(f"      {option}" for option in options)])


def _fields(node: ast.ClassDef, which: str) -> Iterator[FieldRow]:
    for line in node.body:
        match line:
            case ast.AnnAssign(
                target=ast.Name(id=name), annotation=kind, value=ast.Call(func=ast.Name(id=made), keywords=keywords)
            ) if made == which:
                yield FieldRow(name, ast.unparse(kind), _told(keywords))
            case _:
                pass


def _told(keywords: list[ast.keyword]) -> str:
    marks = [told for mark, told in MARKS.items() if _is_true(keywords, mark)]
    default = [f"default `{ast.unparse(one.value)}`" for one in keywords if one.arg == "default"]
    notes = "; ".join(default + marks)
    return " ".join(filter(None, (_text(keywords, "doc"), f"*({notes})*" if notes else "")))


def _is_true(keywords: list[ast.keyword], name: str) -> bool:
    return any(one.arg == name and isinstance(one.value, ast.Constant) and one.value.value is True for one in keywords)


def _text(keywords: list[ast.keyword], name: str) -> str:
    for one in keywords:
        if one.arg == name and isinstance(one.value, ast.Constant):
            return str(one.value.value)
    return ""


def _table(title: str, rows: list[FieldRow]) -> list[str]:
    if not rows:
        return []
    lines = [f"| `{row.name}` | `{row.type}` | {row.told} |" for row in rows]
    return ["\n".join([f"| {title} | type | |", "|---|---|---|", *lines])]
