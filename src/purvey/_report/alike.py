"""Changes that are the same on many machines, or in many scopes, to be told once for all of them. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final, NamedTuple

import msgspec

from purvey._base.address import split
from purvey._plan.plan import Change

ALIKE_MIN: Final = 3
"""Scopes that have the same change before it is told once: two are compared more quickly than a list of them is read."""

_TEXTS: Final = ("cause", "undo", "goes_with", "why", "source")


class Alike(NamedTuple):
    """The same changes in several scopes.

    Attributes:
        scopes: The scopes, in the order of the plan.
        machines: Whether each of these is a machine.
        changes: The changes, with addresses inside their scope.
    """

    scopes: tuple[str, ...]
    machines: bool
    changes: list[Change]


def apart(changes: Sequence[Change]) -> tuple[list[Change], list[Alike]]:
    """Those changes that are told each by itself, and those that are told together, both in the order of the plan."""
    same: dict[Hashable, list[Change]] = {}
    for change in changes:
        same.setdefault(_key(change), []).append(change)
    alone: list[Change] = []
    together: dict[tuple[str, ...], Alike] = {}
    for found in same.values():
        scopes = tuple(split(change.address)[0] for change in found)
        if len(scopes) < ALIKE_MIN or not all(scopes):
            alone += found
            continue
        machines = all(change.where == scope for change, scope in zip(found, scopes, strict=True))
        together.setdefault(scopes, Alike(scopes, machines, [])).changes.append(_inside(found[0]))
    places = {change.address: place for place, change in enumerate(changes)}
    return sorted(alone, key=lambda change: places[change.address]), list(together.values())


def _key(change: Change) -> Hashable:
    return msgspec.json.encode(msgspec.structs.replace(_inside(change), generation=0))


def _inside(change: Change) -> Change:
    """A change as it reads inside its scope."""
    scope, _, _ = split(change.address)
    if not scope:
        return change
    texts = {name: getattr(change, name).replace(f"{scope}/", "") for name in _TEXTS}
    where = "" if change.where == scope else change.where
    return msgspec.structs.replace(change, address=change.address.removeprefix(f"{scope}/"), where=where, **texts)
