"""What a script has given, as far as it is known while it declares; and what a provider may ask of it although it is masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from purvey._base.value import Value
from purvey._script.recorder import current
from purvey.errors import ProviderError
from purvey.providers import NotKnownError
from purvey.resources._inputs import refused

if TYPE_CHECKING:
    from purvey._script.resource import Resource
    from purvey.providers import Kind


ONE_LINE: Final = re.compile(r"(?=.*\S)[^\n\r\0]+")
"""What stands on one line of a file: more of it, or what ends a line for some programs, would be a line of somebody's own."""

ONE_LINE_SAYS: Final = "Give one line that is not empty."


def text(value: Any) -> str | None:
    """Text that is whole now; None for a reference, for text with one in it, and for what is no text."""
    return value if isinstance(value, str) and current().nonce not in value else None


def matching(inputs: dict[str, Any], name: str, pattern: re.Pattern[str], says: str) -> None:
    """Refuse an input whose text is known and not of this form.

    Raises:
        ScriptError: ``script.bad_input``; `says` what the form is.
    """
    given = text(inputs.get(name))
    if given is not None and not pattern.fullmatch(given):
        raise bad(f"`{name}` is {given!r}.", says)


def bad(problem: str, hint: str) -> Exception:
    """The error for an input that cannot be.

    Args:
        problem: What was given.
        hint: What can be.
    """
    return refused("script.bad_input", "An input has a value it cannot have", problem, hint)


def require(value: str, pattern: re.Pattern[str], what: str, says: str) -> str:
    """A value that is known only now, if it has the form.

    Raises:
        ProviderError: ``invalid`` if it has not.
    """
    if pattern.fullmatch(value):
        return value
    raise ProviderError("invalid", "A value came out as one that cannot be", detail=f"{what} came out as {value!r}.", hint=says)


def wished(subject: Resource, name: str) -> bool:
    """Whether an input was given at all; one that is masked or not known yet was."""
    try:
        return getattr(subject, name) is not None
    except NotKnownError:
        return True


def compared(kind: Kind, desired: Mapping[str, Value], observed: Mapping[str, Value]) -> dict[str, Value]:
    """What was read, without the inputs for which the script has no wish: those may be as they are.

    A kind reads them all the same, so that an undo of their first change knows what was there.
    """
    return {name: value for name, value in observed.items() if name in kind.outputs or desired.get(name) is not None}


def recorded(subject: Resource, name: str, default: Value = "") -> Value:
    """A recorded output; `default` for an object that is being made or adopted, which has none yet."""
    try:
        value: Value = getattr(subject, name)
    except NotKnownError:
        return default
    return default if value is None else value
