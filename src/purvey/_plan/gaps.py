"""Who occupies what: two nodes that want one thing, and old objects that must go before new ones can take their place. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from purvey._graph import Node
from purvey._plan.decide import Decider
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey.errors import ScriptError
from purvey.providers.claim import part_of, rivals

Key = tuple[str, int]

Holders = dict[tuple[str, str], tuple[str, str]]
"""Who occupies what: by the machine and what is claimed there, the address and the line of the one who does."""


def gaps_of(decider: Decider, gone: Mapping[Key, ResourceState]) -> set[str]:
    """Addresses whose old object must go before a new one can take its place.

    Raises:
        ScriptError: ``script.claim`` if two nodes occupy one thing; ``script.retained_in_the_way``.
    """
    holders: Holders = {}
    gaps: set[str] = set()
    for address, record in decider.settled.items():
        if decider.kinds.get(record.kind).claims_anything:
            _claim(decider, address, record.kind, _plain(record), record, holders)
    for address, decision in decider.decisions.items():
        node = decision.node
        _claim(decider, address, node.kind, decision.inputs, node, holders)
    leaving = [(key[0], resource) for key, resource in gone.items()]
    leaving += [
        (address, decision.record)
        for address, decision in decider.decisions.items()
        if decision.action == "replace" and decision.record is not None
    ]
    for address, record in leaving:
        if _is_in_the_way(decider, address, record, holders):
            _refuse_retained(record)
            gaps.add(address)
    return gaps


def _is_in_the_way(decider: Decider, address: str, record: ResourceState, holders: Holders) -> bool:
    """Whether a new object can be made only when this one is gone."""
    kind = decider.kinds.get(record.kind)
    if kind.delete_first and address in decider.decisions:
        return True
    if not kind.claims_anything:
        return False
    claims = decider.ask(kind.provider.claims, address, _plain(record), kind, ())
    return any((record.where, rival) in holders for claim in claims for rival in rivals(claim))


def _refuse_retained(record: ResourceState) -> None:
    """Stop where a place must be made free by an object that stays in the world.

    Raises:
        ScriptError: ``script.retained_in_the_way``.
    """
    if record.retain:
        raise ScriptError(
            "script.retained_in_the_way",
            "An object that is retained is in the way",
            detail=f"A new object needs the place of {record.address}, which stays in the world because it was declared with "
            "Options(retain=True).",
            hint="Declare it with Options(retain=False) and apply that, so that it may be deleted; or give the new one another "
            "place.",
            address=record.address,
            source=record.source,
        )


def _plain(record: ResourceState) -> dict[str, object]:
    return {**thawed(record.inputs), **thawed(record.outputs)}


def _claim(
    decider: Decider, address: str, kind_name: str, inputs: Mapping[str, object], at: Node | ResourceState, holders: Holders
) -> None:
    """Note what a wanted node occupies.

    Raises:
        ScriptError: ``script.claim`` naming both lines.
    """
    kind = decider.kinds.get(kind_name)
    if not kind.claims_anything:
        return
    for claim in decider.ask(kind.provider.claims, address, inputs, kind, ()):
        holders.setdefault((at.where, claim), (address, at.source))
        for rival in rivals(claim):
            other = holders.get((at.where, rival), (address, ""))
            if other[0] != address:
                raise _collision(claim, rival, (address, at.source), other)


def _collision(claim: str, rival: str, here: tuple[str, str], other: tuple[str, str]) -> ScriptError:
    first, second = (f"{address} ({source})" for address, source in (other, here))
    detail = f"{first} and {second} both want {claim} for themselves."
    hint = "Change one of them, or declare it once and pass it to both users."
    if claim != rival:
        whole, all_of, part = (first, rival, second) if claim == part_of(rival) else (second, claim, first)
        detail = f"{whole} wants all of {all_of} for itself, and {part} a part of it: each would undo what the other does."
        hint = "Say the part in the one that has it all, or leave all the rest to others and declare parts alone."
    return ScriptError("script.claim", "Two nodes occupy one thing", detail=detail, hint=hint, address=here[0], source=here[1])
