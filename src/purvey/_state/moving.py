"""Gives an object another address, and lets everything that refers to it follow. Pure.

Invariant: the cost of a move is that of the object and of what refers to it, whatever else is recorded.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from purvey._base.value import NodeLink, Value
from purvey._state.record import Noted, thawed
from purvey._state.resource import ResourceState
from purvey._state.state import State


def moved(state: State, old: ResourceState, to: str, now: float) -> list[Noted]:
    """The records that file an object under another address; the first is its own.

    Each holds what was recorded before, so that an undo can put it back.

    Args:
        state: What is recorded.
        old: The object.
        to: Its new address, at which nothing is recorded.
        now: Seconds since the epoch.
    """
    generation = state.generations.get(to, 0) + 1
    new = msgspec.structs.replace(old, address=to, generation=generation, home=home_after(old, to))
    records = [Noted(at=now, what="moved", address=to, generation=new.generation, state=new, was=old.address, prior=old)]
    for other in state.dependants(old.address):
        follower = _following(other, old.address, new)
        records.append(
            Noted(at=now, what="refreshed", address=other.address, generation=other.generation, state=follower, prior=other)
        )
    return records


def home_after(old: ResourceState, to: str) -> str:
    """Where a moved object keeps its own files: where it did; empty where that is at its new address."""
    home = old.home or old.address
    return "" if home == to else home


def _following(other: ResourceState, was: str, new: ResourceState) -> ResourceState:
    addresses = {was: new.address}
    follows = {addresses.get(need, need): generation for need, generation in other.follows.items()}
    if was in other.follows:
        follows[new.address] = new.generation
    return msgspec.structs.replace(
        other,
        needs=tuple(addresses.get(need, need) for need in other.needs),
        behind=tuple(addresses.get(need, need) for need in other.behind),
        container=addresses.get(other.container, other.container),
        inputs=readdressed(thawed(other.inputs), addresses),
        follows=follows,
        digest="",
    )


def readdressed(value: Value, addresses: Mapping[str, str]) -> Value:
    """`value` with the nodes in it under their new addresses."""
    kind = type(value)
    if kind is NodeLink:
        return NodeLink(addresses.get(value.address, value.address))
    if kind is dict:
        return {key: readdressed(item, addresses) for key, item in value.items()}
    if kind is list:
        return [readdressed(item, addresses) for item in value]
    return value
