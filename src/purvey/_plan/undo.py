"""The undo of a run: a plan made from its records backwards. Pure.

What was made is deleted, what was changed gets its former values back, what was deleted to make room is made again, what was
adopted is forgotten, and what was moved is moved back; newest first, each only after everything that was built on it. An undo
that would undo a part of a later run is refused; what cannot be taken back, or is protected now, is left alone and said.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Final

from purvey._base.compare import FieldChange, differences
from purvey._base.value import Masked
from purvey._plan.decide import Decider
from purvey._plan.effects import Effect
from purvey._plan.plan import Action, Change, Operation, Plan, Verb
from purvey._plan.refusals import refuse_built_on, refuse_deleted, refuse_handed_over, refuse_touched
from purvey._plan.settling import settled_last
from purvey._state.record import Begun, thawed
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.errors import RefusedError
from purvey.providers import Registry
from purvey.providers.claim import rivals


def _verb(effect: Effect, dropped: set[str]) -> Verb:
    return "forget" if effect.begun.verb == "adopt" or effect.begun.operation in dropped else "undo"


_ACTIONS: Final[Mapping[str, Action]] = {
    "create": "delete", "update": "update", "delete": "create", "adopt": "forget", "note": "update",
}  # fmt: skip
"""What takes each verb back."""


def undo_plan(
    stack: str, run: str, done: Sequence[Effect], state: State, kinds: Registry, only: Sequence[str] = (), *,
    later: Collection[str], doubts: Sequence[Begun] = (),
) -> Plan:  # fmt: skip
    """The plan that takes `done` back.

    Args:
        stack: ``name/environment``.
        run: The run that did it.
        done: What it did, oldest first.
        state: What is recorded now.
        kinds: The kinds.
        only: Addresses; where there are any, only these are taken back, and what the run built on them.
        later: The stack's runs that began after this one.
        doubts: Updates in doubt that have their place in the order of the undo: each has an operation, and no change.

    Raises:
        RefusedError: ``refused.not_in_run`` if the run did nothing to one of `only`; ``refused.touched_since`` if a later run
            changed one of the objects, or built on one; ``refused.handed_over`` if it went from one stack to another;
            ``refused.deletions_done`` if what is left to take back was built in place of what the run has deleted for good.
    """
    done = _scoped(done, state, kinds, only) if only else done
    refuse_touched(run, done, state, kinds, later)
    refuse_handed_over(stack, done)
    left = _protected(done, state)
    dropped = _dropped_with_container([item for item in done if item.begun.operation not in left], kinds)
    left |= {item.begun.operation for item in done if item.begun.operation not in dropped and _final(item, kinds)}
    possible = [effect for effect in done if effect.begun.operation not in left]
    refuse_built_on(later, possible, state, kinds)
    refuse_deleted(done, possible)
    possible += [Effect(begun, begun.node) for begun in doubts]
    waits = _settled_last(possible, _waits(possible, state, kinds), kinds)
    operations = tuple(
        Operation(
            id=_id(effect), verb=_verb(effect, dropped), address=effect.begun.address, generation=effect.begun.generation,
            needs=waits[effect.begun.operation], undoes=effect.begun.operation,
        )
        for effect in reversed(possible)
    )  # fmt: skip
    changes = tuple(_change(effect, kinds, final=effect.begun.operation in left) for effect in reversed(done) if _shows(effect))
    return Plan(stack=stack, verb="undo", changes=changes, operations=operations)


def _scoped(done: Sequence[Effect], state: State, kinds: Registry, only: Sequence[str]) -> list[Effect]:
    """The effects on some addresses, and every later one that was built on them."""
    strangers = sorted(set(only) - {effect.begun.address for effect in done})
    if strangers:
        raise RefusedError(
            "refused.not_in_run",
            "The run has nothing to take back there",
            reasons=[(address, f"{address} was not changed by the run, or was taken back already") for address in strangers],
            hint="`purvey show RUN` lists what it did.",
        )
    waits = _waits(done, state, kinds)
    by_id = {_id(effect): effect for effect in done}
    waiting = [effect for effect in done if effect.begun.address in only]
    taken: set[str] = set()
    while waiting:
        effect = waiting.pop()
        if effect.begun.operation not in taken:
            taken.add(effect.begun.operation)
            waiting += [by_id[need] for need in waits[effect.begun.operation]]
    return [effect for effect in done if effect.begun.operation in taken]


def _shows(effect: Effect) -> bool:
    """Whether people are told of it: a record that follows its declaration again is nothing to read."""
    return effect.begun.verb != "note" or effect.renames


def _dropped_with_container(done: Sequence[Effect], kinds: Registry) -> set[str]:
    """The operations that made something inside a container which the undo takes away: it goes when the container goes."""
    going: set[str] = set()
    dropped: set[str] = set()
    for effect in done:  # A container is older than what is in it.
        node = effect.begun.node
        if effect.begun.verb != "create":
            continue
        if node.container in going and not kinds.get(node.kind).delete_first:
            dropped.add(effect.begun.operation)
            going.add(effect.begun.address)
        elif not _final(effect, kinds):
            going.add(effect.begun.address)
    return dropped


def _protected(done: Sequence[Effect], state: State) -> set[str]:
    """The creates that an undo leaves alone: those of objects that are protected now, and of what these stand on."""
    left: set[str] = set()
    below: set[str] = set()
    for effect in reversed(done):
        made = effect.after
        if effect.begun.verb != "create" or made is None:
            continue
        now = state.resources.get((made.address, made.generation), made)
        if now.protect or made.address in below:
            left.add(effect.begun.operation)
            below.update(made.needs)
    return left


def _id(effect: Effect) -> str:
    return f"undo {effect.begun.verb} {effect.begun.address} #{effect.begun.generation} {effect.begun.operation}"


def _waits(done: Sequence[Effect], state: State, kinds: Registry) -> dict[str, tuple[str, ...]]:
    """For each effect, the undos that must be complete first: those of later effects that have to do with it.

    Effects have to do with each other on one node, where one node needs the other (also through nodes that the run did not
    touch), and where a deletion may have freed what a later effect took.
    """
    waits: dict[str, dict[str, None]] = {effect.begun.operation: {} for effect in done}
    at: dict[str, list[int]] = {}
    for place, effect in enumerate(done):
        at.setdefault(effect.begun.address, []).append(place)
    behind = _Behind(done, state)
    for address, places in at.items():
        for other in (address, *behind.of(address)):
            related = sorted({*places, *at[other]})
            for earlier, later in itertools.pairwise(related):
                waits[done[earlier].begun.operation][_id(done[later])] = None
    for freed, taken in _claims_passed_on(done, state, kinds):
        waits[freed.begun.operation][_id(taken)] = None
    return {operation: tuple(found) for operation, found in waits.items()}


def _settled_last(
    done: Sequence[Effect], waits: Mapping[str, tuple[str, ...]], kinds: Registry
) -> dict[str, tuple[str, ...]]:  # fmt: skip
    """`waits`, with those taken back late that made others take effect."""
    ids = [_id(effect) for effect in done]
    places = {found: place for place, found in enumerate(ids)}
    as_done = [{places[need] for need in waits[effect.begun.operation]} for effect in done]
    found = settled_last(done, as_done, kinds)
    if found is as_done:
        return dict(waits)
    needs = [tuple(ids[place] for place in sorted(item)) for item in found]
    return dict(zip((effect.begun.operation for effect in done), needs, strict=True))


def _claims_passed_on(done: Sequence[Effect], state: State, kinds: Registry) -> Iterator[tuple[Effect, Effect]]:
    """Deletions, each with the later effects that took what it had made free."""
    decider = Decider(state, {}, kinds, lambda _: Masked(""))
    freed: dict[str, list[Effect]] = {}
    for effect in done:
        kind = kinds.get(effect.begun.node.kind)
        if not kind.claims_anything:
            continue
        is_deletion = effect.begun.verb == "delete"
        record = (effect.begun.prior if is_deletion else effect.after) or effect.begun.node
        values = {**thawed(record.inputs), **thawed(record.outputs)}
        for claim in decider.ask(kind.provider.claims, record.address, values, kind, ()):
            if is_deletion:
                freed.setdefault(claim, []).append(effect)
            else:
                yield from ((deletion, effect) for rival in rivals(claim) for deletion in freed.get(rival, ()))


class _Behind:
    """The nearest touched nodes that a node needs, through nodes that were not touched.

    Args:
        done: What was touched.
        state: What is recorded, for the nodes between.
    """

    def __init__(self, done: Sequence[Effect], state: State) -> None:
        self._needs: dict[str, dict[str, None]] = {}
        for effect in done:
            own = self._needs.setdefault(effect.begun.address, {})
            for record in (effect.begun.prior, effect.after):
                own.update(dict.fromkeys(record.needs if record is not None else ()))
        self._state = state
        self._through: dict[str, tuple[str, ...]] = {}

    def of(self, address: str) -> tuple[str, ...]:
        """The touched nodes nearest below the touched node at `address`."""
        needs = [need for need in self._needs[address] if need != address]
        for need in needs:
            self._look_below(need)
        return self._nearest(needs)

    def _nearest(self, needs: Iterable[str]) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for need in needs:
            found.update(dict.fromkeys((need,) if need in self._needs else self._through.get(need, ())))
        return tuple(found)

    def _look_below(self, address: str) -> None:
        """Fill `_through` for an untouched node and those below it; without recursion, for chains may be long."""
        stack = [] if address in self._through or address in self._needs else [address]
        while stack:
            current = stack[-1]
            record = self._state.latest(current)
            needs = record.needs if record is not None else ()
            first = current not in self._through
            self._through.setdefault(current, ())  # A circle of records of different ages ends here.
            deeper = [need for need in needs if need not in self._needs and need not in self._through] if first else []
            stack.extend(deeper)
            if not deeper:
                self._through[stack.pop()] = self._nearest(needs)


def _final(effect: Effect, kinds: Registry) -> bool:
    """Whether it cannot be taken back: data is gone, or the provider has no way."""
    kind = kinds.get(effect.begun.node.kind)
    if effect.begun.verb in ("adopt", "note"):
        return False
    if effect.begun.verb == "delete":
        return effect.begun.final or kind.holds_data
    before, after = _view(effect.begun.prior, kinds), _view(effect.after, kinds)
    return not kind.provider.undoable(effect.begun.verb, before, after)


def _view(resource: ResourceState | None, kinds: Registry) -> object:
    """A record as an instance of its declaration; nodes inside stay addresses."""
    if resource is None:
        return None
    values = {**thawed(resource.inputs), **thawed(resource.outputs)}
    return kinds.get(resource.kind).bind(resource.address, values)


def _change(effect: Effect, kinds: Registry, *, final: bool) -> Change:
    begun = effect.begun
    back = begun.prior.address if begun.verb == "note" and begun.prior is not None else ""
    return Change(
        address=begun.address,
        kind=begun.node.kind,
        action="none" if final else _ACTIONS[begun.verb],
        fields=_fields(effect, kinds) if begun.verb == "update" and not final else (),
        cause=f"moves it back to {back}" if back else f"undoes its {begun.verb}",
        final=final,
        holds_data=not final and begun.verb == "create" and kinds.get(begun.node.kind).holds_data,
        source=begun.node.source,
        generation=begun.generation,
        where=begun.node.where,
    )


def _fields(effect: Effect, kinds: Registry) -> tuple[FieldChange, ...]:
    """The inputs that get their former values; a step has none, its undo is run."""
    kind = kinds.get(effect.begun.node.kind)
    if kind.provider.forgets:
        return ()
    now, before = (thawed(record.inputs) if record is not None else {} for record in (effect.after, effect.begun.prior))
    default = kind.default
    return tuple(
        FieldChange(*difference)
        for name in {**now, **before}
        for difference in differences(now.get(name, default(name)), before.get(name, default(name)), name)
    )
