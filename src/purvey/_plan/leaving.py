"""What a plan removes: in which order, and what of it stays in the world all the same. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from purvey._plan.decide import Decider
from purvey._plan.plan import Change
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey.providers import Provider

_MACHINES_MAX: Final = 3
"""Machines that are named in one line."""


def newest_first(resources: Iterable[ResourceState]) -> list[ResourceState]:
    """Objects in the order in which they go: machine by machine, and on each what was made last before the others."""
    return sorted(resources, key=lambda resource: (natural(resource.where), -resource.made_at))


def natural(text: str) -> list[tuple[int, str]]:
    """What to sort by where numbers stand in names: ``web-2`` before ``web-10``."""
    return [(int(part), "") if part.isdecimal() else (0, part) for part in re.split(r"(\d+)", text)]


def leaves(decider: Decider, resource: ResourceState) -> tuple[str, ...]:
    """What stays in the world when an object is removed, in its kind's words."""
    kind = decider.kinds.get(resource.kind)
    if type(kind.provider).leaves is Provider.leaves:
        return ()
    values = {**thawed(resource.inputs), **thawed(resource.outputs)}
    return tuple(decider.ask(kind.provider.leaves, resource.address, values, kind, ()))


def stays_behind(changes: Iterable[Change]) -> str:
    """One line for all that stays when objects go: ``Stays behind: /srv/ana on web-1, web-2, web-3 and 7 more``."""
    places: dict[str, list[str]] = {}
    for change in changes:
        for what in change.leaves:
            places.setdefault(what, []).append(change.where)
    told = "; ".join(f"{what}{_on(where)}" for what, where in places.items())
    return f"Stays behind: {told}" if told else ""


def _on(machines: Sequence[str]) -> str:
    named = [machine or "this machine" for machine in machines]
    if named == ["this machine"]:
        return ""
    few, more = named[:_MACHINES_MAX], len(named) - _MACHINES_MAX
    return f" on {', '.join(few)}" + (f" and {more} more" if more > 0 else "")
