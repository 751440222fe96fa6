"""Values as people read them: short, on one line, and never a secret.

Programs get values from `purvey._report.document` instead.
"""

from __future__ import annotations

import json
from typing import Final

from purvey._base.value import Late, Link, Masked, NodeLink, Secret, SecretRef, Unknown, Value

KNOWN_AFTER_APPLY: Final = "known after apply"
"""What people read where only the world can tell."""

SECRET: Final = "(secret)"  # noqa: S105 - what stands in its place.

LENGTH_MAX: Final = 72
"""Characters of one value in a line; a plan is read, not searched."""


def shown(value: Value) -> str:
    """`value` on one line of at most `LENGTH_MAX` characters."""
    return shortened(_text(value))


def shortened(text: str) -> str:
    """`text`, cut where it is longer than `LENGTH_MAX`."""
    return text if len(text) <= LENGTH_MAX else f"{text[: LENGTH_MAX - 2]} …"


def is_secret(value: Value) -> bool:
    """Whether `value` as a whole is a secret."""
    return isinstance(value, Masked | Secret | SecretRef)


def _text(value: Value) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}: {_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_text, value)) + "]"
    if isinstance(value, Unknown):
        return KNOWN_AFTER_APPLY
    if is_secret(value):
        return SECRET
    if isinstance(value, NodeLink):
        return value.address
    if isinstance(value, Link):
        return str(value)
    if isinstance(value, Late):
        return "".join(item if isinstance(item, str) else f"{{{_text(item)}}}" for item in value.arguments)
    return json.dumps(value)
