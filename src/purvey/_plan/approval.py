"""What a yes covers: exactly the changes that were shown, or less. Pure.

An approval is written down with the bounds of each change: the declaration that it follows, the fields that may change and what
they may become, and what is risky about it. A run that goes on, and a plan file that is performed, may do what is within them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from purvey._base.value import Masked, Value, digest, is_known
from purvey._graph import Later
from purvey._plan.plan import Change, Plan
from purvey._state.record import Approved, Bound

LATER: Final = "the first approval, with later()"
"""Who approved a stage that an earlier approval covers."""

_HARMLESS: Final = ("check", "none", "unreadable")
_REMOVALS: Final = ("delete", "forget")
_RISKS: Final = ("gap", "final", "holds_data")
_OPEN: Final = ("create", "update", "adopt")
"""What a change may turn out to be of which nobody could know."""

_SHRINKS: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("replace",), "update": ("replace",), "delete": ("replace",), "forget": ("delete", "replace"),
}  # fmt: skip
"""What else, once approved, lets an action happen: a replacement that turns out smaller, or what is left of it."""


def approval(plan: Plan, at: float, by: str) -> Approved:
    """The record of a yes to all of `plan`; its digest identifies what that does."""
    return Approved(
        at=at, digest=digest(msgspec.to_builtins(plan)), stage=plan.stage, by=by, covers=tuple(map(_name, _effective(plan))),
        bounds=_bounds(_effective(plan), plan),
        removes=tuple(change.address for change in plan.changes if change.removes),
        later_at_most=plan.later.at_most if plan.later is not None else 0,
        later_kinds=plan.later.kinds if plan.later is not None else (),
    )  # fmt: skip


def beyond(plan: Plan, approved: Iterable[Approved]) -> list[tuple[str, str]]:
    """What the plan would do that nobody has said yes to: the address of each change, and a line."""
    return [(change.address, line) for change, line in _uncovered(plan, approved)]


def losses(plan: Plan, approved: Iterable[Approved]) -> list[Change]:
    """By what data is lost that nobody has said yes to; a destroy says it with its name."""
    return [change for change, _ in _uncovered(plan, approved) if change.holds_data and plan.verb != "destroy"]


def _uncovered(plan: Plan, approved: Iterable[Approved]) -> list[tuple[Change, str]]:
    """The changes that no yes covers, and why."""
    given, priors = [record.bounds for record in approved], _priors(plan)
    looked = [(change, _beyond(change, _bound(change, plan, priors), given)) for change in _effective(plan)]
    return [(change, why) for change, why in looked if why]


def remaining(plan: Plan, approved: Sequence[Approved]) -> Later | None:
    """What is left of the creates that an approval lets later stages have; what the plan asks for where none was given yet.

    The first yes that showed such a bound gave it, for the whole run: neither a resume nor a second yes renews it.
    """
    given = next((record for record in approved if record.later_at_most), None)
    if given is None:
        return plan.later
    used = {item for record in approved if record.by == LATER for item in record.covers}
    left = given.later_at_most - len(used)
    return Later(left, given.later_kinds) if left > 0 else None


def within_later(plan: Plan, approved: Sequence[Approved]) -> Approved | None:
    """The record of what `later` covers of a plan, if it covers all that is new: creates only, of its kinds, not too many.

    What nothing takes back is not among them: of that the first approval said nothing.
    """
    bound = remaining(plan, approved)
    new = tuple(change for change, _ in _uncovered(plan, approved))
    if bound is None or not any(record.later_at_most for record in approved) or len(new) > bound.at_most:
        return None
    if any(change.action != "create" or change.final or (bound.kinds and change.kind not in bound.kinds) for change in new):
        return None
    return Approved(
        at=0.0, digest="", stage=plan.stage, by=LATER, covers=tuple(map(_name, new)),
        bounds=_bounds(new, plan),
    )  # fmt: skip


def _effective(plan: Plan) -> list[Change]:
    return [change for change in plan.changes if change.action not in _HARMLESS]


def _name(change: Change, action: str = "") -> str:
    """What a change is called in an approval; an address can lose several objects at once, so a removal says which."""
    action = action or change.action
    return f"{action} {change.address}" + (f" #{change.generation}" if action in _REMOVALS else "")


def _bounds(changes: Iterable[Change], plan: Plan) -> dict[str, Bound]:
    priors = _priors(plan)
    return {_name(change): _bound(change, plan, priors) for change in changes}


def _priors(plan: Plan) -> dict[str, int]:
    """Which generation the first operation at each address finds."""
    found: dict[str, int] = {}
    for operation in plan.operations:
        found.setdefault(operation.address, operation.prior)
    return found


def _bound(change: Change, plan: Plan, priors: Mapping[str, int]) -> Bound:
    node = plan.nodes.get(change.address)
    removal = change.action in _REMOVALS  # Final by nature; what it loses is said by its other risks.
    prior = priors.get(change.address, 0)
    return Bound(
        generation=change.generation if removal else prior if change.action == "replace" else 0,
        wish=node.digest if node is not None else "",
        fields={field.path: digest(_bare(field.after)) if is_known(field.after) else "" for field in change.fields},
        risks=tuple(risk for risk in _RISKS if getattr(change, risk) and not (removal and risk == "final")),
        unsure=change.verdict == "cannot know",
    )


def _bare(value: Value) -> Value:
    """`value` with each secret as its digest alone: its sealed form differs from time to time."""
    kind = type(value)
    if kind is Masked:
        return value.digest
    if kind is dict:
        return {key: _bare(item) for key, item in value.items()}
    return [_bare(item) for item in value] if kind is list else value


def _beyond(change: Change, now: Bound, given: Sequence[Mapping[str, Bound]]) -> str:
    """Why no yes covers a change; empty if one does."""
    told = f"{change.action} {change.address} ({change.cause})"
    for bounds in reversed(given):
        if _was_open(change, now, bounds):
            return ""
        same = bounds.get(_name(change))
        if change.action == "update":  # Of what was taken over, and then was to be changed.
            same = same or bounds.get(f"adopt {change.address}")
        if same is not None:
            told = _grown(change, now, same)
        wider = [bounds[name] for action in _SHRINKS.get(change.action, ()) if (name := _name(change, action)) in bounds]
        if same is not None and not told:
            return ""
        if any(now.generation == item.generation if now.generation else now.wish == item.wish for item in wider):
            return ""
    return told


def _was_open(change: Change, now: Bound, bounds: Mapping[str, Bound]) -> bool:
    """Whether a yes was given to whatever the wish takes, for it could not be known what that is."""
    if change.action not in _OPEN:
        return False
    shown = [bounds[name] for action in _OPEN if (name := _name(change, action)) in bounds]
    return any(item.unsure and item.wish == now.wish and set(now.risks) <= set(item.risks) for item in shown)


def left_open(address: str, wish: str, approved: Iterable[Approved]) -> bool:
    """Whether a yes let an object be made of which it could not be known if it would be there already."""
    shown = (record.bounds.get(f"create {address}") for record in approved)
    return any(item is not None and item.unsure and item.wish == wish for item in shown)


def _grown(change: Change, now: Bound, was: Bound) -> str:
    """How a change is more than what was approved of it; empty if it is not."""
    if now.generation != was.generation:
        return f"{change.action} {change.address}: it is another object than the one that was shown"
    if now.wish != was.wish:
        return f"{change.action} {change.address}: it is declared with other values ({change.source})"
    more = [path for path, after in now.fields.items() if path not in was.fields or was.fields[path] not in ("", after)]
    if more:
        return f"{change.action} {change.address}: `{'`, `'.join(more)}` would change too, or to something else"
    risks = [risk for risk in now.risks if risk not in was.risks]
    return f"{change.action} {change.address}: it is now {', '.join(risks)}" if risks else ""
