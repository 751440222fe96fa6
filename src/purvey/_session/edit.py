"""Edits of the record that the user asks for: move, forget, settle, import. The world is not touched."""

from __future__ import annotations

import asyncio

import msgspec

from purvey._apply.call import physical_name
from purvey._apply.request import Request
from purvey._apply.stage import prepare
from purvey._base.address import split
from purvey._graph import Node
from purvey._plan.plan import Plan
from purvey._session import records as edits
from purvey._session.drive import Drive
from purvey._state.moving import moved
from purvey._state.record import Begun, Failed, Noted, Record, ResourceState, Succeeded
from purvey._state.state import State
from purvey._state.store import Store
from purvey.errors import ProviderError, ScriptError, StateError
from purvey.providers import NotKnownError, Present


def move(drive: Drive, store: Store, address: str, to: str) -> ResourceState:
    """Give an object another address, and let what refers to it follow."""

    def work(state: State, now: float) -> list[Record]:
        found = edits.find(state, address)
        _require_settled(state, address)
        if state.latest(to) is not None:
            raise StateError("state.address_taken", "There is an object at the new address", detail=f"{to} is recorded.")
        if split(to)[1] != found.kind:
            raise ScriptError("script.other_kind", "The new address is of another kind", detail=f"{address} is a {found.kind}.")
        return [*moved(state, found, to, now)]

    return edits.find(drive.note(store, work), to)


def _require_settled(state: State, address: str) -> None:
    """Refuse to edit the record of an object whose last operation is in doubt: its end would bring the old record back."""
    if any(doubt.begun.address == address for doubt in state.in_doubt.values()):
        raise StateError(
            "state.edit_in_doubt",
            "An operation on the object is in doubt",
            detail=f"The last change of {address} began and its end is not recorded.",
            hint="Resume the run, or apply, so that it is settled first.",
        )


def forget(drive: Drive, store: Store, address: str) -> ResourceState:
    """Forget an object and leave it in the world."""
    found = edits.find(store.load(drive.stack), address)

    def work(state: State, now: float) -> list[Record]:
        _require_settled(state, address)
        inside = [item.address for item in state.current().values() if item.container == address]
        if inside:
            raise StateError(
                "state.has_contents",
                "Other objects live in it",
                detail=f"{address} holds {', '.join(inside)}.",
                hint="Remove these from the record first.",
            )
        return [Noted(at=now, what="forgotten", address=address, generation=found.generation)]

    drive.note(store, work)
    return found


def settle(drive: Drive, store: Store, address: str, *, happened: bool) -> None:
    """Record how an interrupted operation ended, on a person's word."""

    def work(state: State, now: float) -> list[Record]:
        doubts = [doubt for doubt in state.in_doubt.values() if doubt.begun.address == address]
        if not doubts:
            raise StateError("state.nothing_in_doubt", "No interrupted operation is recorded there", detail=address)
        return [_settled(item.begun.operation, item.id, item.begun, now, happened=happened) for item in doubts]

    drive.note(store, work)


def _settled(operation: str, object_id: str, begun: Begun, now: float, *, happened: bool) -> Record:
    node = begun.node
    if not happened:
        return Failed(
            at=now, operation=operation, address=node.address, generation=node.generation, code="failed",
            summary="It did not happen, a person says",
        )  # fmt: skip
    made = begun.prior if begun.verb == "undo" else None if begun.verb == "delete" else begun.node
    state = msgspec.structs.replace(made, id=object_id or made.id or made.name) if made is not None else None
    return Succeeded(at=now, operation=operation, address=node.address, generation=node.generation, state=state)


def adopt(drive: Drive, request: Request, address: str) -> ResourceState:
    """Record an object that exists already under a node that the script declares."""
    store = drive.store()
    found = asyncio.run(_look(drive, store, request, address))

    def work(_: State, now: float) -> list[Record]:
        return [Noted(at=now, what="imported", address=address, generation=found.generation, state=found)]

    drive.note(store, work)
    return found


async def _look(drive: Drive, store: Store, request: Request, address: str) -> ResourceState:
    state = store.load(drive.stack)
    if state.latest(address) is not None:
        raise StateError("state.address_taken", "The node is recorded already", detail=address)
    parts = drive.parts(store, "", state)
    ready = await prepare(parts, request, {}, edits.outputs_of(store))
    node = ready.graph.nodes.get(address)
    if node is None:
        raise ScriptError("script.unknown_address", "The script does not declare such a node", detail=address)
    plan: Plan = ready.plan
    kind = parts.kinds.get(node.kind)
    generation = parts.next_generation(address)
    name = physical_name(parts.estate, parts.stack, address, generation)
    try:
        want = parts.view(kind, address, parts.opened_inputs(node))
        seen = await kind.provider.find(parts.call(address, name), want)
    except NotKnownError as error:
        raise _not_known(node) from error
    if not isinstance(seen, Present):
        raise ProviderError("not_found", "Nothing is there under the node's identity", detail=f"{address} in {plan.stack}")
    wished = parts.masked_inputs(node)
    inputs = {**wished, **parts.found_inputs(kind, seen.values, wished)}
    outputs = parts.at_rest(kind, {key: item for key, item in seen.values.items() if key in kind.outputs})
    return ResourceState(
        address=address, kind=node.kind, generation=generation, id=seen.id, name=name, inputs=inputs, outputs=outputs,
        needs=node.needs, container=node.container, protect=node.options.protect, source=node.source, version=kind.version,
        adopted=True,
    )  # fmt: skip


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
