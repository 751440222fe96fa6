"""What the house rules look at: the project's files, their syntax trees, and the names that a call really means."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "purvey"

_BUILT = {"__pycache__", "mutants", "site", "dist", "peers"}
"""Folders of results, and the peers' own measurements in bench/, which are kept as they ran."""

_TEXT = {"", ".cfg", ".conf", ".html", ".j2", ".json", ".md", ".py", ".sh", ".sql", ".svg", ".toml", ".txt", ".yml"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Call(NamedTuple):
    """One call in a file: where, what it means after its imports are followed, and the call itself."""

    line: int
    name: str
    node: ast.Call


def _walk(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in _BUILT or (path.name.startswith(".") and path.name not in {".ci", ".gitignore"}):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)
        elif path.is_file():
            yield path


@cache
def files() -> tuple[str, ...]:
    """Every text file that people keep, as paths from the root; what tools and runs leave behind is not there."""
    return tuple(str(path.relative_to(ROOT)) for path in _walk(ROOT) if path.suffix in _TEXT and path.name != "uv.lock")


def python_files(*folders: str) -> list[str]:
    """The Python files below `folders` (``src``, ``tests``)."""
    return [name for name in files() if name.endswith(".py") and name.split("/", 1)[0] in folders]


@cache
def text(name: str) -> str:
    """The text of a file."""
    return (ROOT / name).read_text(encoding="utf-8")


@cache
def tree(name: str) -> ast.Module:
    """The syntax tree of a Python file."""
    return ast.parse(text(name), filename=name)


def functions(name: str) -> Iterator[Function]:
    """Every function and method of a file, nested ones included."""
    return (node for node in ast.walk(tree(name)) if isinstance(node, Function))


def lines_of(function: Function) -> int:
    """How many lines a function takes from `def` to its end."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def lines_without_docstring(function: Function) -> int:
    """How many lines a function takes, what it tells about itself not counted."""
    first = function.body[0]
    told = ast.get_docstring(function, clean=False) is not None
    return lines_of(function) - ((first.end_lineno or first.lineno) - first.lineno + 1 if told else 0)


def _imported(module: ast.Module) -> dict[str, str]:
    """What each imported name of a module stands for."""
    meaning: dict[str, str] = {}
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.split(".", 1)[0]
                meaning[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                meaning[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return meaning


def _dotted(node: ast.expr) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        left = _dotted(node.value)
        return f"{left}.{node.attr}" if left else None
    return None


def calls(name: str) -> Iterator[Call]:
    """Every call of a file whose target is a plain dotted name, aliases resolved: ``t.sleep`` is ``time.sleep``."""
    meaning = _imported(tree(name))
    for node in ast.walk(tree(name)):
        if isinstance(node, ast.Call) and (dotted := _dotted(node.func)):
            head, _, rest = dotted.partition(".")
            yield Call(node.lineno, ".".join(filter(None, (meaning.get(head, head), rest))), node)


def run_python(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run this interpreter with nothing of the test's own environment, and return what it said."""
    return subprocess.run(
        [sys.executable, *arguments],
        env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"} | (environment or {}),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
