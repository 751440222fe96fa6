"""Schedules of cron, read as strictly as cron(8) reads them. Pure."""

from __future__ import annotations

import re
from typing import Final

_WORDS: Final = frozenset({"@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: Final = (
    ("minute", 0, 59, ()), ("hour", 0, 23, ()), ("day", 1, 31, ()), ("month", 1, 12, _MONTHS), ("day of the week", 0, 7, _DAYS),
)  # fmt: skip
_ITEM: Final = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")
_LONGEST: Final = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def problem_of(schedule: str) -> str:
    """What is wrong with a schedule; empty where nothing is."""
    if schedule.startswith("@"):
        return "" if schedule in _WORDS else f"cron has no word {schedule}"
    fields = schedule.split()
    if len(fields) != len(_FIELDS):
        return f"it has {len(fields)} fields instead of 5"
    for given, (name, low, high, names) in zip(fields, _FIELDS, strict=True):
        for item in given.split(","):
            if problem := _item_problem(item, low, high, names):
                return f"the {name} {given}: {problem}"
    return _never(fields)


def _item_problem(item: str, low: int, high: int, names: tuple[str, ...]) -> str:
    found = _ITEM.fullmatch(item)
    if found is None:
        return f"{item!r} is no number, range or step"
    start, end = (_number(part, low, names) for part in (found[2], found[3]))
    for part, number in ((found[2], start), (found[3], end)):
        if part is not None and (number is None or not low <= number <= high):
            return f"{part} is not from {low} to {high}"
    if start is not None and end is not None and start > end:
        return f"{item} ends before it begins"
    if found[4] is not None and (found[4].strip("0") == "" or (found[2] is not None and found[3] is None)):
        return f"{item} has no step that means anything"
    return ""


def _number(word: str | None, low: int, names: tuple[str, ...]) -> int | None:
    if word is None:
        return None
    if word.lower() in names:
        return names.index(word.lower()) + low
    return int(word) if word.isdecimal() else None


def _never(fields: list[str]) -> str:
    """What is wrong with days that no month has: a job that looks scheduled and is never run."""
    _, _, day, month, weekday = fields
    if weekday != "*" or not day.isdecimal() or "*" in month or not all(part.isdecimal() for part in month.split(",")):
        return ""
    longest = max(_LONGEST[int(part) - 1] for part in month.split(","))
    return "" if int(day) <= longest else f"no such month has a day {day}"
