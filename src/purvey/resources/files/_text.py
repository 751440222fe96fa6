"""Text as lines, whatever their ends and whatever the bytes between: found, replaced, and merged. Pure.

A file that is not UTF-8 survives, and so does a last line without an end. New lines end as the first one does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

from purvey.errors import ProviderError

_LINE = re.compile(r"[^\n]*\n|[^\n]+")


def lines_of(data: bytes) -> list[str]:
    """The lines, each with its end."""
    return _LINE.findall(data.decode(errors="surrogateescape"))


def data_of(lines: Iterable[str]) -> bytes:
    """The bytes of lines."""
    return "".join(lines).encode(errors="surrogateescape")


def bare(line: str) -> str:
    """A line without its end."""
    return line.removesuffix("\n").removesuffix("\r")


def readable(texts: Iterable[str]) -> str:
    """Lines as people and records can read them."""
    return "\n".join(texts).encode(errors="surrogateescape").decode(errors="replace")


def spliced(lines: Sequence[str], start: int, stop: int, texts: Sequence[str]) -> list[str]:
    """Lines with those from `start` to `stop` replaced.

    Args:
        lines: The lines.
        start: The first that goes.
        stop: The first that stays.
        texts: The new ones, without their ends.
    """
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    before, new, after = list(lines[:start]), [text + end for text in texts], list(lines[stop:])
    if new and start < stop == len(lines) and not lines[-1].endswith("\n"):
        new[-1] = bare(new[-1])
    if new and before and not before[-1].endswith("\n"):
        before[-1] += end
    return [*before, *new, *after]


def without(lines: Sequence[str], gone: Iterable[int]) -> list[str]:
    """Lines without those of these numbers."""
    numbers = set(gone)
    return [line for number, line in enumerate(lines) if number not in numbers]


def place_in(path: str, lines: Sequence[str], after: str | None, before: str | None) -> int:
    """Where something new is put: after the last line that matches, before the first one, or at the end.

    Raises:
        ProviderError: ``not_found`` if no line matches.
    """
    pattern = after if after is not None else before
    if pattern is None:
        return len(lines)
    found = [number for number, line in enumerate(lines) if re.search(pattern, bare(line))]
    if not lines and re.search(pattern, ""):
        return 0
    if not found:
        raise ProviderError(
            "not_found",
            "The place for a text is not there",
            detail=f"No line of {path} matches {pattern!r}, so nothing says where it shall stand.",
            hint=f"Correct `{'after' if after is not None else 'before'}=`, or leave it away for the end of the file.",
        )
    return found[-1] + 1 if after is not None else found[0]


def taken_back(was: Sequence[str], became: Sequence[str], now: Sequence[str]) -> list[str] | None:
    """`now` without what made `became` of `was`; None if the lines in question have been changed since.

    What others changed in other places stays.
    """
    result = list(now)
    same = SequenceMatcher(None, became, now, autojunk=False).get_matching_blocks()
    for tag, start, stop, first, last in reversed(SequenceMatcher(None, became, was, autojunk=False).get_opcodes()):
        if tag == "equal":
            continue
        at = _place_of(start, stop, [(block.a, block.b, block.size) for block in same if block.size])
        if at is None:
            return None
        result[at : at + stop - start] = was[first:last]
    return result


def _place_of(start: int, stop: int, blocks: Sequence[tuple[int, int, int]]) -> int | None:
    """Where lines are in another text, or the gap between two; None if they are not there as they were."""
    for here, there, size in blocks:
        inside = here <= start < here + size and stop <= here + size
        behind = start == stop == here + size
        if inside or behind:
            return there + start - here
    return 0 if start == stop and not blocks else None
