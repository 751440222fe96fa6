"""A plan as people read it: what is risky first, then what goes, what changes, what comes.

The last line is the sum. A reviewer who reads only the first section and the last line has seen what can hurt.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from purvey._plan.plan import Change, Plan
from purvey._report.alike import Alike, apart
from purvey._report.fields import field_lines, inline, visible
from purvey._report.style import Page, Span, bad, bold, dim
from purvey._report.values import KNOWN_AFTER_APPLY
from purvey._report.words import on_machine

ADDRESS_WIDTH_MAX: Final = 44
"""Longer addresses push their own line's text to the right, not that of all others."""

SHOWN_MAX: Final = 200
"""Changes of one action without risk that are listed; a plan of ten thousand creates is counted, not read."""

NAMED_MAX: Final = 12
"""Machines or scopes with the same changes that are all named; of more, the first and the last ones."""

_INDENT: Final = " " * 6

_SIGNS: Final[Mapping[str, Span]] = {
    "replace": Span("-/+ replace", "bad"),
    "delete": Span("  - delete ", "old"),
    "update": Span("  ~ update ", "change"),
    "create": Span("  + create ", "good"),
    "adopt": Span("  = adopt  ", "change"),
    "forget": Span("  . forget ", "dim"),
    "unreadable": Span("  ? unread ", "bad"),
    "none": Span("  ! keep   ", "bad"),
    "check": Span("  > check  ", "dim"),
}
"""How each action looks; their order is the order of the sections."""

_OBVIOUS: Final = {
    "create": {"", "delete it", "run its undo"},
    "update": {"", "put the former values back", "run its undo"},
    "replace": {"", "keep the old one, delete the new one"},
    "adopt": {"", "forget it"},
}
"""Undos that need no line of their own."""

_LIFTED: Final = {"opts.protect": "protection", "opts.retain": "retention"}
_LIFTS: Final = {
    "opts.protect": "a later plan may delete or replace the object",
    "opts.retain": "a later plan may delete the object from the world",
}
"""What a declaration takes away of what guards an object, and what follows."""

_UNSURE: Final = {"create": "  ? create ", "update": "  ? update ", "adopt": "  ? adopt  "}
"""How an action looks of which nobody can know yet whether it changes anything."""

_COUNTED: Final = {
    "create": "to create", "update": "to update", "replace": "to replace", "delete": "to delete", "adopt": "to adopt",
    "forget": "to forget", "unreadable": "cannot be read",
}  # fmt: skip


def plan_page(plan: Plan) -> Page:
    """The plan for people: risks, changes, where it pauses, warnings, and the sum.

    Args:
        plan: Any plan but that of a drift scan, which `purvey._report.drift_text` tells.
    """
    page = Page()
    stage = f", stage {plan.stage}" if plan.stage > 1 or plan.pauses else ""
    page.add(bold(f"{plan.stack}: {plan.verb}{stage}"))
    risky = [change for change in plan.changes if is_risky(change)]
    width = address_width(plan.changes)
    if risky:
        page.blank()
        page.add(bad("Look twice at these: they lose data, interrupt a service, or cannot be taken back"))
        _section(page, risky, width)
    others = [change for change in plan.changes if not is_risky(change)]
    if others:
        page.blank()
        _section(page, others, width)
    page.blank()
    _pauses(page, plan)
    _notes(page, plan)
    page.add(bold(plan_sum(plan)))
    return page


def is_risky(change: Change) -> bool:
    """Whether a reviewer must not miss the change: data, a gap, protection, or no way back.

    Deletions wait until everything else has passed and never have an undo, so that alone is no reason.
    """
    if change.action in ("check", "unreadable"):
        return False
    lifts = any(field.path in _LIFTED for field in change.fields)
    final = change.final and change.action not in ("delete", "forget")
    return bool(lifts or final or change.holds_data or change.gap or change.protected)


def plan_sum(plan: Plan) -> str:
    """The last line: how much of what."""
    counts = plan.counts()
    checks = counts.pop("check", 0)
    if plan.verb == "undo" and not plan.changes:
        text = "Nothing to take back: the run changed nothing, or it was taken back already"
    elif plan.is_empty and not plan.pauses:
        total = _of(plan.unchanged, "object")
        text = f"Nothing to do: {total} {'is' if plan.unchanged == 1 else 'are'} as declared"
    else:
        found = [f"{count} {_COUNTED[action]}" for action, count in counts.items()] or ["nothing to do in this stage"]
        unsure = sum(change.action != "unreadable" for change in plan.unsure)
        found[-1] += f", of which {unsure} cannot be known yet" if unsure else ""
        text = f"{plan.verb.capitalize() if plan.verb == 'undo' else 'Plan'}: {', '.join(found)}; {plan.unchanged} unchanged"
    stays = sum(change.action == "none" for change in plan.changes)
    text += f"; {stays} cannot be taken back" if stays else ""
    return f"{text}; {_of(checks, 'check')} to run." if checks else f"{text}."


def address_width(changes: Iterable[Change]) -> int:
    """How wide the column of addresses is."""
    return min(max((len(change.address) for change in changes), default=0), ADDRESS_WIDTH_MAX)


