"""Edits of the record that the user asks for: move, forget, settle, hand over. The world is not touched."""

from __future__ import annotations

from contextlib import ExitStack, closing

import msgspec

from purvey._apply.recover import needs_id
from purvey._base.address import split
from purvey._base.clock import ulid
from purvey._session import recorded
from purvey._session.drive import Drive
from purvey._state import handing
from purvey._state.moving import moved
from purvey._state.record import Failed, Noted, Record, Succeeded
from purvey._state.resource import ResourceState
from purvey._state.state import InDoubt, State
from purvey._state.store import Store
from purvey.errors import ScriptError, StateError
from purvey.providers import registry


def move(drive: Drive, store: Store, address: str, to: str) -> ResourceState:
    """Give an object another address, and let what refers to it follow."""

    def work(state: State, now: float) -> list[Record]:
        found = recorded.find(state, address)
        _require_settled(state, address)
        if state.latest(to) is not None:
            raise StateError("state.address_taken", "There is an object at the new address", detail=f"{to} is recorded.")
        if split(to)[1] != found.kind:
            raise _other_kind(address, found.kind)
        return [*moved(state, found, to, now)]

    return recorded.find(drive.note(store, work), to)


def hand_over(drive: Drive, store: Store, address: str, to_stack: str, to: str) -> ResourceState:
    """Give an object, and everything in it, to another stack; at no moment do both have it, or none.

    Both leases are held, the first in alphabetical order first, so that two who want the same pair never wait for each other.
    """
    runs = {stack: ulid(drive.clock) for stack in (drive.stack, to_stack)}
    with closing(store), ExitStack() as held:
        leases = {stack: held.enter_context(store.hold(stack, runs[stack])) for stack in sorted(runs)}
        source, target = store.load(drive.stack), store.load(to_stack)
        found = recorded.find(source, address)
        if split(to)[1] != found.kind:
            raise _other_kind(address, found.kind)
        moves = handing.hand_over((drive.stack, source), (to_stack, target), address, to, drive.clock.now())
        journals = {stack: store.open_journal(stack, runs[stack], leases[stack].fence) for stack in runs}
        store.write_together(
            (journals[drive.stack], drive.edit(moves.leaving)), (journals[to_stack], drive.edit(moves.arriving))
        )
        return moves.arriving[0].state or found


def _other_kind(address: str, kind: str) -> ScriptError:
    return ScriptError("script.other_kind", "The new address is of another kind", detail=f"{address} is a {kind}.")


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
    gone: list[ResourceState] = []

    def work(state: State, now: float) -> list[Record]:
        found = recorded.find(state, address)
        _require_settled(state, address)
        inside = [item.address for item in state.current().values() if item.container == address]
        if inside:
            raise StateError(
                "state.has_contents",
                "Other objects live in it",
                detail=f"{address} holds {', '.join(inside)}.",
                hint="Remove these from the record first.",
            )
        gone.append(found)
        return [Noted(at=now, what="forgotten", address=address, generation=found.generation)]

    drive.note(store, work)
    return gone[0]


def settle(drive: Drive, store: Store, address: str, *, happened: bool, object_id: str = "") -> None:
    """Record how an interrupted operation ended, on a person's word; `object_id` is what the world calls what was made."""

    def work(state: State, now: float) -> list[Record]:
        doubts = [doubt for doubt in state.in_doubt.values() if doubt.begun.address == address]
        if not doubts:
            raise StateError("state.nothing_in_doubt", "No interrupted operation is recorded there", detail=address)
        if happened and not object_id:
            recorded.load_kinds(store, drive.stack, recorded.objects(state))
            for doubt in doubts:
                _require_id(doubt)
        return [_settled(doubt, object_id, now, happened=happened) for doubt in doubts]

    drive.note(store, work, settles=True)


def _require_id(doubt: InDoubt) -> None:
    """Refuse to guess an id: not even an object that is made again has the one that it had."""
    kind = registry.get(doubt.begun.node.kind)
    if needs_id(doubt, kind):
        raise StateError(
            "state.id_unknown",
            "Only the world knows what it calls the object",
            detail=f"What was made for {doubt.begun.address} has an id that was not recorded; its kind ({kind.name}) does not "
            "choose it.",
            hint="Look it up, and say it:\n\n    --id ID",
        )


def _settled(doubt: InDoubt, object_id: str, now: float, *, happened: bool) -> Record:
    begun, node = doubt.begun, doubt.begun.node
    if not happened:
        return Failed(
            at=now, operation=begun.operation, address=node.address, generation=node.generation, code="failed",
            summary="It did not happen, a person says",
        )  # fmt: skip
    made = begun.prior if begun.verb == "undo" else None if begun.verb == "delete" else begun.node
    known = object_id or doubt.id
    state = msgspec.structs.replace(made, id=known or made.id or made.name) if made is not None else None
    return Succeeded(at=now, operation=begun.operation, address=node.address, generation=node.generation, state=state)
