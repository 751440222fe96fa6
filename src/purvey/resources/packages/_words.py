"""What a program complains of, in words that say what to do. Pure."""

from __future__ import annotations

from typing import TypeAlias

from purvey.errors import Code, HostError, ProviderError

Meanings: TypeAlias = tuple[tuple[tuple[str, ...], Code, str, str], ...]
"""Words of a program, any of which has this meaning: a code, a summary, and a hint."""


def explained(error: ProviderError, meanings: Meanings) -> ProviderError:
    """An error in words that say what to do; the program's own are kept as the evidence."""
    for words, code, summary, hint in meanings:
        if any(word in error.detail for word in words):
            return HostError(code, summary, detail=error.detail, hint=hint, may_exist=error.may_exist)
    return error
