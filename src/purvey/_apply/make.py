"""Makes, changes and adopts: each decides again with what is known now, and does what was planned or less."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from purvey._apply.call import EngineCall, physical_name
from purvey._apply.observe import read
from purvey._apply.ownership import Owners, how_to_get
from purvey._apply.places import reached_by
from purvey._gate.question import bounded
from purvey._plan.guard import growth
from purvey._plan.plan import UNSURE
from purvey._state.moving import moved
from purvey._state.record import Noted
from purvey._state.resource import ResourceState
from purvey.errors import ProviderError
from purvey.providers import Absent, Kind, Observed, Present

if TYPE_CHECKING:
    from purvey._apply.attempt import Attempts
    from purvey._apply.parts import Parts
    from purvey._apply.perform import Performer
    from purvey._base.value import Value
    from purvey._graph import Node
    from purvey._plan.plan import Operation


async def create(performer: Performer, operation: Operation, attempts: Attempts) -> str:
    """Make an object; or, where a planned replacement turns out to be a change in place, change the old one."""
    parts = performer.parts
    node = performer.plan.nodes[operation.address]
    kind = parts.kinds.get(node.kind)
    prior = parts.state.resources.get((operation.address, operation.prior)) if operation.prior else None
    if prior is not None and await _shrinks(performer, node, prior):
        performer.cancel_removal(prior)
        return await _change(performer, operation, attempts, node, prior)
    name = physical_name(parts.estate, parts.stack, operation.address, operation.generation)
    values = parts.opened_inputs(node)
    want = parts.view(kind, node.address, values)
    if may_be_there(operation, kind):
        found = await bounded(kind.provider.find(parts.call(node.address, name, node), want), kind.provider)
        if isinstance(found, Present):
            return await _take_over(performer, operation, attempts, node, found)
    return await _make(performer, operation, attempts, node, want)


def may_be_there(operation: Operation, kind: Kind) -> bool:
    """Whether it could not be planned if an object is made or taken over, for that hangs on what was done before."""
    return UNSURE in operation.planned and kind.provider.adopts


async def _make(performer: Performer, operation: Operation, attempts: Attempts, node: Node, want: Any) -> str:
    """Make an object."""
    parts = performer.parts
    kind = parts.kinds.get(node.kind)
    name = physical_name(parts.estate, parts.stack, operation.address, operation.generation)
    wanted = performer.wanted(node, kind, parts.opened_inputs(node), operation.generation, name)
    if node.options.adopt and not kind.provider.forgets and parts.state.latest(node.address) is None:
        await _refuse_adoptable(kind, parts.call(node.address, name, node), want)

    def act(call: EngineCall) -> Awaitable[Any]:
        """Call the provider, through the gate."""
        return kind.provider.create(call, want)

    await performer.effect(operation, "create", wanted, None, kind, attempts, act, want)
    return "done"


async def _refuse_adoptable(kind: Kind, call: EngineCall, want: Any) -> None:
    """Stop where there is something to adopt after all: it could not be seen when the plan was made."""
    found = await bounded(kind.provider.find(call, want), kind.provider)
    if isinstance(found, Present):
        raise ProviderError("conflict", "It is there, and is to be adopted", detail=found.id, hint="Plan again: it will be.")


async def _shrinks(performer: Performer, node: Node, prior: ResourceState) -> bool:
    """Whether nothing that cannot change in place differs, now that the values are known; in the world, where it is read."""
    reads = performer.parts.kinds.get(node.kind).provider.reads
    seen = await _read(performer.parts, node, prior) if reads else Absent()
    observed = {(prior.address, prior.generation): seen} if isinstance(seen, Present) else {}
    decision = performer.parts.decider(observed, believe=True).weigh(node)
    return decision is None or decision.action not in ("replace", "create")


async def update(performer: Performer, operation: Operation, attempts: Attempts) -> str:
    """Change an object in place, as far as it still differs from the wish."""
    node = performer.plan.nodes[operation.address]
    state = performer.parts.state
    prior = state.latest(operation.address)
    if prior is None:
        prior = await _moved(performer, node)
    return await _change(performer, operation, attempts, node, prior)


async def _moved(performer: Performer, node: Node) -> ResourceState:
    """The record of the object that the node had under another address, filed under its own."""
    parts = performer.parts
    old = parts.state.latest(node.options.moved_from)
    assert old is not None  # The planner updates only what is recorded.
    await performer.record(*moved(parts.state, old, node.address, parts.clock.now()))
    new = parts.state.latest(node.address)
    assert new is not None  # It was just recorded.
    return new


async def _change(
    performer: Performer, operation: Operation, attempts: Attempts, node: Node, prior: ResourceState,
    seen: Observed | None = None,
) -> str:  # fmt: skip
    """Change an object from what is `seen` of it, or is read now, to what is wished."""
    kind = performer.parts.kinds.get(node.kind)
    if seen is None and kind.provider.reads:
        seen = await _read(performer.parts, node, prior)
    change = decided(performer, operation, node, prior, seen)
    if isinstance(change, Noted):
        await performer.record(change)
        return "unchanged"

    def act(call: EngineCall) -> Awaitable[Any]:
        """Call the provider, through the gate."""
        return kind.provider.update(call, change.have, change.want)

    await performer.effect(operation, "update", change.wanted, change.before, kind, attempts, act, change.want)
    return "done"


async def _read(parts: Parts, node: Node, prior: ResourceState) -> Observed:
    """What is there now of a node's object, on the way to its machine that the script says."""
    return await read(parts, prior if parts.elsewhere(node, prior) else reached_by(node, prior))


