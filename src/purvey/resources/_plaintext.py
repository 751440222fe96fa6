"""Keeping plaintexts out of messages: what a server, a command or a template says may repeat a secret it was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from purvey._base.value import Secret, Value

_SHORTEST = 3
"""Shorter texts are not searched for: they are in every message, and hiding them would tell more than it hides."""


def plaintexts(value: Value) -> list[str]:
    """The texts of every secret inside `value`, longest first, so that one which contains another is hidden whole."""
    found = {form for text in _secret_texts(value) for form in _forms(text)}
    return sorted((text for text in found if len(text) >= _SHORTEST), key=len, reverse=True)


def holds_secret(value: Value) -> bool:
    """Whether anything inside `value` is secret."""
    return next(_secret_texts(value), None) is not None


def _secret_texts(value: Value, *, inside: bool = False) -> Iterator[str]:
    """Every scalar inside a secret inside `value`, as text."""
    if isinstance(value, Secret):
        yield from _secret_texts(value.reveal(), inside=True)
    elif isinstance(value, dict | list | tuple):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _secret_texts(part, inside=inside)
    elif inside:
        yield str(value)


def _forms(text: str) -> tuple[str, ...]:
    """How a message may spell `text`: as it is, without the line end of the file that it came from, and as Python quotes it."""
    return text, text.strip(), repr(text)[1:-1], repr(text.strip())[1:-1]


def hidden(text: str, secrets: Iterable[str]) -> str:
    """`text` with every one of `secrets` replaced by ``(secret)``."""
    for secret in secrets:
        text = text.replace(secret, "(secret)")
    return text
