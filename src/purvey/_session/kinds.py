"""The kinds that purvey brings along, for whoever looks for one."""

from __future__ import annotations

import pkgutil

import purvey.resources
from purvey.providers._about import KindAbout, about
from purvey.providers.kind import registry


def families() -> list[str]:
    """The names of the families."""
    found = pkgutil.iter_modules(purvey.resources.__path__)
    return sorted(module.name for module in found if module.ispkg and not module.name.startswith("_"))


def kinds(name: str = "") -> list[KindAbout]:
    """What is told of kinds.

    Args:
        name: A kind, or a family; empty for all.

    Raises:
        ScriptError: ``script.unknown_kind`` if it is neither.
    """
    if name in ("", *families()):
        wanted = [name] if name else families()
        return [about(kind) for family in wanted for kind in registry.own(family)]
    return [about(registry.get(name))]
