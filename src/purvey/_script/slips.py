"""What was most likely meant, where Python itself refuses a line of a script: misspelt names, and what is not installed."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Iterable
from types import ModuleType

from purvey._script.host import Place
from purvey._script.resource import Options, Resource

_OPTION = re.compile(r"Unexpected keyword argument '(\w+)'")
_ARGUMENT = re.compile(r"(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'")


def hint_for(error: BaseException) -> str:
    """What to do about an error of Python's own; empty where nothing more is known than what it says."""
    if isinstance(error, TypeError):
        return _argument_meant(str(error))
    if isinstance(error, ModuleNotFoundError):
        return f"Install it into the environment that purvey runs in:\n\n    pip install {error.name}"
    if isinstance(error, AttributeError) and isinstance(error.obj, ModuleType) and error.name:
        names = getattr(error.obj, "__all__", None) or [name for name in vars(error.obj) if not name.startswith("_")]
        return _meant(error.name, names, f"`{error.obj.__name__}`")
    if isinstance(error, AttributeError) and isinstance(error.obj, Resource) and error.name:
        kind = type(error.obj)._kind  # noqa: SLF001 - each kind's class has one.
        return _meant(error.name, [*kind.outputs, *kind.inputs], f"A {kind.name}")
    return ""


def _argument_meant(said: str) -> str:
    if unknown := _OPTION.match(said):
        return _meant(unknown[1], Options.__struct_fields__, "Options")
    places = {place.__name__: place for place in Place.__subclasses__()}
    if (unknown := _ARGUMENT.match(said)) and (place := places.get(unknown[1])):
        return _meant(unknown[2], [name for name in inspect.signature(place).parameters if name != "self"], unknown[1])
    if "Ref" in said:
        return "An output is a reference until it is known. Take the real value with value(...), or format it with an f-string."
    return ""


def _meant(name: str, names: Iterable[str], whose: str) -> str:
    known = list(names)
    close = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean `{close[0]}`?" if close else f"{whose} has: {', '.join(known)}."
