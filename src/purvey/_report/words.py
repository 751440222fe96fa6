"""The words for what happens and happened to objects, for times and for counts, so that every view uses the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from purvey._base.address import split
from purvey._state.history import ChangeHistory

GIST_CHARACTERS_MAX: Final = 240
"""Of a message that is told in one line: two or three lines of a terminal."""

_PAST: Final = {
    "create": "created", "update": "updated", "delete": "deleted", "check": "passed", "adopt": "adopted",
    "forget": "forgotten", "undo": "undone",
}  # fmt: skip

_UNDONE: Final = {"create": "removed again", "update": "restored", "delete": "made again", "adopt": "forgotten again"}


def past(verb: str) -> str:
    """What a verb's object is once it is done: ``created``; a check is ``passed``."""
    return _PAST.get(verb, verb)


def happened(change: ChangeHistory) -> str:
    """What became of an operation: ``created``, ``restored``, ``check failed``, ``create in doubt``, ``not begun``."""
    if change.action == "settle" and change.result != "in doubt":
        return "settled as done" if change.result == "done" else "settled as not done"
    if change.result in ("failed", "in doubt"):
        return f"{change.action} {change.result}"
    if change.result in ("unchanged", "not begun"):
        return change.result
    return _UNDONE.get(change.undoes, "undone") if change.action == "undo" else past(change.action)


def gist(message: str) -> str:
    """A message in one line: its first one, and where that only announces the others, also the last, which says the most."""
    first, _, others = message.strip().partition("\n")
    last = others.rpartition("\n")[2].strip()
    text = f"{first} {last}" if first.endswith(":") and last else first
    return text if len(text) <= GIST_CHARACTERS_MAX else f"{text[: GIST_CHARACTERS_MAX - 2]} …"


def on_machine(where: str, address: str) -> str:
    """On which machine something is, where that is not this one and no scope of its address says so: ``on web-1  ``."""
    return f"on {where}  " if where and where not in split(address)[0].split("/") else ""


def by_number(address: str) -> list[tuple[int, str]]:
    """Sorts addresses as people count: web-2 comes before web-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", address)]


def duration(seconds: float) -> str:
    """A time as people say it: ``0.1 s``, ``42.0 s``, ``3 min 05 s``, ``2 h 04 min``."""
    if seconds < 60:  # noqa: PLR2004 - a minute.
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def clock_face(seconds: float) -> str:
    """A running time: ``0:07``, ``12:34``, ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def counted(counts: Mapping[str, int]) -> str:
    """Counts as a list: ``5 created, 1 updated``; checks are named as such."""
    return ", ".join(f"{count} {_noun(word, count)}" for word, count in counts.items())


def _noun(word: str, count: int) -> str:
    if word == "passed":
        return f"check{'' if count == 1 else 's'} passed"
    verb, _, became = word.partition(" ")
    return f"{verb}s {became}" if count > 1 and became in ("failed", "in doubt") else word
