"""The words of a command line that names a script: the script, and the values of its parameters.

Which options a script has is known only once it has been loaded, so its parameters are read by their form alone:
``--workers 4``, ``--workers=4``, ``--verbose`` and ``--no-verbose``. Whether they exist and fit is the engine's to say, which
knows the signature; it is loaded only once that way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import click

from purvey._session import Given

_NUMBER: Final = re.compile(r"-[0-9.][0-9.eE+-]*")
_RUN: Final = re.compile(r"[0-9A-HJKMNP-TV-Za-hjkmnp-tv-z]{4,26}")
"""A run's id (a ULID) or its beginning."""


class Words(NamedTuple):
    """What a command line names.

    Args:
        first: What stands in the place of the script; empty if nothing does.
        parameters: By name, with underscores; True or False where the option stands alone, so that the engine can tell a switch
            from a value that was left out. A value given several times is a JSON list.
        rest: Further words without a name.
    """

    first: str
    parameters: dict[str, Any]
    rest: tuple[str, ...] = ()


def read_words(words: Sequence[str], explicit: Sequence[str] = ()) -> Words:
    """Tell the script, the parameters and the rest apart.

    Args:
        words: What click left over.
        explicit: Values of ``--param NAME=VALUE``, for parameters that are called like an option of purvey.

    Raises:
        UsageError: for an unknown short option, or an explicit value without a name.
    """
    found: dict[str, list[str | bool]] = {}
    plain: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        position += 1
        if not word.startswith("--"):
            plain.append(_plain(word))
            continue
        following = words[position] if position < len(words) else None
        # Before the script has been named, a word that can be it is not an option's value.
        free = following is None or (not plain and is_script(following))
        name, value, used = _option(word, None if free else following)
        position += used
        found.setdefault(name, []).append(value)
    options = set(found)
    for item in explicit:
        name, equals, value = item.partition("=")
        if not equals:
            raise click.UsageError(f"--param {item}: write NAME=VALUE.")
        found.setdefault(_snake(name), []).append(value)
    values = {name: given[0] if len(given) == 1 else json.dumps(given) for name, given in found.items()}
    parameters = {name: value if name in options else Given(value, "-p") for name, value in values.items()}
    return Words(plain[0] if plain else "", parameters, tuple(plain[1:]))


def is_script(word: str) -> bool:
    """Whether a word names a script or a plan file, rather than a run."""
    return word.endswith(".py") or Path(word).is_file()


def is_run(word: str) -> bool:
    """Whether a word can be a run's id or the beginning of one."""
    return _RUN.fullmatch(word) is not None and not is_script(word)


def _plain(word: str) -> str:
    if word.startswith("-") and word != "-" and not _NUMBER.fullmatch(word):
        raise click.UsageError(f"There is no option {word!r}.")
    return word


def _option(word: str, following: str | None) -> tuple[str, str | bool, int]:
    """Name and value of an option, and how many of the following words it took."""
    name, equals, value = word[2:].partition("=")
    if equals:
        return _snake(name), value, 0
    if following is not None and (not following.startswith("-") or _NUMBER.fullmatch(following)):
        return _snake(name), following, 1
    if name.startswith("no-"):
        return _snake(name[3:]), False, 0
    return _snake(name), True, 0


def _snake(name: str) -> str:
    return name.replace("-", "_")
