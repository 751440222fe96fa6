"""Where an object is: an id tells it from others of its kind only inside what it lives in. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from purvey._state.resource import ResourceState
    from purvey._state.state import State

Place = tuple[tuple[str, str], ...]
"""What an object lives in, innermost first: kind and id of each container."""


def place(state: State, container: str) -> Place:
    """The place of what lives in the object at the address `container`; empty for what lives in nothing."""
    found: list[tuple[str, str]] = []
    record: ResourceState | None = state.latest(container)
    while record is not None and (record.kind, record.id) not in found:
        found.append((record.kind, record.id))
        record = state.latest(record.container)
    return tuple(found)
