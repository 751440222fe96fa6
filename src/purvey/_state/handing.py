"""Hands an object over to another stack, with everything that lives in it. Pure; the records are written in one transaction.

Nothing may be torn: what stays behind must not need what leaves, and what leaves must not live in, or be given, what stays.
A need that only says "after this one" ends with the move, for the order of two stacks is nobody's business but theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from purvey._base.address import full
from purvey._base.value import NodeLink, walk
from purvey._state.moving import readdressed
from purvey._state.record import Noted, thawed
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.errors import StateError


class HandOver(msgspec.Struct, frozen=True):
    """The records of the stack that an object leaves, and of the one that it comes to; there, its own is the first."""

    leaving: tuple[Noted, ...]
    arriving: tuple[Noted, ...]


def hand_over(source: tuple[str, State], target: tuple[str, State], address: str, to: str, now: float) -> HandOver:
    """Everything that is written when the object at `address` goes to another stack.

    Args:
        source: The stack that has it, and what is recorded there.
        target: The stack that gets it, likewise.
        address: The object.
        to: Its address there; what lives in it keeps its own.
        now: Seconds since the epoch.

    Raises:
        StateError: ``state.torn_apart``, ``state.address_taken``, ``state.edit_in_doubt``, ``state.has_older``.
    """
    leaving = _with_contents(source[1], address)
    addresses = {item.address: to if item.address == address else item.address for item in leaving}
    _require_whole(source[1], leaving)
    _require_calm(source[1], leaving)
    _require_free(target, addresses.values())
    generations = {new: target[1].generations.get(new, 0) + 1 for new in addresses.values()}
    gone: list[Noted] = []
    come: list[Noted] = []
    for item in leaving:
        new = _arrived(item, source[0], addresses, generations)
        gone.append(
            Noted(
                at=now, what="forgotten", address=item.address, generation=item.generation,
                to=full(target[0], new.address), prior=item,
            )
        )  # fmt: skip
        come.append(
            Noted(
                at=now, what="moved", address=new.address, generation=new.generation, state=new,
                was=full(source[0], item.address),
            )
        )  # fmt: skip
    return HandOver(tuple(reversed(gone)), tuple(come))


def _with_contents(state: State, address: str) -> list[ResourceState]:
    """The object and what lives in it, containers first."""
    found: dict[str, ResourceState] = {}
    todo = [address]
    while todo:
        current = todo.pop()
        record = state.latest(current)
        if record is not None and current not in found:
            found[current] = record
            todo += [item.address for item in state.dependants(current) if item.container == current]
    return list(found.values())


def _arrived(item: ResourceState, source: str, addresses: Mapping[str, str], generations: Mapping[str, int]) -> ResourceState:
    address = addresses[item.address]
    home = item.home or item.address
    return msgspec.structs.replace(
        item,
        address=address,
        generation=generations[address],
        home=home if home.count("::") > 1 else full(source, home),
        needs=tuple(addresses[need] for need in item.needs if need in addresses),
        behind=tuple(addresses[need] for need in item.behind if need in addresses),
        container=addresses.get(item.container, ""),
        inputs=readdressed(thawed(item.inputs), addresses),
        follows={addresses[need]: generations[addresses[need]] for need in item.follows if need in addresses},
        digest="",
    )


def _require_whole(state: State, leaving: Sequence[ResourceState]) -> None:
    inside = {item.address for item in leaving}
    behind = [
        f"{other.address} needs {item.address}"
        for item in leaving
        for other in state.dependants(item.address)
        if other.address not in inside
    ]
    given = [
        f"{item.address} has {need}"
        for item in leaving
        for need in dict.fromkeys((item.container, *_nodes_in(item)))
        if need and need not in inside
    ]
    if behind or given:
        raise StateError(
            "state.torn_apart",
            "The object cannot leave its stack alone",
            detail="\n".join((*behind, *given)),
            hint="Move what it lives in, which takes everything in it along, or apply the script without these uses first.",
        )


def _nodes_in(item: ResourceState) -> list[str]:
    return [link.address for link in walk(thawed(item.inputs)) if isinstance(link, NodeLink)]


def _require_calm(state: State, leaving: Sequence[ResourceState]) -> None:
    inside = {item.address for item in leaving}
    doubted = sorted({doubt.begun.address for doubt in state.in_doubt.values()} & inside)
    if doubted:
        raise StateError(
            "state.edit_in_doubt",
            "An operation on the object is in doubt",
            detail=f"The last change of {', '.join(doubted)} began and its end is not recorded.",
            hint="Resume the run, or apply, so that it is settled first.",
        )
    older = sorted({item.address for item in state.older()} & inside)
    if older:
        raise StateError(
            "state.has_older",
            "An object that was replaced is still there",
            detail=f"The former object of {', '.join(older)} waits for its deletion, which is this stack's business.",
            hint="Apply first: it removes what was replaced.",
        )


def _require_free(target: tuple[str, State], addresses: Iterable[str]) -> None:
    taken = [address for address in addresses if target[1].latest(address) is not None]
    if taken:
        raise StateError(
            "state.address_taken",
            "There is an object at the new address",
            detail=f"{', '.join(taken)} is recorded in {target[0]}.",
            hint="Name a free address with --to, or move the other object first.",
        )
