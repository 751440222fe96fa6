"""Outside `resources/` no module knows a vendor's name, so that the engine treats every provider alike."""

from __future__ import annotations

import ast
import re

from tests.tidy import house

VENDORS = frozenset(
    {"ansible", "aws", "azure", "boto3", "botocore", "docker", "gcp", "haproxy", "k8s", "kubernetes", "lightkube"}
    | {"mariadb", "mongodb", "mysql", "nginx", "openbao", "postgres", "postgresql", "psycopg", "psycopg2", "redis"}
    | {"terraform", "vault"}
)

ALLOWED = {
    "src/purvey/resources/": VENDORS,
    "src/purvey/_secrets/": frozenset({"aws", "azure", "gcp", "openbao", "vault"}),
    "src/purvey/_inventory/": VENDORS,
    "src/purvey/_notify/": VENDORS,
    "src/purvey/_state/": frozenset({"postgres", "postgresql", "psycopg"}),
}
"""Who may know which: kinds; the clients of secret backends and sinks; the store that can be PostgreSQL."""

WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z0-9]+(?![a-z])")


def documentation(module: ast.Module) -> set[int]:
    """The ids of docstrings and attribute docstrings, where an example may name a vendor."""
    return {id(node.value) for node in ast.walk(module) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}


def spoken(node: ast.AST) -> list[str]:
    """The names and texts that a node of the tree says."""
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
            return [name]
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.alias(name=name):
            return [name]
        case ast.ImportFrom(module=str(name)):
            return [name]
        case ast.Constant(value=str(value)):
            return [value]
        case _:
            return []


def vendors_in(name: str) -> list[str]:
    """Where the code of a file names a vendor it should not know."""
    known = next((words for beginning, words in ALLOWED.items() if name.startswith(beginning)), frozenset())
    documents = documentation(house.tree(name))
    found: list[str] = []
    for node in ast.walk(house.tree(name)):
        words = {word.lower() for said in spoken(node) for word in WORD.findall(said)}
        if id(node) not in documents and (vendors := words & (VENDORS - known)):
            found.append(f"{name}:{getattr(node, 'lineno', 1)}: {', '.join(sorted(vendors))}")
    return found


def test_the_core_knows_no_vendor() -> None:
    """No name and no text in the code of the core names a product; its kind or client in resources/ does."""
    found = [line for name in house.python_files("src") for line in vendors_in(name)]

    assert not found, "move what is special about the vendor into its kind:\n" + "\n".join(found)