class Decided(NamedTuple):
    """A change in place: what will be recorded, what was there before, and both as a provider gets them."""

    wanted: ResourceState
    before: ResourceState
    have: Any
    want: Any


def decided(
    performer: Performer, operation: Operation, node: Node, prior: ResourceState, seen: Observed | None
) -> Decided | Noted:  # fmt: skip
    """Decide once more how an object changes, with what is known and seen now; what is to be recorded where it stays.

    Raises:
        ProviderError: ``conflict`` if it would be more than was planned.
    """
    parts = performer.parts
    kind = parts.kinds.get(node.kind)
    observed = {(prior.address, prior.generation): seen} if seen is not None else {}
    decision = performer.parts.decider(observed, believe=True).weigh(node)
    if decision is None and "needs" not in operation.planned:
        return refreshed(performer, node, prior)
    fields = decision.fields if decision is not None else ()
    grown = growth(operation.planned, [change.name for change in fields])
    again = UNSURE in operation.planned and decision is not None and decision.lost  # What it needs took it away.
    if grown or (decision is not None and decision.action != "update" and not again):
        raise _grew(node, decision.action if decision is not None else "update", grown)
    values = parts.opened_inputs(node)
    wanted = performer.wanted(node, kind, values, prior.generation, prior.name)
    wanted = msgspec.structs.replace(wanted, id=prior.id, adopted=prior.adopted, made_at=prior.made_at)
    before = _as_observed(parts, kind, prior, seen.values if isinstance(seen, Present) else {})
    return Decided(wanted, before, parts.record_view(prior), parts.view(kind, node.address, values))


async def adopt(performer: Performer, operation: Operation, attempts: Attempts) -> str:
    """Record what exists already, then change it where it differs."""
    parts = performer.parts
    node = performer.plan.nodes[operation.address]
    kind = parts.kinds.get(node.kind)
    name = physical_name(parts.estate, parts.stack, operation.address, operation.generation)
    want = parts.view(kind, node.address, parts.opened_inputs(node))
    found = await bounded(kind.provider.find(parts.call(node.address, name, node), want), kind.provider)
    if not isinstance(found, Present) and may_be_there(operation, kind):
        return await _make(performer, operation, attempts, node, want)
    return await _take_over(performer, operation, attempts, node, found)


async def _take_over(
    performer: Performer, operation: Operation, attempts: Attempts, node: Node, found: Observed
) -> str:  # fmt: skip
    """Record what was found, then change it where it differs."""
    record, note = taken_over(performer, operation, node, found)
    await performer.record(note)
    return await _change(performer, operation, attempts, node, record, found)