def _of(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _section(page: Page, changes: Sequence[Change], width: int) -> None:
    order = list(_SIGNS)
    for action in order:
        found = [change for change in changes if change.action == action]
        alone, together = apart(found)
        shown = alone if any(map(is_risky, alone)) else alone[:SHOWN_MAX]
        for change in shown:
            _change(page, change, width)
        if len(alone) > len(shown):
            kinds = Counter(change.kind for change in alone[len(shown) :])
            more = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common(5))
            page.add(dim(f"    … and {len(alone) - len(shown):,} more to {action}: {more}; --json lists them all"))
        for alike in together:
            _alike(page, alike)


def _alike(page: Page, alike: Alike) -> None:
    """What is the same in several scopes."""
    page.add("  ", bold(f"{'on' if alike.machines else 'in'} {_named(alike.scopes)}"), dim(f"  ({len(alike.scopes)} alike)"))
    width = address_width(alike.changes)
    for change in alike.changes:
        _change(page, change, width)


def _named(scopes: Sequence[str]) -> str:
    """The scopes; of many the first and the last ones."""
    return ", ".join(scopes if len(scopes) <= NAMED_MAX else (*scopes[:3], "…", scopes[-1]))


def _change(page: Page, change: Change, width: int) -> None:
    fields = visible(change)
    short = inline(fields[0]) if len(fields) == 1 and not change.reasons else ""
    place = change.cause.removeprefix("changed at ").removeprefix("declared at ")
    if short:
        story = f"{short}  ({place})" if place else short
    elif change.action in ("delete", "forget") and change.source:
        place = f"was at {change.source}" if change.cause else f"declared at {change.source}"
        story = ", ".join(part for part in (change.cause.removeprefix("it is "), place) if part)
    else:
        story = f"cannot be read: {change.cause}" if change.action == "unreadable" else change.cause
    on = dim(on_machine(change.where, change.address))
    page.add(_sign(change), "  ", bold(change.address.ljust(width)), "  ", on, dim(story) if not short else story)
    for line in [] if short else (line for field in fields for line in field_lines(field)):
        page.add(_INDENT, *line)
    told = {f"`{field.path}` cannot be changed in place" for field in fields}
    for reason in change.reasons:
        if reason not in told:
            page.add(_INDENT, reason)
    _verdict(page, change)
    _consequences(page, change)


def _sign(change: Change) -> Span:
    sign = _SIGNS[change.action]
    return Span(_UNSURE.get(change.action, sign.text), "change") if change.verdict == "cannot know" else sign


def _verdict(page: Page, change: Change) -> None:
    if change.verdict == "cannot know" and change.action != "unreadable":
        page.add(_INDENT, f"cannot know: {change.why}")
    if change.verdict == "will not" and change.action not in ("forget", "adopt"):
        page.add(_INDENT, dim("nothing changes on the machine"))


def _consequences(page: Page, change: Change) -> None:
    if change.moved_from:
        page.add(_INDENT, f"moved from {change.moved_from}")
    for field in change.fields:
        if field.path in _LIFTED:
            page.add(_INDENT, bad(f"{_LIFTED[field.path]} lifted at {change.source}: {_LIFTS[field.path]}"))
    if change.gap:
        page.add(_INDENT, bad("gap: the old object goes before the new one is there"))
    if change.goes_with:
        page.add(_INDENT, f"goes with {change.goes_with}, which it lives in")
    if change.holds_data:
        lost = "cannot be restored" if change.action == "update" else "is lost with it"
        page.add(_INDENT, bad(f"data: what the {'' if change.action == 'update' else 'old '}object holds {lost}"))
    if change.protected and change.action in ("delete", "replace", "forget"):
        page.add(_INDENT, bad(f"protected at {change.protected}: an apply refuses this"))
    if change.final and change.action not in ("delete", "forget"):
        page.add(_INDENT, bad("final: no undo can take this back"))
    elif change.undo not in _OBVIOUS.get(change.action, {change.undo}):
        page.add(_INDENT, dim(f"undo: {change.undo}"))


def _pauses(page: Page, plan: Plan) -> None:
    for pause in plan.pauses:
        inside = f" in {pause.scope}" if pause.scope else ""
        page.add(f"  then pauses at {pause.source}{inside} for {pause.link} ({KNOWN_AFTER_APPLY})")
    if plan.pauses:
        page.add(dim("  what is declared after that is planned then; what is not declared now is kept or deleted then"))
    if plan.later is not None and plan.operations:
        kinds = f" of {', '.join(plan.later.kinds)}" if plan.later.kinds else ""
        page.add(f"  this approval also covers up to {plan.later.at_most} later creates{kinds}")
    page.blank()


def _notes(page: Page, plan: Plan) -> None:
    if plan.skipped:
        page.add(f"Passed over by --target or --exclude: {_listed(plan.skipped)}")
    for warning in plan.warnings:
        first, _, more = warning.partition("\n")
        page.add(Span("Note: ", "change"), first)
        page.block(more, _INDENT)
    if plan.losses and plan.verb != "destroy":
        page.add(Span("Note: ", "change"), "data is lost that nothing restores: with `--yes`, add `--allow-final`")
    for refusal in plan.refusals:
        first, _, more = refusal.partition("\n")
        page.add(bad("An apply refuses this: "), first)
        page.block(more, _INDENT)
    if plan.skipped or plan.warnings or plan.refusals or plan.losses:
        page.blank()


def _listed(addresses: Sequence[str]) -> str:
    few = ", ".join(addresses[:5])
    return few if len(addresses) <= len(addresses[:5]) else f"{few} and {len(addresses) - 5} more"
