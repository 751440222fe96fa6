"""The rehearsal: a run that goes through, and then one for each operation after which it fails."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from purvey._graph import Node
from purvey._rehearse.finding import Finding, Rehearsal, Rehearsed, merged
from purvey._rehearse.order import left_to_chance
from purvey._rehearse.play import Played, Start, lookups, play, seed
from purvey._rehearse.verify import findings_of, forward_findings
from purvey.errors import PurveyError, RefusedError
from purvey.providers import Unreadable

Progress = Callable[[int, int], None]
"""Told how many operations of how many have been let fail."""


def unwatched(done: int, total: int) -> None:
    """The progress that nobody watches."""


def rehearse(start: Start, progress: Progress) -> Rehearsal:
    """Let the run fail after each of its operations in turn, and say what the undo would not restore.

    Args:
        start: Where each run starts from.
        progress: See `Progress`.

    Raises:
        RefusedError: if a guard refuses the plan, as it would refuse the apply.
        ScriptError: if the script is wrong.
    """
    seeded = seed(start)
    whole = play(start, seeded, 0)
    if isinstance(whole.error, RefusedError) or (whole.error is not None and not whole.operations):
        raise whole.error
    request = msgspec.structs.replace(start.request, lookups={**start.request.lookups, **lookups(whole)})
    start = msgspec.structs.replace(start, request=request)
    last = whole.operations[-1][1].id if whole.operations else ""
    found: list[Finding] = forward_findings(whole, last)
    told: list[Rehearsed] = []
    total = len(whole.operations)
    for number, (stage, operation) in enumerate(whole.operations, 1):
        progress(number - 1, total)
        played = play(start, seeded, number)
        here = _after(played, start, operation.id, whole.nodes.get(operation.address), last=number == total)
        told.append(
            Rehearsed(operation=operation.id, address=operation.address, verb=operation.verb, stage=stage, restored=not here)
        )
        found += here
    progress(total, total)
    return Rehearsal(
        stack=start.parts.stack,
        operations=tuple(told),
        findings=merged(found),
        limits=tuple(_limits(start, whole, whole.error)),
    )


def _after(played: Played, start: Start, operation: str, node: Node | None, *, last: bool) -> list[Finding]:
    found = findings_of(played, start.state, operation, node)
    if last and played.undo is not None:
        by_chance = left_to_chance(played.undo, played.undone, played.kinds)
        found += [msgspec.structs.replace(item, after=(operation,)) for item in by_chance]
    return found


def _limits(start: Start, whole: Played, error: PurveyError | None) -> list[str]:
    """What was not rehearsed, and what no undo is meant to restore."""
    found = [f"{record.address} cannot be read now; the record was believed." for record in start.state.resources.values()
             if isinstance(start.seen.get((record.address, record.generation)), Unreadable)]  # fmt: skip
    found += [
        f"{doubt.begun.address}: its {doubt.begun.verb} has begun and not ended; a real run settles it first."
        for doubt in start.state.in_doubt.values()
    ]
    last = [item.address for item in whole.deletions if item.verb == "delete"]
    if last:
        count, names = len(last), ", ".join(last)
        found.append(
            f"{count} deletion{' comes' if count == 1 else 's come'} last, after every check has passed, and no undo takes "
            f"{'it' if count == 1 else 'them'} back: {names}."
        )
    if error is not None:
        found.append(f"What comes after stage {whole.operations[-1][0]} depends on values that only a real run gives: {error}")
    return found