def taken_over(
    performer: Performer, operation: Operation, node: Node, found: Observed
) -> tuple[ResourceState, Noted]:  # fmt: skip
    """What exists already as it was found, and what is to be recorded of that.

    Raises:
        ProviderError: if it is gone, or somebody else's.
    """
    parts = performer.parts
    kind = parts.kinds.get(node.kind)
    name = physical_name(parts.estate, parts.stack, operation.address, operation.generation)
    values = parts.opened_inputs(node)
    if not isinstance(found, Present):
        raise ProviderError("not_found", "What was to be adopted is gone", hint="Plan again: it will be created.")
    owner = Owners(parts).of(node, found)
    if owner:
        raise ProviderError(
            "conflict",
            "What was to be adopted belongs to another",
            detail=f"{found.id} belongs to {owner}.",
            hint=how_to_get(owner, parts.estate, parts.stack),
        )
    wanted = performer.wanted(node, kind, values, operation.generation, name)
    seen = _seen(parts, kind, wanted, found.values)
    seen["outputs"] |= _expected(performer, node, kind, wanted)
    record = msgspec.structs.replace(wanted, id=found.id, digest="", adopted=True, **seen)
    now = parts.clock.now()
    return record, Noted(at=now, what="adopted", address=node.address, generation=operation.generation, state=record)


def _seen(parts: Parts, kind: Kind, wanted: ResourceState, values: dict[str, Value]) -> dict[str, dict[str, Value]]:
    """What was found, for the record; an output whose difference is drift is not taken for what was wished."""
    found = {name: value for name, value in values.items() if name in kind.inputs}
    kept = kind.outputs.difference(kind.compared)
    outputs = parts.at_rest(kind, {name: value for name, value in values.items() if name in kept})
    usual = {name: kind.default(name) for name in found}  # What is not declared returns to it, so an undo must know better.
    return {"inputs": {**wanted.inputs, **parts.found_inputs(kind, found, {**usual, **wanted.inputs})}, "outputs": outputs}


def _expected(performer: Performer, node: Node, kind: Kind, wanted: ResourceState) -> dict[str, Value]:
    """Outputs whose difference is drift, as far as they follow from the wish: what is found must be compared with these."""
    predicted = performer.parts.decider({}, believe=True).ask(kind.provider.predict, node.address, wanted.inputs, kind, {})
    return {name: predicted[name] for name in kind.compared if name in predicted}


def refreshed(performer: Performer, node: Node, prior: ResourceState) -> Noted:
    """The record of an object that did not change, with what the declaration says of it now."""
    parts = performer.parts
    kind = parts.kinds.get(node.kind)
    wanted = performer.wanted(node, kind, parts.opened_inputs(node), prior.generation, prior.name)
    record = msgspec.structs.replace(
        wanted, id=prior.id, outputs=prior.outputs, adopted=prior.adopted, run=prior.run, made_at=prior.made_at
    )
    return noted(parts, record, prior)


def noted(parts: Parts, record: ResourceState, prior: ResourceState) -> Noted:
    """That a record says something else of an object that did not change."""
    return Noted(
        at=parts.clock.now(), what="refreshed", address=record.address, generation=record.generation, state=record, prior=prior
    )


def _as_observed(parts: Parts, kind: Kind, prior: ResourceState, seen: dict[str, Value]) -> ResourceState:
    """The record with the managed fields as they were just before the change; what an undo puts back.

    What somebody else made of it is no declaration's, so the next plan has to compare it.
    """
    inputs = {**prior.inputs, **parts.found_inputs(kind, seen, prior.inputs)}
    return prior if inputs == prior.inputs else msgspec.structs.replace(prior, inputs=inputs, digest="")


def _grew(node: Node, action: str, fields: tuple[str, ...]) -> ProviderError:
    more = f"`{'`, `'.join(fields)}` would change too" if fields else f"it would now be a {action}"
    return ProviderError(
        "conflict",
        "A change would do more than was approved",
        detail=f"Since the plan was made, {node.address} changed: {more}.",
        hint="Plan again and read the new plan.",
    )
