"""Claims: what an object occupies alone, and what it has only a part of. Pure."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

_PART: Final = "part-of:"


def part_of(claim: str) -> str:
    """The claim of one that has a part of a thing, and shares it with others who have parts, but with nobody who has it all."""
    return f"{_PART}{claim}"


def rivals(claim: str) -> tuple[str, ...]:
    """The claims of another object that collide with a claim."""
    return (claim.removeprefix(_PART),) if claim.startswith(_PART) else (claim, part_of(claim))


def contested(wanted: AbstractSet[str], held: AbstractSet[str]) -> frozenset[str]:
    """Those of the wanted claims that collide with held ones."""
    return frozenset(claim for claim in wanted if not held.isdisjoint(rivals(claim)))
