"""What stops an undo: something later has to do with what it would take back. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterator, Sequence

from purvey._base.address import full, parted
from purvey._plan.effects import Effect
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.errors import RefusedError
from purvey.providers import Registry


def refuse_touched(run: str, done: Sequence[Effect], state: State, kinds: Registry, later: Collection[str]) -> None:
    """Stop an undo that would take back a part of what a later run did to the same objects, or tear records apart."""
    last = {(effect.begun.address, effect.begun.generation): effect for effect in done}
    newer: dict[tuple[str, str], None] = {}

    def is_strange(item: ResourceState) -> bool:
        """Whether an object is there, or is filed there, since; with no later run nothing is."""
        return bool(later) and item.run != run and (item.address, item.generation) not in last

    for effect in done:
        key = (effect.begun.address, effect.begun.generation)
        exact = state.resources.get(key)
        restated = exact is not None and not last[key].tried and not last[key].still_says(exact)
        gone = f"{key[0]} #{key[1]} is not recorded any more: it was deleted, moved or forgotten since"
        is_gone = exact is None and last[key].after is not None and not effect.tried
        ours = {"", run}
        if effect.tried and effect.begun.prior is not None:
            ours.add(effect.begun.prior.run)  # Somebody settled the undo that had begun: it is the earlier run's again.
        now = state.latest(key[0])
        if effect.begun.verb == "note":
            newer |= dict.fromkeys((key[0], line) for line in _torn(effect, state, kinds, is_strange))
            if restated and effect.moves:
                newer[key[0], f"{key[0]} was changed since"] = None  # To put it back would tear it from what it refers to now.
            elif is_gone and (effect.renames or effect.elsewhere):
                newer[key[0], gone] = None
        elif now is not None and now.run not in ours and not effect.begun.final:
            newer[key[0], f"{now.address} was changed by run {now.run}"] = None
        elif restated and effect.begun.verb == "update":
            newer[key[0], f"{key[0]} was declared anew since"] = (
                None  # Its former record would wipe that out: a protection, say.
            )
        elif is_gone:
            newer[key[0], gone] = None
    _refuse(newer)


def _torn(effect: Effect, state: State, kinds: Registry, is_strange: Callable[[ResourceState], bool]) -> Iterator[str]:
    """Why an object cannot go back to where its record was: somebody else is there, or what refers to it would lose it."""
    begun, prior = effect.begun, effect.begun.prior
    now = state.latest(begun.address)
    if (effect.renames or effect.elsewhere) and now is not None and now.generation > begun.generation and is_strange(now):
        yield f"{begun.address} has a later object"
    if prior is None or not effect.renames:
        return
    there = state.latest(prior.address)
    if there is not None and there.generation > prior.generation and is_strange(there):
        yield f"{prior.address} is taken by another object since"
    for item in state.dependants(begun.address):
        if is_strange(item) and not kinds.get(item.kind).check:  # What a check saw is no object.
            yield f"{item.address} refers to {begun.address} since"


def refuse_built_on(later: Collection[str], possible: Sequence[Effect], state: State, kinds: Registry) -> None:
    """Stop an undo that would take away what objects of later runs stand on, or live in; also through objects between."""
    waiting = [effect.begun.address for effect in possible if effect.begun.verb == "create"]
    seen = set(waiting)
    newer: dict[tuple[str, str], None] = {}
    while waiting:
        below = waiting.pop()
        for item in state.dependants(below):
            if item.run in later and not kinds.get(item.kind).check:  # What a check saw is no object.
                newer[item.address, f"{item.address} was built on {below} by run {item.run}"] = None
            if item.address not in seen:
                seen.add(item.address)
                waiting.append(item.address)
    _refuse(newer)


def _refuse(newer: Collection[tuple[str, str]]) -> None:
    if newer:
        raise RefusedError(
            "refused.touched_since",
            "A later run changed, or built on, what this undo would take back",
            reasons=newer,
            hint="Undo the later run first, or change the script and apply.",
        )


def refuse_deleted(done: Sequence[Effect], possible: Sequence[Effect]) -> None:
    """An undo ends where deletions began, unless what is left has nothing to do with what they removed."""
    deleted = {effect.begun.address for effect in done if effect.begun.final}
    built = [
        effect
        for effect in possible
        if effect.begun.address in deleted
        or (effect.begun.prior is not None and not deleted.isdisjoint(effect.begun.prior.needs))
    ]
    if deleted and (built or not possible):
        raise RefusedError(
            "refused.deletions_done",
            "The run has deleted objects for good",
            detail="What it deleted after its checks had passed cannot be made again by an undo.",
            reasons=[(address, f"{address} is deleted") for address in deleted],
            hint="Apply the former script: it makes them anew.",
        )


def refuse_handed_over(stack: str, done: Sequence[Effect]) -> None:
    """Stop the undo of a hand-over: two stacks are to agree, which only a hand-over back makes them."""
    handed = [effect for effect in done if effect.elsewhere]
    inside = {effect.begun.address for effect in handed}
    commands = [_hand_back(stack, effect) for effect in handed if effect.begun.node.container not in inside]
    if handed:
        raise RefusedError(
            "refused.handed_over",
            "The run handed objects over from one stack to another",
            reasons=[(effect.begun.address, _handed(effect)) for effect in handed],
            hint="Hand it back:\n" + "".join(f"\n    {command}" for command in commands),
        )


def _handed(effect: Effect) -> str:
    if effect.after is None:
        return f"{effect.begun.address} belongs to {effect.elsewhere} now"
    return f"{effect.begun.address} came from {effect.elsewhere}"


def _hand_back(stack: str, effect: Effect) -> str:
    here = full(stack, effect.begun.address)
    source, target = (effect.elsewhere, here) if effect.after is None else (here, effect.elsewhere)
    (owner, address), (getter, former) = parted(source), parted(target)
    name, env = owner.split("/")
    command = ["purvey", "state", "mv", address, "--stack", name, "-e", env, "--to-stack", getter]
    return shlex.join([*command, *(("--to", former) if former != address else ())])
