"""Parameters: a stack's interface, taken from its signature, and where their values come from.

In this order: the command line, the environment variable ``PURVEY_PARAM_<NAME>``, the environment's file (``shop.prod.toml``
beside the script), the default. Every value is checked before the script runs, and all that is wrong is said at once.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Callable, Collection, Mapping, Sequence
from enum import Enum
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from purvey.errors import Problems, ScriptError


class Param(msgspec.Struct, frozen=True, kw_only=True):
    """What a parameter may be, beyond its type: ``workers: Annotated[int, Param(ge=1, le=64, help="web processes")] = 2``.

    Attributes:
        help: One line for people.
        ge: At least this.
        le: At most this.
        gt: More than this.
        lt: Less than this.
        pattern: A regular expression that the whole text must match.
        choices: The only values allowed.
    """

    help: str = ""
    ge: float | None = None
    le: float | None = None
    gt: float | None = None
    lt: float | None = None
    pattern: str = ""
    choices: tuple[Any, ...] = ()


class Parameter(msgspec.Struct, frozen=True):
    """One parameter as the engine sees it."""

    name: str
    type: Any
    required: bool
    default: Any
    limits: Param = Param()
    help: str = ""

    @property
    def choices(self) -> tuple[Any, ...]:
        """The only values allowed; empty where the type alone decides."""
        if self.limits.choices:
            return self.limits.choices
        if get_origin(self.type) is Literal:
            return get_args(self.type)
        if isinstance(self.type, type) and issubclass(self.type, Enum):
            return tuple(item.value for item in self.type)
        return ()


class Given(msgspec.Struct, frozen=True):
    """A value and where it came from, for messages: ``--workers``, ``PURVEY_PARAM_WORKERS``, ``shop.prod.toml``."""

    value: Any
    origin: str


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a stack function, without ``env``."""
    hints = typing.get_type_hints(function, include_extras=True)
    found: list[Parameter] = []
    for name, item in inspect.signature(function).parameters.items():
        hint = hints.get(name, str)
        limits = Param()
        if get_origin(hint) is Annotated:
            hint, *extras = get_args(hint)
            limits = next((extra for extra in extras if isinstance(extra, Param)), limits)
        required = item.default is inspect.Parameter.empty
        found.append(Parameter(name, hint, required, None if required else item.default, limits, limits.help))
    return found


def given_text(parameter: Parameter, values: Mapping[str, Given]) -> Given | None:
    """What was given for a parameter, under its name with ``_`` or ``-``."""
    name = parameter.name
    return values.get(name) or values.get(name.replace("_", "-")) or values.get(name.replace("-", "_"))


_WANTED = {int: "must be a whole number", float: "must be a number", bool: "must be true or false"}
"""What a value of a simple type must be, as people say it."""


def convert(parameter: Parameter, given: Given) -> Any:
    """The value of a parameter from what was given: text from outside is read as the type wants it.

    Raises:
        ScriptError: ``script.parameter``, naming the parameter and where the value came from.
    """
    raw = given.value
    if isinstance(raw, str) and not _wants_text(parameter.type):
        raw = _data_from(raw, parameter.type)
    try:
        value = msgspec.convert(raw, parameter.type, strict=not isinstance(given.value, str))
    except (msgspec.ValidationError, TypeError) as error:
        if isinstance(given.value, bool) and given.origin.startswith("--"):
            raise _without_value(parameter, given.origin) from None
        raise _wrong(parameter, given, _WANTED.get(parameter.type) or str(error).replace("`", "")) from None
    problem = _beyond(parameter, value)
    if problem:
        raise _wrong(parameter, given, problem)
    return value


def _wants_text(hint: Any) -> bool:
    return hint is str or (get_origin(hint) is Literal) or (isinstance(hint, type) and issubclass(hint, Enum))


