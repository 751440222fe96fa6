"""What the documentation shows can be typed in: its Python parses, and the names it imports exist."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import re
import textwrap

from tests.tidy import house

BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
SNIPPET = re.compile(r"^ *--8<--(?: .*|\n(?:.*\n)*? *--8<--)$", re.MULTILINE)

PAGES = [name for name in house.files() if name.endswith(".md")]


def blocks(name: str) -> list[str]:
    """The Python of a page, block by block, without the parts that are taken in from files."""
    return [textwrap.dedent(SNIPPET.sub("", found)) for _, found in BLOCK.findall(house.text(name))]


def missing_imports(code: str) -> list[str]:
    """What the code imports from purvey and purvey does not have."""
    return [
        f"from {node.module} import {alias.name}"
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".", 1)[0] == "purvey"
        for alias in node.names
        if not _exists(node.module, alias.name)
    ]


def _exists(module: str, name: str) -> bool:
    if hasattr(importlib.import_module(module), name):
        return True
    return importlib.util.find_spec(f"{module}.{name}") is not None


def test_code_in_the_documentation_can_be_typed_in() -> None:
    """Each block of Python on a page parses and imports from purvey only what is there."""
    missing = [f"{name}: {line}" for name in PAGES for code in blocks(name) for line in missing_imports(code)]

    assert not missing, "\n".join(missing)
