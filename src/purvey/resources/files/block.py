"""Blocks: several lines of a text file that others write, too, between two lines that mark them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Secret, Value, reveal
from purvey._script.fields import Input
from purvey._script.recorder import current
from purvey.errors import ProviderError
from purvey.resources.files._piece import Piece, PieceProvider, bad
from purvey.resources.files._text import bare, place_in, spliced

_MARK: Final = "{mark}"
_NAME: Final = "{name}"
_BEGIN: Final = "BEGIN"
_END: Final = "END"


class BlockProvider(PieceProvider["Block"]):
    """Puts marked blocks into files, and takes them out."""

    def edited(self, lines: list[str], want: Block, have: Block | None) -> list[str]:
        """See `PieceProvider.edited`: a block keeps its place."""
        region = _region(lines, want) or (_region(lines, have) if have is not None else None)
        texts = [_marker(want, _BEGIN), *_content(want), _marker(want, _END)] if want.present else []
        if region is not None:
            return spliced(lines, region[0], region[1] + 1, texts)
        at = place_in(want.path, lines, want.after, want.before) if want.present else 0
        return spliced(lines, at, at, texts)

    def cleared(self, lines: list[str], have: Block) -> list[str]:
        """See `PieceProvider.cleared`."""
        region = _region(lines, have)
        return spliced(lines, region[0], region[1] + 1, []) if region is not None else lines

    def part(self, lines: list[str], have: Block) -> tuple[str, list[str]] | None:
        """See `PieceProvider.part`."""
        region = _region(lines, have)
        if region is None:
            return None
        texts = [bare(line) for line in lines[region[0] + 1 : region[1]]]
        return "content", [] if have.present and texts == _content(have) else texts or [""]

    def texts(self, want: Block) -> Sequence[Value]:
        """See `PieceProvider.texts`."""
        return (want.content,)

    def claims(self, want: Block) -> Sequence[str]:
        """See `Provider.claims`: two with the same marks would be one."""
        return (*super().claims(want), f"block:{want.path}:{_marker(want, _BEGIN)}")


class Block(Piece, kind="files.Block", provider=BlockProvider):
    """Several lines of a text file between two marks; the rest of the file is left alone.

        files.Block("shop-hosts", path="/etc/hosts", content=f"{db.address} db")

    makes ``# BEGIN shop-hosts (purvey)``, the lines, and ``# END shop-hosts (purvey)``. By these the block is found again.
    Where they are damaged, doubled or entangled with those of another block, nothing is touched and the error tells the lines.
    """

    name: str = Input(default=None, immutable=True, doc="What its marks call it; by default the node's name.")
    content: str | Secret | None = Input(default=None, secret=True, doc="The lines between the marks.")
    marker: str = Input(
        default="# {mark} {name} (purvey)",
        doc="The line before and after it; `{mark}` becomes BEGIN and END, `{name}` the name.",
    )

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_text`` in addition to those of `Piece.prepare`.
        """
        known = {"content": None, **super().prepare(inputs, folder)}
        if known["content"] is None and known.get("present", True):
            raise bad("It has no `content`.", "Write the lines between the marks; empty text for none.")
        for name in ("marker", "name"):
            text = known.get(name)
            if isinstance(text, str) and current().nonce not in text and re.search(r"[\r\n]", text):
                raise bad(f"`{name}` is {text!r}, which is more than one line.", "A mark is one line.")
        marker = known.get("marker", _MARK)
        if isinstance(marker, str) and current().nonce not in marker and marker.count(_MARK) != 1:
            raise bad(
                f"`marker` is {marker!r}.",
                'It must hold {mark} once, to tell the two ends apart:\n\n    marker="// {mark} {name}"',
            )
        return known


def _marker(want: Block, mark: str) -> str:
    return want.marker.replace(_NAME, want.name).replace(_MARK, mark)


def _content(want: Block) -> list[str]:
    """The lines between the marks, secrets opened.

    Raises:
        ProviderError: ``invalid`` if one of them is a mark.
    """
    text = str(reveal(want.content))
    lines = [bare(f"{line}\n") for line in text.removesuffix("\n").split("\n")] if text else []
    if {line.strip() for line in lines} & {_marker(want, _BEGIN).strip(), _marker(want, _END).strip()}:
        raise ProviderError(
            "invalid",
            "A block holds its own mark",
            detail=f"A line of the block {want.name} in {want.path} is one of the two that mark it.",
            hint="Choose another `marker`.",
        )
    return lines


def _region(lines: Sequence[str], block: Block) -> tuple[int, int] | None:
    """The numbers of the two marks; None where there is neither.

    Raises:
        ProviderError: ``conflict`` if they do not make one block.
    """
    texts = [bare(line).strip() for line in lines]
    begins, ends = (
        [number for number, text in enumerate(texts) if text == _marker(block, mark).strip()] for mark in (_BEGIN, _END)
    )
    if not begins and not ends:
        return None
    others = re.compile(re.escape(block.marker.strip()).replace(r"\{mark\}", f"({_BEGIN}|{_END})").replace(r"\{name\}", ".+"))
    if len(begins) == len(ends) == 1 and begins < ends:
        inside = [number for number in range(begins[0] + 1, ends[0]) if others.fullmatch(texts[number])]
        if not inside:
            return begins[0], ends[0]
        told = [f"line {number + 1}, inside of it, is a mark of another block" for number in inside]
    else:
        told = [f"line {number + 1} {'begins' if number in begins else 'ends'} it" for number in sorted([*begins, *ends])]
    raise ProviderError(
        "conflict",
        "The marks of a block do not make one block",
        detail=f"The block {block.name} in {block.path}: {', '.join(told)}.",
        hint="Mend the marks by hand, so that there is one that begins it and one below that ends it, or none of both.",
    )
