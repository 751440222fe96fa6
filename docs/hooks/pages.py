"""Pages that follow from the tree: one for each public module of kinds, and the sections of the navigation.

MkDocs calls `on_config` before it looks for pages and `on_files` after. A folder in the navigation (``formats/``)
becomes the list of its pages, so that a new page needs no second entry; an empty folder leaves no trace.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import kinds
from mkdocs.structure.files import File

DOCS = Path(__file__).resolve().parents[1]
KINDS_FOLDER = "reference/resources/"


def pages(folder: str) -> list[str]:
    """The pages of a section, its `index.md` first."""
    if folder == KINDS_FOLDER:
        return [f"{folder}{module}.md" for module in kinds.modules()]
    found = sorted((DOCS / folder).glob("*.md"), key=lambda path: (path.name != "index.md", path.name))
    return [f"{folder}{path.name}" for path in found]


def expand(entry: Any) -> Any:
    """One entry of the navigation with its folders filled in; None for a folder without pages."""
    match entry:
        case str() if entry.endswith("/"):
            return pages(entry) or None
        case dict():
            filled = {title: expand(inner) for title, inner in entry.items()}
            return {title: inner for title, inner in filled.items() if inner} or None
        case list():
            return [filled for inner in entry if (filled := expand(inner))]
        case _:
            return entry


def on_config(config: Any) -> Any:
    """Fill the folders of the navigation in."""
    config.nav = expand(config.nav)
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add a reference page for each module of kinds, made from its docstrings."""
    for module in kinds.modules():
        files.append(File.generated(config, f"{KINDS_FOLDER}{module}.md", content=kinds.page(module)))
    return files
