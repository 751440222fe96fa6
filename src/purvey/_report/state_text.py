"""What is remembered, as people read it: the list of objects, and one object's record. Secrets are masked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from purvey._base.clock import timestamp
from purvey._base.value import Value
from purvey._report.style import Page, Span, bold, dim
from purvey._report.values import shown
from purvey._report.words import on_machine
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey._state.store import StoreFacts
from purvey._state.tag_out import TagOut


def state_page(objects: Sequence[ResourceState]) -> Page:
    """One line for each object: address, id, and what is special about it."""
    page = Page()
    if not objects:
        page.add("Nothing is recorded.")
        return page
    width = max(len(item.address) for item in objects)
    newest = {item.address: item.generation for item in objects}
    for item in objects:
        newest[item.address] = max(newest[item.address], item.generation)
    for item in objects:
        notes = _notes(item, newest[item.address])
        place = on_machine(item.where, item.address)
        page.add(item.address.ljust(width), "  ", dim(f"{place}{item.id}"), f"  ({', '.join(notes)})" if notes else "")
    return page


def tags_page(tags: Sequence[TagOut]) -> Page:
    """One line for each tag: what must not be touched, since when, who says so and why."""
    page = Page()
    if not tags:
        page.add("Nothing is tagged out.")
        return page
    width = max(len(tag.address) for tag in tags)
    for tag in tags:
        page.add(tag.address.ljust(width), "  ", dim(f"{timestamp(tag.at)} {tag.user}@{tag.host}"), f"  {tag.reason}")
    return page


def store_page(facts: StoreFacts) -> Page:
    """A store at a glance."""
    page = Page()
    page.add(bold(facts.location))
    told = {
        "estate": facts.estate, "key": f"{facts.key_id} in {facts.key_place}", "stacks": ", ".join(facts.stacks) or "none",
        "objects": str(facts.objects), "in doubt": str(facts.in_doubt), "tagged out": str(facts.tags),
    }  # fmt: skip
    _table(page, {key: Span(value) for key, value in told.items()})
    return page


def object_page(item: ResourceState) -> Page:
    """One object's whole record."""
    page = Page()
    page.add(bold(item.address))
    facts = {
        "kind": item.kind, "id": item.id, "name": item.name, "generation": str(item.generation),
        "declared at": item.source, "on": item.where, "lives in": item.container, "needs": ", ".join(item.needs),
        "last changed by": item.run,
    }  # fmt: skip
    notes = _notes(item, item.generation)
    _table(page, {key: Span(value) for key, value in facts.items() if value} | {key: Span("yes") for key in notes})
    for title, values in (("Inputs", item.inputs), ("Outputs", item.outputs)):
        if values:
            page.blank()
            page.add(bold(title))
            _table(page, {key: Span(shown(value)) for key, value in _sorted(values).items()})
    return page


def _table(page: Page, rows: Mapping[str, Span]) -> None:
    width = max(map(len, rows))
    for key, value in rows.items():
        page.add(dim(f"  {key.ljust(width)}  "), value)


def _sorted(values: Mapping[str, Value]) -> dict[str, Value]:
    return dict(sorted(thawed(dict(values)).items()))


def _notes(item: ResourceState, newest: int) -> list[str]:
    found = {
        "protected": item.protect,
        "retained on delete": item.retain,
        "adopted": item.adopted,
        "passed over by the last run": item.skipped,
        f"old generation {item.generation}, to be deleted": item.generation < newest,
    }
    return [note for note, holds in found.items() if holds]
