"""Addresses: what a node is called, everywhere and for good.

``shop/prod::eu/postgres.Database::shop`` is stack ``shop``, environment ``prod``, scope ``eu``, kind ``postgres.Database``,
name ``shop``. Inside one stack and environment the part after the first ``::`` identifies a node; it is kept as a plain string
because an estate has a hundred thousand of them.
"""

from __future__ import annotations

import re
from typing import Final

from purvey._base.limits import NAME_LENGTH_MAX
from purvey.errors import ScriptError

NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
"""What a name, a scope, a stack or an environment may consist of."""


def is_name(text: object) -> bool:
    """Whether `text` can be a name: 1 to `NAME_LENGTH_MAX` characters of letters, digits, dot, dash and underscore."""
    return isinstance(text, str) and len(text) <= NAME_LENGTH_MAX and NAME.fullmatch(text) is not None


def require_name(text: object, what: str, source: str = "") -> str:
    """`text` if it can be a name.

    Args:
        text: The candidate.
        what: What it names, for the message ("the name of a postgres.Role").
        source: ``file:line`` for the message.

    Raises:
        ScriptError: ``script.bad_name`` if it cannot.
    """
    if is_name(text):
        return str(text)
    raise ScriptError(
        "script.bad_name",
        "A name has a character it cannot have",
        detail=f"{what} is {text!r}; names become parts of addresses, paths and tags.",
        hint=f"Use 1 to {NAME_LENGTH_MAX} letters, digits, dots, dashes or underscores.",
        source=source,
    )


def require_environment(text: str) -> str:
    """`text` if it can be an environment: a name that is no mistyped option and no way up in a path.

    Raises:
        ScriptError: ``script.bad_name`` if it cannot.
    """
    if is_name(text) and text[0].isalnum():
        return text
    raise ScriptError(
        "script.bad_name",
        "The environment has a name that it cannot have",
        detail=f"It is {text!r}; an environment's name becomes part of addresses, paths and tags.",
        hint=f"Use 1 to {NAME_LENGTH_MAX} letters, digits, dots, dashes or underscores, and begin with a letter or a digit.",
    )


def join(scope: str, kind: str, name: str) -> str:
    """The address inside its stack: ``eu/postgres.Database::shop``, or ``postgres.Database::shop`` without a scope."""
    return f"{scope}/{kind}::{name}" if scope else f"{kind}::{name}"


def split(address: str) -> tuple[str, str, str]:
    """Scope, kind and name of an address inside its stack; the inverse of `join`."""
    path, _, name = address.rpartition("::")
    scope, _, kind = path.rpartition("/")
    return scope, kind, name


def full(stack: str, address: str) -> str:
    """The address in the whole estate; `stack` is ``name/environment``."""
    return f"{stack}::{address}"


def parted(address: str) -> tuple[str, str]:
    """The stack (empty where it is not named) and the address inside it; the inverse of `full`."""
    stack, separator, inside = address.partition("::")
    return (stack, inside) if separator and "::" in inside else ("", address)
