"""Tags on objects: what somebody works on is not touched. Looked at before the first write; the journal looks once more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from purvey._base.clock import timestamp
from purvey._plan.plan import Plan
from purvey._state.tag_out import TagOut
from purvey.errors import RefusedError


def tagged(plan: Plan, tags: Iterable[TagOut]) -> tuple[str, ...]:
    """One sentence for each tag on an object that the plan touches."""
    return tuple(line for _, line in _told({change.address for change in plan.changes if change.touches}, tags))


def refuse_tagged(addresses: Iterable[str], tags: Iterable[TagOut]) -> None:
    """Stop before an object is touched that is tagged out.

    Args:
        addresses: What would be touched.
        tags: Every tag of the stack.

    Raises:
        RefusedError: ``refused.tagged_out``.
    """
    found = _told(set(addresses), tags)
    if found:
        raise RefusedError(
            "refused.tagged_out",
            "Objects that the run would touch are tagged out",
            reasons=found,
            hint="Ask who hung up the tags. `purvey tag-out --list` shows them, and --release takes them off.",
        )


def _told(addresses: set[str], tags: Iterable[TagOut]) -> list[tuple[str, str]]:
    hanging: Sequence[TagOut] = [tag for tag in tags if not tag.released_by and tag.address in addresses]
    return [
        (tag.address, f"{tag.address} is tagged out by {tag.user}@{tag.host} since {timestamp(tag.at)}: {tag.reason}")
        for tag in hanging
    ]
