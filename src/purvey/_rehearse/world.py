"""The rehearsal's world: objects in memory that obey what real ones obey.

An object is needed by others until these are gone, occupies alone what its kind says it does, keeps what it cannot change in
place, and takes with it what lives in it. What held data and is made again comes back empty. Nothing here acts on anything
real.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from purvey._base.value import NodeLink, Value, thaw, walk
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey.errors import ProviderError
from purvey.providers import Kind, Observed, Provider
from purvey.providers.claim import contested

Place = tuple[str, str]
"""Kind and physical name: what an object is known by, whatever its address is."""


class Traits(msgspec.Struct, frozen=True):
    """What of a kind the world must know.

    Attributes:
        immutable: Inputs that cannot be changed in place.
        defaults: The values of inputs that are not given.
        holds_data: See `Kind`.
        delete_first: See `Kind`.
        leaves: Whether deleting one does nothing.
        undoes: Whether the kind has an undo of its own, or is a step.
        named: Whether the engine chooses its identity, so that one made again is the same for those who know it.
    """

    immutable: frozenset[str] = frozenset()
    defaults: dict[str, Value] = {}
    holds_data: bool = False
    delete_first: bool = False
    leaves: bool = False
    undoes: bool = False
    named: bool = True


def traits_of(kind: Kind) -> Traits:
    """What the declaration of a kind says."""
    provider = kind.provider
    return Traits(
        kind.immutable, {name: kind.default(name) for name in kind.inputs}, kind.holds_data, kind.delete_first,
        provider.forgets, type(provider).undo is not Provider.undo, provider.recovers_by == "name",
    )  # fmt: skip


class Thing:
    """One object, or the effect of one step.

    Attributes:
        place: What it is known by.
        body: Its record, as of now.
        traits: Of its kind.
        original: Its record when the rehearsal began; None for what the run made.
        claims: What it occupies alone.
        seen: What a read of the real one saw; None once the rehearsal changed it.
        there: Whether it exists.
        emptied: Whether it was deleted meanwhile, so that what it held is gone.
        remade: Whether it was deleted and made again.
    """

    __slots__ = ("body", "claims", "emptied", "original", "place", "remade", "seen", "there", "traits")

    def __init__(self, place: Place, body: ResourceState, traits: Traits, claims: Sequence[str]) -> None:
        self.place = place
        self.body = body
        self.traits = traits
        self.original: ResourceState | None = None
        self.claims = tuple(claims)
        self.seen: Observed | None = None
        self.there = True
        self.emptied = False
        self.remade = False


class Clash(msgspec.Struct, frozen=True):
    """An object was removed while another still needed it."""

    removed: Place
    user: Place


class World:
    """Everything that exists in a rehearsal.

    Attributes:
        things: By place, also those that are gone.
        clashes: Removals of what another object still needed, in their order.
    """

    def __init__(self) -> None:
        self.things: dict[Place, Thing] = {}
        self.clashes: list[Clash] = []

    def put(self, thing: Thing) -> None:
        """Let something exist that was there before the run."""
        thing.original = thing.body
        self.things[thing.place] = thing

    def at(self, place: Place) -> Thing | None:
        """What is at a place now; None if there is nothing."""
        thing = self.things.get(place)
        return thing if thing is not None and thing.there else None

    def there(self) -> list[Thing]:
        """Everything that exists now."""
        return [thing for thing in self.things.values() if thing.there]

    def make(self, place: Place, body: ResourceState, traits: Traits, claims: Sequence[str]) -> Thing:
        """Bring an object into being; one that is there already under this name is the same.

        Raises:
            ProviderError: ``not_found`` if something that it needs is gone, ``already_exists`` if its place is taken.
        """
        self._require_needs(body)
        self._require_free(place, body, claims)
        before = self.things.get(place)
        thing = before or Thing(place, body, traits, claims)
        if before is not None and not before.there:
            thing.remade = True
        thing.body, thing.claims, thing.there, thing.seen = body, tuple(claims), True, None
        self.things[place] = thing
        return thing

    def change(self, thing: Thing, body: ResourceState, claims: Sequence[str]) -> None:
        """Change an object in place.

        Raises:
            ProviderError: ``invalid`` if a field cannot be changed so, ``already_exists`` if its new place is taken.
        """
        fixed = [
            name for name in sorted(thing.traits.immutable) if _field(thing, thing.body, name) != _field(thing, body, name)
        ]
        if fixed:
            raise ProviderError(
                "invalid",
                "The field cannot be changed in place",
                detail=f"The kind {body.kind} says that `{fixed[0]}` is immutable, and its `diff` lets it be updated.",
                hint="Let `diff` say that the field replaces the object, or do not declare it immutable.",
            )
        self._require_free(thing.place, body, claims)
        thing.body, thing.claims, thing.seen = body, tuple(claims), None

    def remove(self, thing: Thing) -> None:
        """Remove an object, and with it what lives in it; one whose kind only forgets stays."""
        if thing.traits.leaves:
            return
        self._end(thing)
        self._note_users(thing)

    def _end(self, thing: Thing) -> None:
        """Let something be gone, and what lives in it, and what lives in that."""
        todo = [thing]
        while todo:
            gone = todo.pop()
            gone.there, gone.seen, gone.emptied = False, None, True
            inside = [other for other in self.there() if _lives_in(other, gone)]
            self.clashes += [Clash(gone.place, other.place) for other in inside if other.traits.delete_first]
            todo += [other for other in inside if not other.traits.delete_first]

    def _note_users(self, thing: Thing) -> None:
        """Note who still needed what was just removed; another object at the same address serves as well."""
        address = thing.body.address
        if any(other.body.address == address for other in self.there()):
            return
        users = [other for other in self.there() if address in other.body.needs and other.body.container != address]
        self.clashes += [Clash(thing.place, user.place) for user in users]

    def _require_needs(self, body: ResourceState) -> None:
        known = {thing.body.address for thing in self.things.values()}
        there = {thing.body.address for thing in self.there()}
        for need in (*body.needs, *([body.container] if body.container else ())):
            if need in known and need not in there:
                raise ProviderError(
                    "not_found",
                    "Something that the object needs is not there",
                    detail=f"{body.address} needs {need}, which is gone.",
                )

    def _require_free(self, place: Place, body: ResourceState, claims: Iterable[str]) -> None:
        wanted = set(claims)
        if not wanted:
            return
        for other in self.there():
            shared = contested(wanted, frozenset(other.claims)) if other.body.where == body.where else ()
            if shared and other.place != place:
                raise ProviderError(
                    "already_exists",
                    "What the object occupies alone is taken",
                    detail=f"{body.address} wants {min(shared)}, which {other.body.address} (generation "
                    f"{other.body.generation}) still holds.",
                )


def _lives_in(thing: Thing, container: Thing) -> bool:
    home = container.body
    made_in = thing.body.follows.get(home.address, home.generation)
    return bool(thing.body.container) and thing.body.container == home.address and made_in == home.generation


_NODE: Final = "(a node)"


def _field(thing: Thing, body: ResourceState, name: str) -> Value:
    """An input to compare; nodes are told apart by what they are, not by their address, which may have moved."""
    value = thaw(body.inputs.get(name, thing.traits.defaults.get(name)))
    return _NODE if any(type(item) is NodeLink for item in walk(value)) else value


def changed(thing: Thing) -> tuple[str, ...]:
    """The inputs of what was there before that are not as they were; nodes have new addresses where these moved."""
    assert thing.original is not None  # Only what was there before can have changed.
    names = {*thing.original.inputs, *thing.body.inputs}
    return tuple(sorted(name for name in names if _field(thing, thing.original, name) != _field(thing, thing.body, name)))


def difference(before: ResourceState, after: ResourceState, defaults: Mapping[str, Value]) -> tuple[str, ...]:
    """The inputs that are not as they were; one that is not given has its default."""
    old, new = {**defaults, **thawed(before.inputs)}, {**defaults, **thawed(after.inputs)}
    return tuple(sorted(name for name in {**old, **new} if old.get(name) != new.get(name)))
