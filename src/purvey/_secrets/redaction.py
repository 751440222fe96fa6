"""The second net: text on its way out, with the secrets of the run masked wherever they appear whole.

The first is the type: a `Secret` has no text form. This one catches what others wrote: a server's message that quotes a
password, a log line with a token in a URL. It knows a secret as it is, as JSON, URLs and Python write it, and in base64,
also in the middle of a longer encoded text.

Limits: a secret of fewer than 4 characters is not masked by value, because its letters stand in any text; a sink must pass
whole texts, as a secret cut in two is not seen; numbers are not looked for.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote, quote_plus

from purvey._base.value import Secret, Value

MASK: Final = "(secret)"
"""What stands in the place of a secret."""

LENGTH_MIN: Final = 4
"""Characters below which a text is not masked by value."""

_LINE_LENGTH_MIN: Final = 16
"""Characters from which a single line of a secret with several lines (a key) is masked on its own."""


class Redactor:
    """Masks the secrets it was told, in any text."""

    __slots__ = ("_forms", "_known", "_longest_first")

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._forms: set[str] = set()
        self._longest_first: list[str] | None = []

    def add(self, secret: Value) -> None:
        """Mask `secret` from now on.

        Args:
            secret: A Secret, its plaintext, or data with texts inside.
        """
        added = {text for text in _texts(secret) if len(text) >= LENGTH_MIN} - self._known
        if added:
            self._known |= added
            self._forms.update(form for text in added for form in _forms(text) if len(form) >= LENGTH_MIN)
            self._longest_first = None  # Sorted when it is needed: a run may open thousands before it says a word.

    def clean(self, text: str) -> str:
        """`text` with every secret in it masked."""
        forms = self._longest_first
        if forms is None:
            forms = self._longest_first = sorted(self._forms, key=lambda form: (-len(form), form))  # No part goes first.
        for form in forms:
            if form in text:
                text = text.replace(form, MASK)
        return text


def _texts(value: Value) -> Iterator[str]:
    """Every text in a secret: dictionaries and lists are entered, long lines of a text are given on their own, too."""
    if isinstance(value, Secret):
        yield from _texts(value.reveal())
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value
        for line in value.splitlines():
            if len(line) >= _LINE_LENGTH_MIN and not line.startswith("-----"):  # The frame of a PEM file is no secret.
                yield line


def _forms(text: str) -> Iterator[str]:
    """`text` in every form in which it is looked for."""
    yield text
    yield repr(text)[1:-1]
    yield json.dumps(text)[1:-1]
    yield json.dumps(text, ensure_ascii=False)[1:-1]
    yield json.dumps(text)[1:-1].replace("/", "\\/")
    for encoded in (quote(text), quote(text, safe=""), quote_plus(text)):
        yield encoded
        yield _lower_hex(encoded)
    for inner in _base64_forms(text.encode()):
        yield inner
        yield inner.replace("+", "-").replace("/", "_")


def _lower_hex(encoded: str) -> str:
    """URL encoding with its hexadecimal digits in lower case, as some programs write it."""
    first, *rest = encoded.split("%")
    return first + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)


def _base64_forms(data: bytes) -> Iterator[str]:
    """The characters that only `data` decides, for each of the three places in which it can begin in encoded data."""
    for shift in range(3):
        encoded = base64.b64encode(bytes(shift) + data).decode()
        yield encoded[-(-shift * 8 // 6) : (shift + len(data)) * 8 // 6]
