"""What stops an undo: something later has to do with what it would take back. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from purvey._plan.effects import Effect
from purvey._state.state import State
from purvey.errors import RefusedError
from purvey.providers import Registry


def refuse_touched(run: str, done: Sequence[Effect], state: State) -> None:
    """Stop an undo that would take back a part of what a later run did to the same objects."""
    last = {(effect.begun.address, effect.begun.generation): effect for effect in done}
    newer: dict[str, None] = {}
    for effect in done:
        key = (effect.begun.address, effect.begun.generation)
        exact = state.resources.get(key)
        restated = exact is not None and not last[key].tried and not last[key].still_says(exact)
        if effect.begun.verb == "note":
            if restated and effect.moves:
                newer[f"{key[0]} was changed since"] = None  # To put it back would tear it from what it refers to now.
            continue
        ours = {"", run}
        if effect.tried and effect.begun.prior is not None:
            ours.add(effect.begun.prior.run)  # Somebody settled the undo that had begun: it is the earlier run's again.
        now = state.latest(key[0])
        if now is not None and now.run not in ours and not effect.begun.final:
            newer[f"{now.address} was changed by run {now.run}"] = None
        elif restated and effect.begun.verb == "update":
            newer[f"{key[0]} was declared anew since"] = None  # Its former record would wipe that out: a protection, say.
        elif last[key].after is not None and exact is None and not effect.tried:
            newer[f"{key[0]} #{key[1]} is not recorded any more: it was deleted, moved or forgotten since"] = None
    _refuse(newer)


def refuse_built_on(later: Collection[str], possible: Sequence[Effect], state: State, kinds: Registry) -> None:
    """Stop an undo that would take away what objects of later runs stand on, or live in; also through objects between."""
    waiting = [effect.begun.address for effect in possible if effect.begun.verb == "create"]
    seen = set(waiting)
    newer: dict[str, None] = {}
    while waiting:
        below = waiting.pop()
        for item in state.dependants(below):
            if item.run in later and not kinds.get(item.kind).check:  # What a check saw is no object.
                newer[f"{item.address} was built on {below} by run {item.run}"] = None
            if item.address not in seen:
                seen.add(item.address)
                waiting.append(item.address)
    _refuse(newer)


def _refuse(newer: Iterable[str]) -> None:
    findings = tuple(newer)
    if findings:
        raise RefusedError(
            "refused.touched_since",
            "A later run changed, or built on, what this undo would take back",
            findings=findings,
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
            findings=tuple(f"{address} is deleted" for address in deleted),
            hint="Apply the former script: it makes them anew.",
        )
