"""What lives in a container goes with it: which recorded objects that concerns. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from purvey._plan.decide import Decider
from purvey._plan.decision import Decision
from purvey._state.resource import ResourceState

Key = tuple[str, int]


def inside(decider: Decider, homes: Sequence[ResourceState]) -> dict[Key, ResourceState]:
    """What lives in objects that go, and nothing was decided about: it goes with them, whatever the run is about."""
    doomed = {(home.address, home.generation) for home in homes if not home.retain}
    known = {*doomed, *((home.address, home.generation) for home in homes)}
    found: dict[Key, ResourceState] = {}
    while True:
        more = {
            key: record
            for key, record in decider.state.resources.items()
            if (record.container, record.follows.get(record.container, 0)) in doomed
            and key not in known
            and key[0] not in decider.decisions
        }
        if not more:
            return found
        found |= more
        known |= more.keys()
        doomed |= more.keys()


def goes_with(resource: ResourceState, addresses: set[str], decider: Decider) -> bool:
    """Whether the object disappears with the container it lives in."""
    if not resource.container or decider.kinds.get(resource.kind).delete_first:
        return False
    container = decider.state.latest(resource.container)
    return container is None or (resource.container in addresses and not container.retain)


def lives_in_one_of(record: ResourceState, found: Mapping[Key, ResourceState], decider: Decider) -> bool:
    """Whether the object disappears with the very container that it was made in."""
    home = (record.container, record.follows.get(record.container, 0))
    return home in found and not found[home].retain and not decider.kinds.get(record.kind).delete_first


def goes_with_old(container: Decision | None) -> bool:
    """Whether what was in a container is gone when a new one has taken its place: not where the old one is retained."""
    if container is None or container.action not in ("replace", "create"):
        return False
    return container.lost or container.record is None or not container.record.retain
