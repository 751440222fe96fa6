"""Text with styles: what every view of the command line is made of, printed plain or with colours.

A page is lines of spans. Whether it ends as plain text or with colours is decided once, where it is printed, so that the words
are the same in a terminal, in a pipe and in a golden file.

Invariant: nothing that comes from the world (a server's message, a file's content) can steer the terminal: control characters
are shown as ``?``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

Style = Literal["", "bold", "dim", "good", "change", "old", "bad"]

_SGR: Final[dict[Style, str]] = {
    "bold": "1", "dim": "2", "good": "32", "change": "33", "old": "31", "bad": "1;31"
}  # fmt: skip
"""Select Graphic Rendition parameters (ECMA-48, 8.3.117): the sixteen colours that every theme defines readably."""

_CONTROLS: Final = dict.fromkeys((*range(32), 127, *range(128, 160)), "?") | {ord("\t"): "    ", ord("\n"): " "}


class Span(NamedTuple):
    """Some text and how it looks."""

    text: str
    style: Style = ""


def good(text: str) -> Span:
    """Text about something made or passed."""
    return Span(text, "good")


def change(text: str) -> Span:
    """Text about something changed."""
    return Span(text, "change")


def old(text: str) -> Span:
    """Text that was and will not be."""
    return Span(text, "old")


def bad(text: str) -> Span:
    """Text about something lost or failed."""
    return Span(text, "bad")


def bold(text: str) -> Span:
    """A title."""
    return Span(text, "bold")


def dim(text: str) -> Span:
    """Text that the eye may pass over."""
    return Span(text, "dim")


def clean(text: str) -> str:
    """`text` on one line without control characters; a tab becomes four blanks, the end of a line one."""
    return text.translate(_CONTROLS)


class Page:
    """Lines of styled text, in the making."""

    def __init__(self) -> None:
        self.lines: list[tuple[Span, ...]] = []

    def add(self, *parts: Span | str) -> None:
        """Add a line; a bare string has no style, and trailing blanks are not kept."""
        spans = [part if isinstance(part, Span) else Span(part) for part in parts]
        self.lines.append(tuple(Span(clean(span.text), span.style) for span in spans if span.text))

    def blank(self) -> None:
        """Add an empty line, unless the page is empty or ends with one."""
        if self.lines and self.lines[-1]:
            self.lines.append(())

    def block(self, text: str, indent: str, style: Style = "") -> None:
        """Add text of several lines, each indented."""
        for line in text.splitlines():
            self.add(Span(f"{indent}{line}".rstrip(), style))

    def extend(self, lines: Iterable[tuple[Span, ...]]) -> None:
        """Add the lines of another page."""
        self.lines.extend(lines)


def plain(page: Page) -> str:
    """The page as text, each line ended."""
    return "".join("".join(span.text for span in line).rstrip() + "\n" for line in page.lines)


def coloured(page: Page) -> str:
    """The page as text with colours, each line ended."""
    return "".join("".join(map(_escaped, line)) + "\n" for line in page.lines)


def _escaped(span: Span) -> str:
    return f"\x1b[{_SGR[span.style]}m{span.text}\x1b[0m" if span.style else span.text
