"""What is asked of the record, without any provider: finding, naming, refusing, and plans that follow from it alone."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from purvey._apply.knowledge import OtherStacks
from purvey._base.value import Masked, Value
from purvey._graph import EMPTY, Selection
from purvey._plan.decide import Decider
from purvey._plan.effects import Effect, effects
from purvey._plan.plan import Plan
from purvey._plan.planner import make_plan
from purvey._plan.undo import undo_plan
from purvey._script.load import load_beside
from purvey._state.record import Closed, Opened, thawed
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey._state.store import RunRow, Store
from purvey.errors import InternalError, RefusedError, ScriptError, StateError
from purvey.providers import registry

_LOOKED_AT_MAX: Final = 100
"""Newest runs among which the last one that changed something is sought."""


def outputs_of(store: Store | None) -> OtherStacks:
    """A look-up of the outputs of other stacks in a store."""

    def look(stack: str, /) -> Mapping[str, Value]:
        given = store.outputs(stack) if store is not None else None
        if given is None or not given.values:
            raise ScriptError(
                "script.no_such_stack",
                "Another stack has no outputs",
                detail=f"{stack} was not applied yet, or returned nothing.",
                hint="Apply it first.",
            )
        return thawed(given.values)

    return look


def find(state: State, address: str) -> ResourceState:
    """The object at an address.

    Raises:
        StateError: ``state.no_such_object``, with the closest match.
    """
    found = state.latest(address)
    if found is not None:
        return found
    close = difflib.get_close_matches(address, list(state.current()), n=1)
    hint = f"Did you mean {close[0]}?" if close else "`purvey state list` shows every address."
    raise StateError("state.no_such_object", "No such object is recorded", detail=f"There is no {address}.", hint=hint)


def require_stack(store: Store, stack: str) -> None:
    """Refuse a stack that never had a run, because its name or its environment is most likely misspelt.

    Raises:
        StateError: ``state.no_such_stack``, naming those that there are.
    """
    name, _, env = stack.rpartition("/")
    stacks_named(store, name, env)


def stacks_named(store: Store, name: str, env: str) -> list[str]:
    """The stacks of that name and environment that ever had a run; an empty one of the two stands for any.

    Raises:
        StateError: as `require_stack`, if there is none.
    """
    known = store.stacks()
    found = [stack for stack in known if name in ("", stack.rpartition("/")[0]) and env in ("", stack.rpartition("/")[2])]
    if not found:
        meant = f"{name or 'stack'} in the environment {env}" if env else name
        raise StateError(
            "state.no_such_stack",
            "No run of this stack is recorded",
            detail=f"There is no {meant}; there is {', '.join(known) or 'none at all'}.",
            hint="Name one of these with --stack NAME -e ENV, or apply it first.",
        )
    return found


def load_kinds(store: Store, stack: str, nodes: Iterable[ResourceState], *, run: str = "", is_loaded: bool = False) -> None:
    """Make the kinds known that objects have; those that no script at hand defines come from archived copies.

    Args:
        store: The store.
        stack: ``name/environment``.
        nodes: The objects.
        run: The run that it is for, whose own copy is asked first; then the newest, and so on.
        is_loaded: Whether the copy of that run is loaded already.

    Raises:
        ScriptError: if a kind stays unknown, and a copy that might define it cannot be imported any more.
    """
    missing = {kind for kind in {node.kind for node in nodes} if not registry.knows(kind)}
    if not missing:
        return
    broken: list[ScriptError] = []
    for other in sorted(store.archives(stack), key=lambda item: item != run):
        if all(map(registry.knows, missing)):
            return
        if other != run or not is_loaded:
            broken += _load_archived(store, other)
    still = sorted(kind for kind in missing if not registry.knows(kind))
    if still and broken:
        broken[0].hint = f"It is an archived copy of the script, imported for the kind {still[0]}. {broken[0].hint}".rstrip()
        raise broken[0]


def objects(state: State, done: Iterable[Effect] = ()) -> list[ResourceState]:
    """Everything whose kind is needed: what is recorded, what is in doubt, and what a run did, for it may come back."""
    nodes = [*state.resources.values(), *(doubt.begun.node for doubt in state.in_doubt.values())]
    return nodes + [effect.begun.node for effect in done]


def _load_archived(store: Store, run: str) -> list[ScriptError]:
    """Import a run's copy of the script; what is wrong with it."""
    opened = next(record for record in store.records(run) if isinstance(record, Opened))
    try:
        load_beside(Path(opened.script), opened.function, store.archived(run))
    except ScriptError as error:
        return [error]
    return []


def refuse_read_by_others(store: Store, stack: str) -> None:
    """Stop the destruction of a stack whose outputs another one reads.

    Raises:
        RefusedError: ``refused.has_readers``.
    """
    given = {other: store.outputs(other) for other in store.stacks() if other != stack}
    readers = [other for other, item in given.items() if item is not None and stack in item.reads]
    if readers:
        raise RefusedError(
            "refused.has_readers",
            "Other stacks read this stack's outputs",
            reasons=[("", f"{reader} reads {stack}") for reader in readers],
            hint="Destroy the readers first, or remove stack_output(...) from them and apply.",
        )


def removal_plan(state: State, stack: str, selection: Selection) -> Plan:
    """The plan of an empty graph."""

    def no_secret(_: object) -> Masked:
        raise InternalError("A removal has no wish, and so no secret.")

    decider = Decider(state, {}, registry, no_secret, selection=selection)
    return make_plan(EMPTY, decider, stack=stack, verb="destroy")


def meant(store: Store, stack: str, run: str) -> RunRow:
    """The run with this id, or whose id begins so; where none is named, the stack's last one that changed something.

    Without one it is the last of all. One that was taken back since has changed something, too: whoever asks twice does not
    mean the run before it.

    Raises:
        StateError: ``state.no_such_run`` or ``state.ambiguous_run``.
    """
    if run:
        return store.run(run)
    rows = store.runs(stack, _LOOKED_AT_MAX)
    return next((row for row in rows if not _did_nothing(store, row)), rows[0])


def _did_nothing(store: Store, row: RunRow) -> bool:
    return row.result in ("refused", "succeeded") and not row.changes and not effects(store.records(row.id))


def undo_plan_of(store: Store, row: RunRow, only: Sequence[str] = ()) -> Plan:
    """The plan that takes a run back; with `only`, what it did to these addresses.

    What a run made that has succeeded may hold data since; nobody has trusted any to one that failed.
    """
    records = store.records(row.id)
    state, done = store.load(row.stack), effects(records)
    load_kinds(store, row.stack, objects(state, done), run=row.id)
    plan = undo_plan(row.stack, row.id, done, state, registry, only, later=store.later(row.id))
    if any(isinstance(record, Closed) and record.result == "succeeded" for record in records):
        return plan
    fresh = tuple(msgspec.structs.replace(change, holds_data=False) for change in plan.changes)
    return msgspec.structs.replace(plan, changes=fresh)
