"""What a program does and complains of, in words for people. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Final, TypeAlias

from purvey.errors import Code, HostError, ProviderError

Meanings: TypeAlias = tuple[tuple[tuple[str, ...], Code, str, str], ...]
"""Words of a program, any of which has this meaning: a code, a summary, and a hint."""

_VALUED: Final = ("-o", "--wait", "--cache-max-age", "--index-url", "--find-links")
"""Options whose value is the next word."""

_VERBS: Final = ("--configure", "--erase", "--purge", "--remove")
"""Options by which dpkg and rpm are told what to do."""

_MANAGERS: Final = ("apt-get", "apt-mark", "dpkg", "dnf", "rpm", "apk", "pip")


def in_short(argv: Sequence[str]) -> str:
    """A command without the options that people need not read: ``apt-get install nginx``, ``pip install demo``."""
    words = argv[argv.index("-m") + 1 :] if "-m" in argv else argv
    before = ("", *words)
    kept = [
        word
        for word, last in zip(words, before, strict=False)
        if last not in _VALUED and (not word.startswith("-") or word in _VERBS)
    ]
    return shlex.join(kept)


def _in_short(detail: str) -> str:
    """What is told of a failed command, with the command in short where it is one of a package manager."""
    first, mark, rest = detail.partition("\n  ")
    command, end, said = rest.partition("\n")
    try:
        words = shlex.split(command)
    except ValueError:  # Only a part of the command is in the line.
        return detail
    while words and re.match(r"\w+=", words[0]):
        del words[0]
    short = in_short(words)
    said = said.rpartition("\nstandard error:\n")[2]  # What it prints besides is its progress.
    return f"{first}{mark}{short}{end}{said}" if short.partition(" ")[0] in _MANAGERS else detail


def explained(error: ProviderError, meanings: Meanings) -> ProviderError:
    """An error in words that say what to do; the program's own are kept as the evidence."""
    error.detail = _in_short(error.detail)
    for words, code, summary, hint in meanings:
        if any(word in error.detail for word in words):
            return HostError(code, summary, detail=error.detail, hint=hint, may_exist=error.may_exist)
    return error
