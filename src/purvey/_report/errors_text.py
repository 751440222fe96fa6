"""An error on one screen: what was wrong, the line in the script, why it matters, what to do next."""

from __future__ import annotations

import linecache
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Final

from purvey._report.style import Page, bad, bold, dim
from purvey.errors import Problems, PurveyError, Refusals

PROBLEMS_MAX: Final = 8
"""Problems told in full; a screen holds no more, and mending the first ones often mends the others."""

WIDTH: Final = 100
"""Characters of a line of prose."""

Excerpt = Callable[[str], str]
"""The text of the line at ``file:line``; empty where it cannot be read."""


def error_page(error: PurveyError, excerpt: Excerpt) -> Page:
    """The error, or each of several problems.

    Args:
        error: The error.
        excerpt: Reads a line of the script.
    """
    page = Page()
    problems: list[PurveyError] = list(error.problems) if isinstance(error, Problems | Refusals) else [error]
    for problem in problems[:PROBLEMS_MAX]:
        page.blank()
        _problem(page, problem, excerpt)
    if len(problems) > PROBLEMS_MAX:
        page.blank()
        page.add(f"… and {len(problems) - PROBLEMS_MAX} more problems.")
    return page


def _problem(page: Page, error: PurveyError, excerpt: Excerpt) -> None:
    page.add(bad("Error: "), bold(error.summary), dim(f"  [{error.code}]"))
    if error.source or error.address:
        page.add("  ", "  ".join(part for part in (error.source, error.address) if part))
    code = excerpt(error.source) if error.source else ""
    if code.strip():
        number = error.source.rpartition(":")[2]
        margin = " " * len(number)
        page.add()
        page.add(dim(f"  {number} | "), code)
        page.add(dim(f"  {margin} | "), " " * (len(code) - len(code.lstrip())), bad("^" * len(code.strip())))
    for part in (error.detail, error.hint):
        if part:
            page.add()
            page.block(_wrapped(part), "  ")


def _wrapped(text: str) -> str:
    """Long sentences on several lines; what is indented, such as a command, stays as it is."""
    lines = (line if line.startswith(" ") else textwrap.fill(line, WIDTH, break_on_hyphens=False) for line in text.splitlines())
    return "\n".join(lines)


def excerpt_from(folder: Path | None) -> Excerpt:
    """Reads lines of scripts.

    Args:
        folder: Where relative names begin: the script's folder; None where no script is known.
    """

    def read(source: str) -> str:
        name, _, number = source.rpartition(":")
        if not number.isdigit():
            return ""
        path = folder / name if folder is not None else Path(name)
        return linecache.getline(str(path), int(number)).rstrip()

    return read
