"""Lines of fstab(5), each found by what it is about; all others stay as they are, to the byte. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from purvey._hosts.change import Change, Write
from purvey._hosts.fact import Answers, ContentOf, FileStat, StatOf

PATH: Final = "/etc/fstab"
CONTENT: Final = ContentOf(PATH)
STATUS: Final = StatOf(PATH)

_ESCAPED: Final = {" ": r"\040", "\t": r"\011", "\n": r"\012", "\\": r"\134"}
_BLANKS: Final = " \t"
_FIELDS: Final = re.compile("[ \t]+")
"""Nothing else parts fields, as for mount(8): a name may hold any other blank of Unicode's."""

_ESCAPE: Final = re.compile(r"\\([0-7]{3})")


class Entry(msgspec.Struct, frozen=True):
    """One line: what is mounted where, of which type, with which options, and in which order it is checked."""

    source: str
    path: str
    type: str
    options: str = "defaults"
    dump: str = "0"
    check: str = "0"

    @property
    def line(self) -> str:
        """The line."""
        parts = (self.source, self.path, self.type, self.options, self.dump, self.check)
        line = " ".join(escaped(part) for part in parts)
        return line if line[:1] != "#" else rf"\043{line[1:]}"


def escaped(text: str) -> str:
    """A field as fstab and mountinfo write it."""
    return "".join(_ESCAPED.get(letter, letter) for letter in text)


def unescaped(field: str) -> str:
    """What a field means."""
    return _ESCAPE.sub(lambda found: chr(int(found[1], 8)), field)


def entry_of(line: str) -> Entry | None:
    """The entry of a line; None for a comment, an empty line, and what is no entry."""
    text = line.strip(_BLANKS)
    fields = [unescaped(field) for field in _FIELDS.split(text)]
    if text.startswith("#") or len(fields) < 3:  # noqa: PLR2004 - source, path and type.
        return None
    return Entry(*fields[:6])


def lines_of(answers: Answers) -> list[str]:
    """The lines of the file, without their ends."""
    return (answers[CONTENT] or b"").decode("utf-8", "surrogateescape").split("\n")


def entry_in(answers: Answers, is_it: Callable[[Entry], bool], wished: Entry) -> Entry | None:
    """The entry that is meant, of several one that is not as it is wished; None if there is none."""
    found = [entry for line in lines_of(answers) if (entry := entry_of(line)) is not None and is_it(entry)]
    return next((entry for entry in found if entry != wished), found[0] if found else None)


def with_entry(answers: Answers, is_it: Callable[[Entry], bool], wished: Entry | None) -> tuple[Change, ...]:
    """Put an entry there in the place of the one that is meant, or take that out; nothing where it is so already."""
    lines = lines_of(answers)
    found: list[str] = []
    left = wished
    for line in lines:
        entry = entry_of(line)
        if entry is None or not is_it(entry):
            found.append(line)
        elif left is not None:
            found.append(line if entry == left else left.line)
            left = None
    if left is not None:
        found = [*_ended(found), left.line, ""]
    return () if found == lines else (_write(found, answers[STATUS]),)


def _ended(lines: Sequence[str]) -> list[str]:
    """The lines, without the empty one that stands for the end of the last."""
    return [*lines[:-1]] if lines and not lines[-1] else [*lines]


def _write(lines: Sequence[str], status: FileStat | None) -> Write:
    data = "\n".join(lines).encode("utf-8", "surrogateescape")
    if status is None:
        return Write(PATH, data, 0o644)
    return Write(PATH, data, status.mode, status.owner, status.group)
