"""Integrity: what must hold of every state; the oracle of the fault and property tests.

The engine refuses to operate on a state that violates these rules, and never refuses to write down what happened.
"""

from __future__ import annotations

from purvey._state.state import State


def violations(state: State) -> list[str]:
    """One sentence for each rule that `state` breaks; empty for a sound one.

    The rules: an object is filed under its own address and generation; no generation is above the highest one reserved; an
    operation in doubt has a begin. A container may be missing: where one is replaced with a gap, its contents wait for the new
    one.
    """
    found: list[str] = []
    for (address, generation), resource in state.resources.items():
        if (resource.address, resource.generation) != (address, generation):
            found.append(f"{address} #{generation} is filed under another object's key")
        if generation > state.generations.get(address, 0):
            found.append(f"{address} #{generation} is above the highest generation reserved")
    found += [
        f"operation {operation} is in doubt without a begin"
        for operation, doubt in state.in_doubt.items()
        if doubt.begun.operation != operation
    ]
    return found
