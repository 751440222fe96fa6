"""What is told of a value that its input cannot hold: what was given, and how to write what is most likely meant. Pure."""

from __future__ import annotations

import re
import types
from collections.abc import Sequence
from typing import Any, Final, Union, get_args, get_origin

from purvey._base.value import Value

_WORDS: Final = {
    "str": "text", "int": "a whole number", "float": "a number", "bool": "true or false", "null": "None", "array": "a list",
    "object": "a dictionary",
}  # fmt: skip
"""What msgspec calls what was given, in words."""

_EXPECTED: Final = re.compile(r"Expected `[^`]+`, got `(\w+)`(?: - at `\$(.+)`)?")
_VALUE_CHARS_MAX: Final = 40

_MODES: Final = frozenset({
    "400", "440", "444", "500", "550", "555", "600", "640", "644", "660", "664", "666", "700", "710", "711", "750", "755",
    "770", "775", "777", "1777", "2750", "2755", "2770", "2775", "4755",
})  # fmt: skip
"""Modes that people give: one that is none of these was meant in another base."""


def problem_of(said: str) -> str:
    """What was given, from what msgspec says; as it says it where that is about something else than a type."""
    found = _EXPECTED.fullmatch(said)
    if found is None:
        return said
    given = _WORDS.get(found[1], found[1])
    return f"{given} was given" if found[2] is None else f"{given} was given in it, at `{found[2]}`"


def remedy(name: str, item: Value, hint: Any) -> str:
    """How to write it; empty where nobody can guess.

    Args:
        name: The input.
        item: What was given.
        hint: The input's type.
    """
    kinds = {get_origin(part) or part for part in parts_of(hint)}
    if isinstance(item, str):
        if len(item) > _VALUE_CHARS_MAX:
            return ""
        if kinds & {list, tuple, Sequence} and str in {inner for part in parts_of(hint) for inner in get_args(part)}:
            return f'Write a list:\n\n    {name}=["{item}"]'
        if bool in kinds and item.lower() in ("true", "false", "yes", "no"):
            return f"Write it without quotes:\n\n    {name}={item.lower() in ('true', 'yes')}"
        if kinds & {int, float} and re.fullmatch(r"-?[1-9]\d*|0", item):
            return f"Write it without quotes:\n\n    {name}={item}"
    if type(item) is int and str in kinds:
        if name == "mode" or name.endswith("_mode"):
            return f'Write it as text in octal:\n\n    {name}="{_mode(item)}"'
        return f'Write it as text:\n\n    {name}="{item}"'
    return ""


def _mode(number: int) -> str:
    """What was meant by a mode that was written as a number: its digits, or, after ``0o``, its value."""
    if str(number) not in _MODES and f"{number:o}" in _MODES:
        return f"{number:04o}"
    return f"{number:04d}" if str(number) in _MODES else "0644"


def parts_of(hint: Any) -> tuple[Any, ...]:
    """The types of a union; a type that is none is its only part."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
