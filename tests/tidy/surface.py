"""The public surface as text: each public module, each export, each signature, so that a change to it is seen."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import types
from typing import TYPE_CHECKING, Any, get_origin

if TYPE_CHECKING:
    from collections.abc import Iterator

PUBLIC = ("purvey", "purvey.errors", "purvey.providers", "purvey.resources", "purvey.testing")


def public_modules() -> list[str]:
    """The modules that are promised to users: no part of their name begins with an underscore."""
    names: list[str] = []
    for root in filter(importlib.util.find_spec, PUBLIC):
        module = importlib.import_module(root)
        names.append(root)
        if root != "purvey" and hasattr(module, "__path__"):
            names += _below(module)
    return sorted(names)


def _below(package: types.ModuleType) -> Iterator[str]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield found.name


def exported(module: types.ModuleType) -> list[str]:
    """What a module promises: its `__all__`; nothing where it has none."""
    return list(getattr(module, "__all__", ()))


def render() -> str:
    """The whole surface, one block a module."""
    blocks = []
    for name in public_modules():
        module = importlib.import_module(name)
        if lines := [line for export in sorted(exported(module)) for line in _entry(export, getattr(module, export))]:
            blocks.append("\n".join([name, *(f"    {line}" for line in lines)]))
    return "\n\n".join(blocks) + "\n"


def _entry(name: str, thing: object) -> Iterator[str]:
    if isinstance(thing, types.ModuleType):
        yield f"module {name}"
    elif inspect.isclass(thing):
        yield f"class {name}{_bases(thing)}{_signature(thing)}"
        yield from (f"    {line}" for line in _members(thing))
    elif inspect.isroutine(thing):
        yield f"{_kind(thing)} {name}{_signature(thing)}"
    elif get_origin(thing) is not None or isinstance(thing, types.UnionType):
        yield f"type {name} = {thing}"
    else:
        yield f"{name}: {type(thing).__name__}"


def _bases(thing: type) -> str:
    names = [base.__name__ for base in thing.__bases__ if base is not object and not _is_hidden(base)]
    return f" <- {', '.join(names)} " if names else " "


def _is_hidden(base: type) -> bool:
    """Whether users cannot name a base class, so that what it gives counts as the class's own."""
    private = any(part.startswith("_") for part in base.__module__.split("."))
    return private and not any(getattr(importlib.import_module(name), base.__name__, None) is base for name in public_modules())


def _members(thing: type) -> Iterator[str]:
    hidden = [base for base in thing.__mro__[1:] if base is not object and _is_hidden(base)]
    members = {name: member for holder in (*reversed(hidden), thing) for name, member in vars(holder).items()}
    for name, member in sorted(members.items()):
        if name.startswith("_"):
            continue
        plain = member.__func__ if isinstance(member, classmethod | staticmethod) else member
        if isinstance(plain, property):
            yield f"property {name}{_returns(plain)}"
        elif inspect.isroutine(plain):
            yield f"{_kind(plain)} {name}{_signature(plain)}"


def _kind(thing: object) -> str:
    return "async def" if inspect.iscoroutinefunction(thing) or inspect.isasyncgenfunction(thing) else "def"


def _signature(thing: Any) -> str:
    try:
        return str(inspect.signature(thing)).replace("'", "")
    except (TypeError, ValueError):
        return "(...)"


def _returns(member: property) -> str:
    told = inspect.signature(member.fget).return_annotation if member.fget else inspect.Signature.empty
    return "" if told is inspect.Signature.empty else f" -> {told}".replace("'", "")
