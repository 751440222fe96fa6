"""Outputs that nobody can know before the run: made up, each different from every other, of the type that was declared."""

from __future__ import annotations

import types
import typing
from collections.abc import Hashable, Mapping
from contextlib import suppress
from functools import cache
from typing import Any, Union, cast, get_args, get_origin

from purvey._base.value import Secret, Value
from purvey.providers import Kind, NotKnownError

MARK = "rehearsed-"
"""What made-up text begins with."""


def outputs_of(kind: Kind, view: Any, place: str, kept: Mapping[str, Value]) -> dict[str, Value]:
    """All the outputs of an object.

    Args:
        kind: Its kind, whose provider predicts what it can.
        view: The object as the provider gets it.
        place: Its physical name.
        kept: Outputs that it has already and keeps.
    """
    hints = _hints(kind, view)
    found = {
        name: kept[name] if name in kept else _made_up(hints.get(name, Any), f"{MARK}{place}-{name}") for name in kind.outputs
    }
    with suppress(NotKnownError):  # It depends on a secret that is gone; nothing is lost by making it up.
        found.update(kind.provider.predict(view))
    return {
        name: Secret(value) if name in kind.secrets and type(value) is not Secret and isinstance(value, str) else value
        for name, value in found.items()
    }


def _hints(kind: Kind, view: Any) -> dict[str, Any]:
    function = getattr(kind.provider, "function", None)
    found = _annotations(cast("Hashable", type(view)))
    return {**found, "result": _annotations(function).get("return", Any)} if function is not None else found


@cache
def _annotations(of: Hashable) -> dict[str, Any]:
    """The types of a class's fields or a function's parameters; none where only a type checker can read them."""
    try:
        return typing.get_type_hints(of)
    except (NameError, TypeError):
        return {}


def _made_up(hint: Any, text: str) -> Value:
    """A value of a type; text where the type is unknown."""
    options = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
    kind = next((item for item in options if item not in (type(None), Secret)), str)
    origin = get_origin(kind) or kind
    if origin is types.NoneType:
        return None
    if origin in (list, tuple, set, frozenset):
        inner = get_args(kind)
        return [_made_up(inner[0] if inner else str, text)]
    if origin is dict:
        return {}
    if origin is bool:
        return True
    if origin in (int, float):
        return 40_000 + sum(text.encode()) % 20_000
    return text
