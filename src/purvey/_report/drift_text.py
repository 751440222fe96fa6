"""What a drift scan found, as people read it: each difference between the record and the world, and how to repair it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from purvey._base.compare import FieldChange
from purvey._plan.plan import Change, Plan
from purvey._report.fields import field_lines, visible
from purvey._report.style import Page, Span, bold, dim
from purvey._report.text import address_width
from purvey._report.words import by_number, on_machine

_SIGNS: Final[Mapping[str, Span]] = {
    "gone": Span("  - gone      ", "bad"),
    "differs": Span("  ~ differs   ", "change"),
    "unreadable": Span("  ? unreadable", "bad"),
}


def drift_page(plan: Plan, repair: str) -> Page:
    """The differences, what is recorded and what is there now, and the sum.

    Args:
        plan: The plan of a drift scan: what an apply would do to bring the recorded values back.
        repair: The command which does that.
    """
    page = Page()
    page.add(bold(f"{plan.stack}: drift"))
    page.blank()
    width = address_width(plan.changes)
    for word in _SIGNS:
        for change in sorted(plan.changes, key=lambda item: by_number(item.address)):
            if found_of(change) == word:
                _difference(page, change, word, width)
    page.blank()
    page.add(bold(drift_sum(plan)))
    if plan.changes:
        page.add("Bring back what is recorded with")
        page.blank()
        page.add(f"    {repair}")
    return page


def found_of(change: Change) -> str:
    """What was found of an object: ``gone``, ``differs`` or ``unreadable``."""
    if change.action == "unreadable":
        return "unreadable"
    return "gone" if change.cause == "it is gone" else "differs"


def drift_sum(plan: Plan) -> str:
    """The last line: how much of what."""
    found = [found_of(change) for change in plan.changes]
    counts = {word: found.count(word) for word in _SIGNS if word in found}
    told = {"gone": "gone", "differs": "differ" if counts.get("differs", 0) > 1 else "differs", "unreadable": "unreadable"}
    parts = [f"{count} {told[word]}" for word, count in counts.items()]
    looked = len(found) + plan.unchanged
    same = f"{looked} object{'' if looked == 1 else 's'} looked at, {plan.unchanged if parts else 'all'} as recorded"
    return f"Drift: {', '.join(parts)}; {same}." if parts else f"No drift: {same}."


def _difference(page: Page, change: Change, word: str, width: int) -> None:
    place = f"{on_machine(change.where, change.address)}declared at {change.source}"
    page.add(_SIGNS[word], "  ", bold(change.address.ljust(width)), "  ", dim(place))
    if word == "unreadable":
        page.add("      ", change.cause)
        return
    for field in visible(change):
        if field.because == "drift":
            for line in field_lines(FieldChange(field.path, field.after, field.before)):
                page.add("      ", *line)
