"""Lines: one line of a text file that others write, too."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from purvey._base.value import Secret, Value, reveal
from purvey._script.fields import Input
from purvey._script.recorder import current
from purvey.errors import ProviderError
from purvey.resources.files._piece import Piece, PieceProvider, bad, require_expression
from purvey.resources.files._text import bare, place_in, spliced, without


class LineProvider(PieceProvider["Line"]):
    """Puts lines into files, and takes them out."""

    def edited(self, lines: list[str], want: Line, have: Line | None) -> list[str]:
        """See `PieceProvider.edited`: a line that is right stays where it is, one to be replaced keeps its place."""
        ours = _ours(lines, want, have)
        if not want.present:
            return without(lines, ours)
        line = _text(want)
        right = [number for number in ours if bare(lines[number]) == line]
        stays = right if want.match is None else right[:1]
        if stays:
            return without(lines, set(ours).difference(stays))
        if ours:
            return without(spliced(lines, ours[0], ours[0] + 1, [line]), ours[1:])
        at = place_in(want.path, lines, want.after, want.before)
        return spliced(lines, at, at, [line])

    def cleared(self, lines: list[str], have: Line) -> list[str]:
        """See `PieceProvider.cleared`."""
        line = _text(have)
        return [item for item in lines if bare(item) != line]

    def part(self, lines: list[str], have: Line) -> tuple[str, list[str]] | None:
        """See `PieceProvider.part`."""
        ours = [bare(lines[number]) for number in _ours(lines, have, None)]
        if not ours:
            return None
        right = have.present and all(text == _text(have) for text in ours) and (have.match is None or len(ours) == 1)
        return "line", [] if right else ours

    def texts(self, want: Line) -> Sequence[Value]:
        """See `PieceProvider.texts`."""
        return (want.line,)

    def claims(self, want: Line) -> Sequence[str]:
        """See `Provider.claims`: two that replace the same lines would do so for ever."""
        own = (f"line:{want.path}:{want.match}",) if want.match is not None else ()
        return (*super().claims(want), *own)


class Line(Piece, kind="files.Line", provider=LineProvider):
    """A line of a text file that is there, or is not; the rest of the file is left alone.

        files.Line("no-root-login", path="/etc/ssh/sshd_config", match="^#?PermitRootLogin ", line="PermitRootLogin no",
                   validate=["sshd", "-t", "-f", "{path}"])

    Without `match` the line is there if one is equal to it. With `match` it becomes the only one that matches: the first line
    that does is replaced, any others are removed. Where none is found it is put after or before another one, or at the end.

    With ``present=False`` every line goes that matches, or is equal to `line`. An undo brings them back.
    """

    line: str | Secret | None = Input(default=None, secret=True, doc="The whole line, without its end.")
    match: str | None = Input(default=None, doc="A regular expression; a line in which it is found is replaced or removed.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_text`` in addition to those of `Piece.prepare`.
        """
        known = {"line": None, **super().prepare(inputs, folder)}
        require_expression(known.get("match"), "match")
        line = known["line"]
        if line is None and known.get("present", True):
            raise bad("It has no `line`.", "Write the line that shall be there.")
        if line is None and known.get("match") is None:
            raise bad("It has neither `line` nor `match`.", "Write which lines shall not be there.")
        if isinstance(line, str) and current().nonce not in line and re.search(r"[\r\n]", line):
            raise bad(f"`line` is {line!r}, which is more than one line.", "Write a files.Block for several.")
        return known


def _ours(lines: list[str], want: Line, have: Line | None) -> list[int]:
    """The numbers of the lines that are meant: equal to the line, or to the recorded one, or matching."""
    equal = {_text(want)} if want.line is not None else set()
    if have is not None and have.present and have.line is not None:
        equal |= set(str(reveal(have.line)).split("\n"))  # What was adopted may have been several.
    texts = [bare(line) for line in lines]
    pattern = re.compile(want.match) if want.match is not None else None
    return [number for number, text in enumerate(texts) if text in equal or (pattern is not None and pattern.search(text))]


def _text(want: Line) -> str:
    """The line, its secret opened.

    Raises:
        ProviderError: ``invalid`` if it came out as more than one.
    """
    line = str(reveal(want.line))
    if "\n" in line or "\r" in line:
        raise ProviderError(
            "invalid", "A line is more than one", detail=f"The line for {want.path} came out with a line end in it.",
            hint="Write a files.Block for several.",
        )  # fmt: skip
    return line
