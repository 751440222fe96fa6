"""The fields of a change as lines: what was, and what will be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from purvey._base.compare import FieldChange
from purvey._base.value import Unknown, Value
from purvey._plan.plan import Change
from purvey._report.style import Span, dim, good, old
from purvey._report.values import LENGTH_MAX, SECRET, is_secret, shown

DIFF_LINES_MAX: Final = 12
"""Lines of one text's difference; the rest is counted."""

INLINE_MAX: Final = 64
"""Characters of a difference that still fits behind its address."""

_CAUSES: Final = {"drift": "changed outside purvey", "upstream": "follows what it uses"}

_EVERY_TIME: Final = "runs in every apply"

Line = tuple[Span | str, ...]


def visible(change: Change) -> list[FieldChange]:
    """The fields that say something; a mere "upstream is new" is told by the change's cause.

    Of what is adopted nobody has changed anything: what its apply reads or makes of it is no difference yet.
    """
    told = [field for field in change.fields if field.before is not None or field.after is not None]
    return told if change.action != "adopt" else [field for field in told if not isinstance(field.after, Unknown)]


def inline(field: FieldChange) -> str:
    """A field on one line: ```env.PORT` 80 -> 8080``; empty where it needs more room."""
    if field.because == "always":
        return _EVERY_TIME
    if field.path == "(unreadable)" or _is_long(field):
        return ""
    text = f"`{field.path}` {transition(field.before, field.after)}"
    return text if len(text) <= INLINE_MAX else ""


def transition(before: Value, after: Value) -> str:
    """What was, and what will be; of a secret only that it changes."""
    if is_secret(before) and is_secret(after):
        return "(secret, changed)"
    if is_secret(after):
        return SECRET
    if before is None:
        return f"set to {shown(after)}"
    if after is None:
        return f"was {shown(before)}, no longer set"
    return f"{shown(before)} -> {shown(after)}"


def field_lines(field: FieldChange) -> Iterator[Line]:
    """A field on as many lines as it needs."""
    if field.because == "always":
        yield (_EVERY_TIME,)
        return
    if field.path == "(unreadable)":
        yield (f"cannot be read now ({field.before}); looked at again when what it needs has changed",)
        return
    because = "cannot be changed in place" if field.replaces else _CAUSES.get(field.because, "")
    tail = dim(f"  ({because})" if because else "")
    if not _is_long(field):
        yield from _short(field, tail)
        return
    yield (f"`{field.path}`", tail)
    yield from _difference(str(field.before), str(field.after))


def _short(field: FieldChange, tail: Span) -> Iterator[Line]:
    text = transition(field.before, field.after)
    if len(text) <= LENGTH_MAX or is_secret(field.after) or isinstance(field.after, Unknown):
        yield (f"`{field.path}` {text}", tail)
        return
    yield (f"`{field.path}`", tail)
    yield (old(f"  - {shown(field.before)}"),)
    yield (good(f"  + {shown(field.after)}"),)


def _is_long(field: FieldChange) -> bool:
    both = isinstance(field.before, str) and isinstance(field.after, str)
    return both and ("\n" in field.before or "\n" in field.after)


def _difference(before: str, after: str) -> Iterator[Line]:
    import difflib  # noqa: PLC0415 - it is slow to load, and most runs show no text.

    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), n=1, lineterm=""))[2:]
    lines = [line for line in lines if not line.startswith("@@")] or ["  (only line ends differ)"]
    for line in lines[:DIFF_LINES_MAX]:
        style = {"+": good, "-": old}.get(line[:1], dim)
        yield (style(f"  {line[:1]} {line[1:]}"),)
    if len(lines) > DIFF_LINES_MAX:
        yield (dim(f"    … {len(lines) - DIFF_LINES_MAX} more lines"),)
