"""Records what exists already under a node that a script declares."""

from __future__ import annotations

from collections.abc import Mapping

from purvey._apply.attempt import answered
from purvey._apply.call import physical_name
from purvey._apply.ownership import Owners, how_to_get
from purvey._apply.parts import Parts
from purvey._apply.request import Request
from purvey._apply.stage import prepare
from purvey._base.value import Masked, Value, walk
from purvey._graph import Node
from purvey._plan.decide import Decider
from purvey._plan.plan import Plan
from purvey._session import recorded
from purvey._session.drive import Drive
from purvey._session.loop import run_with
from purvey._state.record import Noted, Record
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey._state.store import Store
from purvey.errors import ProviderError, RefusedError, ScriptError, StateError
from purvey.providers import Kind, NotKnownError, Present


def record(drive: Drive, request: Request, address: str) -> ResourceState:
    """Record an object that exists already under a node that the script declares."""
    store = drive.store()
    found: list[ResourceState] = []

    def work(state: State, now: float) -> list[Record]:
        """What is recorded; read and sealed under the lease, for until then others may record it, or change the key."""
        parts = drive.parts(store, "", state)
        item = run_with(parts, _look(parts, store, request, address))
        found.append(item)
        return [Noted(at=now, what="imported", address=address, generation=item.generation, state=item)]

    drive.note(store, work)
    return found[0]


async def _look(parts: Parts, store: Store, request: Request, address: str) -> ResourceState:
    if parts.state.latest(address) is not None:
        raise StateError("state.address_taken", "The node is recorded already", detail=address)
    ready = await prepare(parts, request, {}, recorded.outputs_of(store))
    node = ready.graph.nodes.get(address)
    if node is None:
        raise ScriptError("script.unknown_address", "The script does not declare such a node", detail=address)
    plan: Plan = ready.plan
    kind = parts.kinds.get(node.kind)
    generation = parts.next_generation(address)
    name = physical_name(parts.estate, parts.stack, address, generation)
    try:
        want = parts.view(kind, address, parts.opened_inputs(node))
        call = parts.call(address, name, node)
        seen = await answered(lambda: kind.provider.find(call, want), parts.clock, kind.provider)
    except NotKnownError as error:
        raise _not_known(node) from error
    if not isinstance(seen, Present):
        raise ProviderError("not_found", "Nothing is there under the node's identity", detail=f"{address} in {plan.stack}")
    owner = Owners(parts).of(node, seen)
    if owner:
        raise owned(node, seen.id, owner, how_to_get(owner, parts.estate, parts.stack))
    wished = parts.masked_inputs(node)
    inputs = {**wished, **parts.found_inputs(kind, seen.values, wished)}
    outputs = parts.at_rest(kind, {key: item for key, item in seen.values.items() if key in kind.outputs})
    outputs = _as_wished(parts, kind, node, wished, outputs)
    return ResourceState(
        address=address, kind=node.kind, generation=generation, id=seen.id, name=name, inputs=inputs, outputs=outputs,
        needs=node.needs, behind=node.behind, container=node.container, where=node.where, how=parts.how_at_rest(node.how),
        way=node.way, machine=parts.machine(node.how), protect=bool(node.options.protect),
        retain=bool(node.options.retain), source=node.source, version=kind.version,
        adopted=True,
    )  # fmt: skip


def _as_wished(
    parts: Parts, kind: Kind, node: Node, wished: Mapping[str, Value], outputs: Mapping[str, Value]
) -> dict[str, Value]:  # fmt: skip
    """`outputs` with those whose difference is drift as the wish would make them, so that the next plan shows a difference.

    Where only a secret in the wish could tell, they are left out: the next plan then makes them so.
    """
    predicted = Decider(parts.state, {}, parts.kinds, parts.mask).ask(kind.provider.predict, node.address, wished, kind, {})
    secret = any(_holds_secret(value) for value in wished.values())
    doubtful = set(kind.compared) if secret else set()
    kept = {name: value for name, value in outputs.items() if name not in doubtful}
    return {**kept, **{name: predicted[name] for name in kind.compared if name in predicted}}


def _holds_secret(value: Value) -> bool:
    return any(isinstance(item, Masked) for item in walk(value))


def owned(node: Node, object_id: str, owner: str, hint: str) -> RefusedError:
    """The error for an object that somebody else has."""
    return RefusedError(
        "refused.owned",
        "The object belongs to another",
        detail=f"{object_id}, which {node.address} would take over, belongs to {owner}.",
        hint=hint,
    )


def _not_known(node: Node) -> ScriptError:
    return ScriptError(
        "script.not_known",
        "The node uses what is not known yet",
        detail=f"What {node.address} is looked for by comes from an object that is not recorded: one of "
        f"{', '.join(node.needs) or 'its inputs'}.",
        hint="Import or apply what it needs first.",
        address=node.address,
        source=node.source,
    )
