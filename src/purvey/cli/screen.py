"""Where what is told goes: pages for people on one stream, documents for programs on standard output.

With ``--json`` standard output holds exactly one document, and everything for people goes to standard error.
"""

from __future__ import annotations

import os
import sys
from typing import TextIO

from purvey._report.document import to_json
from purvey._report.style import Page, coloured, plain


class Screen:
    """One command's output.

    Args:
        stream: Where pages go.
        as_json: Whether a program reads the result.
    """

    def __init__(self, stream: TextIO, *, as_json: bool = False) -> None:
        self.stream = stream
        self.as_json = as_json

    @classmethod
    def of(cls, *, as_json: bool) -> Screen:
        """Pages on standard output, or on standard error where a program reads the result."""
        return cls(sys.stderr if as_json else sys.stdout, as_json=as_json)

    @classmethod
    def errors(cls) -> Screen:
        """Pages on standard error."""
        return cls(sys.stderr)

    @property
    def is_terminal(self) -> bool:
        """Whether pages are read on a terminal that can move its cursor."""
        return self.stream.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def page(self, page: Page) -> None:
        """Show a page, with colours where they can be seen and are wanted (https://no-color.org)."""
        wanted = self.is_terminal and not os.environ.get("NO_COLOR")
        self.stream.write(coloured(page) if wanted else plain(page))
        self.stream.flush()

    def gap(self) -> None:
        """Leave a line free."""
        self.stream.write("\n")

    def document(self, document: object) -> None:
        """Give a program its document."""
        sys.stdout.write(to_json(document))
        sys.stdout.flush()
