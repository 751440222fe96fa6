"""The oracle: what the cloud remembers, held against what purvey recorded."""

from __future__ import annotations

from purvey.testing.cloud._state import TAG_ADDRESS, TAG_RUN, Effect, State


def violations(state: State, recorded: frozenset[str]) -> list[str]:
    """What went wrong by the ledger's word, in sentences; none if nothing was lost, leaked or doubled.

    Args:
        state: The cloud.
        recorded: The ids that purvey's record has of objects in this cloud.
    """
    found = [*_doubled(state.ledger), *_beside(state)]
    ours = {effect.id: effect.address for effect in state.ledger if effect.verb == "create" and effect.run}
    for thing in state.objects.values():
        if (TAG_RUN in thing.tags or thing.id in ours) and thing.id not in recorded:
            address = thing.tags.get(TAG_ADDRESS) or ours.get(thing.id)
            found.append(f"orphan: {thing.kind} {thing.id} ({address}) lives and is not recorded")
        if thing.parent and thing.parent not in state.objects:
            found.append(f"outlives its parent: {thing.kind} {thing.id} in {thing.parent}")
    found += [f"lost: {key} is recorded and does not live" for key in sorted(recorded) if key not in state.objects]
    return found


def _doubled(ledger: list[Effect]) -> list[str]:
    """Creates of what lives already, and effects that one token had twice."""
    found: list[str] = []
    living: dict[tuple[str, str], str] = {}
    seen: set[tuple[str, str, str]] = set()
    for effect in ledger:
        own = (effect.kind, effect.tag)
        if effect.verb == "create" and effect.tag:
            if own in living:
                found.append(f"created twice: {effect.kind} {effect.tag} is {living[own]} and {effect.id}")
            living[own] = effect.id
        elif effect.verb == "delete" and living.get(own) == effect.id:
            del living[own]
        once = (effect.token, effect.verb, "" if effect.verb == "create" else effect.id)
        if effect.token and once in seen:
            found.append(f"done twice: {effect.verb} of {effect.kind} {effect.id} for the token {effect.token}")
        seen.add(once)
    return found


def _beside(state: State) -> list[str]:
    """Changes that were asked of what has never been, or of what purvey had deleted before with another token.

    The same token is a repetition, and what somebody else has removed cannot be known.
    """
    made = {effect.id for effect in state.ledger if effect.verb == "create"}
    deleted = {effect.id: effect.token for effect in state.ledger if effect.verb == "delete"}
    found: list[str] = []
    for asked in state.missed:
        if asked.id not in made:
            found.append(f"beside: {asked.verb} of {asked.kind} {asked.id!r}, which has never been")
        elif (token := deleted.get(asked.id)) and token != asked.token:
            found.append(f"too late: {asked.verb} of {asked.kind} {asked.id}, which was deleted before")
    return found