def _data_from(text: str, hint: Any) -> Any:
    """Lists and dictionaries are written as JSON; ``a,b`` is a list too."""
    if text[:1] in "[{":
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError:
            return text
    listed = any(get_origin(part) in (list, tuple, set) for part in (hint, *get_args(hint)))
    return [part.strip() for part in text.split(",")] if listed else text


def _beyond(parameter: Parameter, value: Any) -> str:
    """Which limit a value breaks; empty if none."""
    limits = parameter.limits
    if limits.choices and value not in limits.choices:
        return f"must be one of {', '.join(map(str, limits.choices))}"
    bounds: Sequence[tuple[float | None, str, Callable[[Any, Any], bool]]] = (
        (limits.ge, "at least", lambda a, b: a >= b),
        (limits.le, "at most", lambda a, b: a <= b),
        (limits.gt, "more than", lambda a, b: a > b),
        (limits.lt, "less than", lambda a, b: a < b),
    )
    for bound, words, holds in bounds:
        if bound is not None and not holds(value, bound):
            return f"must be {words} {bound:g}"
    if limits.pattern and not re.fullmatch(limits.pattern, str(value)):
        return f"must match {limits.pattern}"
    return ""


def _wrong(parameter: Parameter, given: Given, problem: str) -> ScriptError:
    choices = f" It can be: {', '.join(map(str, parameter.choices))}." if parameter.choices else ""
    return ScriptError(
        "script.parameter",
        "A parameter has a value it cannot have",
        detail=f"`{parameter.name}` = {given.value!r} (from {given.origin}): {problem}.{choices}",
    )


def _without_value(parameter: Parameter, option: str) -> ScriptError:
    return ScriptError(
        "script.parameter",
        "A parameter has no value",
        detail=f"{option} needs a value: `{parameter.name}` is not true or false.",
        hint=f"Write it behind:\n\n    {option} VALUE",
    )


def bind(parameters: Sequence[Parameter], given: Mapping[str, Given], env: str) -> dict[str, Any]:
    """The arguments of a stack function.

    Args:
        parameters: Its parameters.
        given: What the outside gave, by name.
        env: The environment; a parameter called ``env`` receives it.

    Raises:
        Problems: everything that is wrong, at once.
    """
    values: dict[str, Any] = {}
    problems: list[ScriptError] = []
    for parameter in parameters:
        if parameter.name == "env" and given_text(parameter, given) is None:
            values["env"] = env
            continue
        item = given_text(parameter, given)
        if item is None and parameter.required:
            problems.append(_missing(parameter))
        elif item is None:
            values[parameter.name] = parameter.default
        else:
            try:
                values[parameter.name] = convert(parameter, item)
            except ScriptError as error:
                problems.append(error)
    if problems:
        raise Problems(problems)
    return values


def _missing(parameter: Parameter) -> ScriptError:
    return ScriptError(
        "script.parameter",
        "A parameter is missing",
        detail=f"`{parameter.name}` has no default. {parameter.help}".strip(),
        hint=f"Give it as --{parameter.name.replace('_', '-')} VALUE, as PURVEY_PARAM_{parameter.name.upper()}, "
        "or in the environment's TOML file.",
    )


def unknown(names: Collection[str], given: Mapping[str, Given]) -> list[ScriptError]:
    """Values from the command line or the environment's file that neither the signature nor a `param` call asked for."""
    import difflib  # noqa: PLC0415 - only on an error's way.

    found: list[ScriptError] = []
    names = {name.replace("-", "_") for name in names}
    for name, item in given.items():
        if name.replace("-", "_") in names or item.origin.startswith("PURVEY_PARAM_"):
            continue
        close = difflib.get_close_matches(name.replace("-", "_"), names, n=1)
        hint = f"Did you mean `{close[0]}`?" if close else f"It has: {', '.join(sorted(names)) or 'no parameters'}."
        detail = f"`{name}` (from {item.origin}) is not a parameter of the stack."
        found.append(ScriptError("script.parameter", "A parameter is not known", detail=detail, hint=hint))
    return found
