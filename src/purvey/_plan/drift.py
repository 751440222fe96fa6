"""Drift: the plan of the recorded wish. What is there now against what is recorded; what a script says plays no part. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from purvey._base.compare import FieldChange
from purvey._plan.leaving import natural
from purvey._plan.plan import Action, Change, Plan
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.providers import Absent, Observed, Present, Recorded, Registry, Unreadable


def drift_plan(stack: str, state: State, seen: Mapping[tuple[str, int], Observed], kinds: Registry) -> Plan:
    """What would bring back everything that is recorded.

    Args:
        stack: ``name/environment``.
        state: What is recorded.
        seen: What is there, by address and generation; what is missing here cannot be looked at.
        kinds: The kinds.

    Returns:
        A plan without operations, whose `unchanged` are the objects that were looked at and are as recorded.
    """
    recorded = sorted(state.current().values(), key=lambda record: natural(record.address))
    looked = [(record, now) for record in recorded if (now := seen.get((record.address, record.generation)))]
    changes = [change for record, now in looked if (change := _change(record, now, kinds)) is not None]
    return Plan(stack=stack, verb="drift", changes=tuple(changes), unchanged=len(looked) - len(changes))


def _change(record: ResourceState, seen: Observed, kinds: Registry) -> Change | None:
    action: Action = "update"
    cause, fields = "it was changed outside purvey", tuple[FieldChange, ...]()
    if isinstance(seen, Absent):
        action, cause = "create", "it is gone"
    elif isinstance(seen, Unreadable):
        action, cause = "unreadable", seen.reason
    elif isinstance(seen, Present):
        fields = _differences(record, seen, kinds)
        action = "replace" if any(field.replaces for field in fields) else "update"
    if action == "update" and not fields:
        return None
    return Change(
        address=record.address, kind=record.kind, action=action, fields=fields, cause=cause, source=record.source,
        generation=record.generation, where=record.where,
    )  # fmt: skip


def _differences(record: ResourceState, seen: Present, kinds: Registry) -> tuple[FieldChange, ...]:
    kind = kinds.get(record.kind)
    wish = thawed(record.inputs)
    found = kind.provider.diff(kind, wish, Recorded(wish, thawed(record.outputs)), seen.values).changes
    return tuple(field for field in found if field.because == "drift" and field.name not in record.ignore)
