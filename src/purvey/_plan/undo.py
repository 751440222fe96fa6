"""The undo of a run: a plan made from its records backwards. Pure.

What was made is deleted, what was changed gets its former values back, what was deleted to make room is made again, and what
was adopted is forgotten; newest first, each only after everything that was built on it. Objects that a later run touched are
left alone, and so is what cannot be taken back: both are said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from purvey._plan.plan import Action, Change, Operation, Plan, Verb
from purvey._state.record import Begun, Noted, Record, ResourceState, Succeeded, thawed
from purvey._state.state import State
from purvey.errors import RefusedError
from purvey.providers import Registry


class Effect(msgspec.Struct, frozen=True):
    """One thing that a run did: the operation's begin, and its end."""

    begun: Begun
    after: ResourceState | None


def effects(records: Iterable[Record]) -> list[Effect]:
    """What a run did and has not taken back yet, oldest first."""
    begun: dict[str, Begun] = {}
    found: dict[str, Effect] = {}
    for record in records:
        if isinstance(record, Begun):
            begun[record.operation] = record
        elif isinstance(record, Succeeded) and record.operation in begun:  # Else it settled what an earlier run began.
            start = begun[record.operation]
            if start.undoes:
                found.pop(start.undoes, None)
            elif not record.unchanged:
                found[record.operation] = Effect(start, record.state)
        elif isinstance(record, Noted) and record.what == "adopted" and record.state is not None:
            adopted = Begun(
                at=record.at, operation=f"adopted {record.address}", address=record.address, generation=record.generation,
                verb="adopt", token="", node=record.state,
            )  # fmt: skip
            found[adopted.operation] = Effect(adopted, record.state)
        elif isinstance(record, Noted) and record.what == "forgotten":
            for operation in [item for item, effect in found.items() if _is_at(effect, record)]:
                del found[operation]
    return list(found.values())


def _verb(effect: Effect, dropped: set[str]) -> Verb:
    return "forget" if effect.begun.verb == "adopt" or effect.begun.operation in dropped else "undo"


def _is_at(effect: Effect, record: Noted) -> bool:
    return (effect.begun.address, effect.begun.generation) == (record.address, record.generation)


def undo_plan(stack: str, run: str, done: Sequence[Effect], state: State, kinds: Registry) -> Plan:
    """The plan that takes `done` back.

    Args:
        stack: ``name/environment``.
        run: The run that did it.
        done: What it did, oldest first.
        state: What is recorded now.
        kinds: The kinds.

    Raises:
        RefusedError: ``refused.touched_since`` if a later run changed one of the objects.
    """
    _refuse_touched(run, done, state)
    dropped = _dropped_with_container(done, kinds)
    possible = [effect for effect in done if effect.begun.operation in dropped or not _final(effect, kinds)]
    waits = _waits(possible)
    operations = tuple(
        Operation(
            id=_id(effect), verb=_verb(effect, dropped), address=effect.begun.address, generation=effect.begun.generation,
            needs=waits[effect.begun.operation], undoes=effect.begun.operation,
        )
        for effect in reversed(possible)
    )  # fmt: skip
    changes = tuple(
        _change(effect, final=_final(effect, kinds) and effect.begun.operation not in dropped) for effect in reversed(done)
    )
    return Plan(stack=stack, verb="undo", changes=changes, operations=operations)


def _dropped_with_container(done: Sequence[Effect], kinds: Registry) -> set[str]:
    """The operations that made something inside a container which the same run made: it goes when the container goes."""
    made = {effect.begun.address for effect in done if effect.begun.verb == "create"}
    return {
        effect.begun.operation
        for effect in done
        if effect.begun.verb == "create"
        and effect.begun.node.container in made
        and not kinds.get(effect.begun.node.kind).delete_first
    }


def _refuse_touched(run: str, done: Sequence[Effect], state: State) -> None:
    newer = [
        f"{resource.address} was changed by run {resource.run}"
        for effect in done
        if effect.after is not None
        and (resource := state.resources.get((effect.begun.address, effect.begun.generation))) is not None
        and resource.run not in ("", run)
    ]
    if newer:
        raise RefusedError(
            "refused.touched_since",
            "A later run changed what this undo would take back",
            findings=tuple(newer),
            hint="Undo the later run first, or change the script and apply.",
        )


def _id(effect: Effect) -> str:
    return f"undo {effect.begun.verb} {effect.begun.address} #{effect.begun.generation} {effect.begun.operation}"


def _waits(done: Sequence[Effect]) -> dict[str, tuple[str, ...]]:
    """For each effect, the undos that must be complete first: those of later effects on the same node, and on what needs it."""
    needs: dict[str, tuple[str, ...]] = {}
    for effect in done:
        resource = effect.after or effect.begun.prior
        needs[effect.begun.address] = resource.needs if resource is not None else ()
    waits: dict[str, dict[str, None]] = {effect.begun.operation: {} for effect in done}
    last: dict[str, Effect] = {}
    for effect in done:
        address = effect.begun.address
        same = last.get(address)
        if same is not None:
            waits[same.begun.operation][_id(effect)] = None
        for below in _touched_below(needs[address], needs, last):
            waits[below.begun.operation][_id(effect)] = None
        last[address] = effect
    return {operation: tuple(found) for operation, found in waits.items()}


def _touched_below(needs: Iterable[str], graph: Mapping[str, tuple[str, ...]], last: Mapping[str, Effect]) -> list[Effect]:
    """The effects on the nearest touched nodes below."""
    return [last[need] for need in needs if need in last and need in graph]


def _final(effect: Effect, kinds: Registry) -> bool:
    """Whether it cannot be taken back: data is gone, or the provider has no way."""
    kind = kinds.get(effect.begun.node.kind)
    if effect.begun.verb == "adopt":
        return False
    if effect.begun.verb == "delete":
        return kind.holds_data
    before, after = _view(effect.begun.prior, kinds), _view(effect.after, kinds)
    return not kind.provider.undoable(effect.begun.verb, before, after)


def _view(resource: ResourceState | None, kinds: Registry) -> object:
    """A record as an instance of its declaration; nodes inside stay addresses."""
    if resource is None:
        return None
    values = {**thawed(resource.inputs), **thawed(resource.outputs)}
    return kinds.get(resource.kind).bind(resource.address, values)


def _change(effect: Effect, *, final: bool) -> Change:
    actions: Mapping[str, Action] = {"create": "delete", "update": "update", "delete": "create", "adopt": "forget"}
    begun = effect.begun
    return Change(
        address=begun.address,
        kind=begun.node.kind,
        action="none" if final else actions[begun.verb],
        cause=f"undoes its {begun.verb}",
        final=final,
        source=begun.node.source,
        generation=begun.generation,
    )
