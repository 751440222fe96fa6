"""Kinds for a rehearsal: what a kind decides is the kind's own, what it would do is done to the rehearsal's world.

Each provider is a copy of the real one with the acting methods replaced, so that `claims`, `predict`, `diff` and `undoable` are
the user's real code, with the user's real mistakes.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from purvey._base.value import Value
from purvey._hosts.fact import Answers
from purvey._rehearse.outputs import outputs_of
from purvey._rehearse.world import Place, Thing, Traits, World, traits_of
from purvey._script.step import StepProvider
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey.errors import ProviderError
from purvey.providers import (
    Absent,
    Call,
    Done,
    Field,
    Finding,
    Kind,
    NotKnownError,
    Observed,
    Present,
    Provider,
    Registry,
)
from purvey.providers import host as on_host


class Stage:
    """What the simulated kinds of one run share.

    Args:
        stack: ``name/environment``.
        world: Where they act.
        state: The run's state, in which the record of an operation that acts is found.
        found: What is there in the real world under the identity of nodes that are not recorded, by address.
    """

    def __init__(self, stack: str, world: World, state: State, found: Mapping[str, Observed]) -> None:
        self.stack = stack
        self.world = world
        self.state = state
        self.found = found

    def address(self, call: Call) -> str:
        """The address inside the stack."""
        return call.address.removeprefix(f"{self.stack}::")

    def bodies(self, call: Call) -> tuple[ResourceState, ResourceState | None]:
        """What the operation that acts wants the record to be, and what it was."""
        begun = next(doubt.begun for doubt in self.state.in_doubt.values() if doubt.begun.token == call.token)
        return begun.node, begun.prior


class SimulatedKinds(Registry):
    """The kinds that a registry has, acting on a rehearsal's world.

    Args:
        real: The registry.
        stage: Where they act.
    """

    def __init__(self, real: Registry, stage: Stage) -> None:
        super().__init__()
        self._real = real
        self.stage = stage

    def get(self, name: str) -> Kind:
        """See `Registry.get`."""
        kind = self._kinds.get(name)
        if kind is None:
            kind = simulated(self._real.get(name), self.stage)
            self.add(kind)
        return kind


class LookingKinds(Registry):
    """The real kinds, remembering what they find under the identity of new nodes.

    Args:
        real: The registry.

    Attributes:
        found: What was found, by full address.
    """

    def __init__(self, real: Registry) -> None:
        super().__init__()
        self._real = real
        self.found: dict[str, Observed] = {}

    def get(self, name: str) -> Kind:
        """See `Registry.get`."""
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._real.get(name)
            if on_host.is_asked_together(kind.provider):
                kind = twin(kind, {"found": self._remembering_answers(kind.provider)})
            elif type(kind.provider).find is not Provider.find:
                kind = twin(kind, {"find": self._remembering(kind.provider)})
            self.add(kind)
        return kind

    def _remembering(self, provider: Provider[Any]) -> Callable[..., Any]:
        async def find(_: Any, call: Call, want: Any) -> Observed:
            """As the real one, which only reads."""
            seen = self.found[call.address] = await provider.find(call, want)
            return seen

        return find

    def _remembering_answers(self, provider: on_host.HostProvider[Any]) -> Callable[..., Any]:
        def found(_: Any, place: on_host.Place, want: Any, answers: Answers) -> Observed:
            """As the real one, which reads what the machine has answered."""
            seen = self.found[place.address] = provider.found(place, want, answers)
            return seen

        return found


def twin(kind: Kind, methods: Mapping[str, Any]) -> Kind:
    """A kind like `kind`, whose provider has other methods."""
    provider = copy.copy(kind.provider)
    provider.__class__ = type(f"Rehearsed{type(provider).__name__}", (type(provider),), dict(methods))
    fields: list[Field] = list(kind.fields.values())
    return Kind(
        kind.name, fields, provider, kind.bind, check=kind.check, holds_data=kind.holds_data,
        delete_first=kind.delete_first, version=kind.version,
    )  # fmt: skip


def simulated(kind: Kind, stage: Stage) -> Kind:
    """`kind`, acting on the rehearsal's world."""
    actor = _Actor(kind, stage)
    methods: dict[str, Any] = {"read_many": None, "preflight": _sees_nothing}
    for name in ("read", "create", "update", "delete", "undo"):
        methods[name] = _method(getattr(actor, name))
    methods["ready"] = methods["create"]
    if type(kind.provider).find is not Provider.find:
        methods["find"] = _method(actor.find)
    return twin(kind, methods)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    async def method(_: Any, *arguments: Any) -> Any:
        """What the actor does."""
        return await function(*arguments)

    return method


async def _sees_nothing(*_: Any) -> Sequence[Finding]:
    """Preflight has looked at the real world already."""
    return ()


class _Actor:
    """What a simulated provider does."""

    def __init__(self, kind: Kind, stage: Stage) -> None:
        self.kind = kind
        self.stage = stage
        self.traits: Traits = traits_of(kind)
        self.is_step = isinstance(kind.provider, StepProvider)

    def place(self, call: Call) -> Place:
        return self.kind.name, call.name or self.stage.address(call)

    def claims(self, view: Any) -> Sequence[str]:
        return claims_of(self.kind, view)

    def thing(self, call: Call) -> Thing | None:
        """The object of the call; where its address has moved, it follows."""
        return self.stage.world.at(self.place(call))

    async def read(self, call: Call, have: Any) -> Observed:
        thing = self.thing(call)
        if thing is None:
            return Absent()
        return thing.seen if thing.seen is not None else Present(call.id, {})

    async def find(self, call: Call, want: Any) -> Observed:
        thing = self.thing(call)
        if thing is not None:
            return Present(thing.body.id, {})
        address = self.stage.address(call)
        seen = self.stage.found.get(address, Absent())
        if isinstance(seen, Present) and not self.is_step:
            name = self.place(call)
            body = ResourceState(
                address=address, kind=self.kind.name, generation=1, id=seen.id, adopted=True,
                inputs={key: value for key, value in seen.values.items() if key in self.kind.inputs},
            )  # fmt: skip
            there = Thing(name, body, self.traits, ())
            there.seen = seen
            self.stage.world.put(there)
        return seen

    async def create(self, call: Call, want: Any) -> Done:
        if self.kind.check:
            return Done(call.address, outputs_of(self.kind, want, self.stage.address(call), {}))
        node, prior = self.stage.bodies(call)
        body = prior if call.undoes and prior is not None else node
        place = self.place(call)
        self.stage.world.make(place, body, self.traits, self.claims(want))
        kept = known(self.kind, want) if call.undoes and self.traits.named else {}
        again = f"{place[1]}-again" if call.undoes and not kept else place[1]
        object_id = body.id if kept and body.id else call.address if self.is_step else again
        await call.identified(object_id)
        return Done(object_id, outputs_of(self.kind, want, again, kept))

    async def update(self, call: Call, have: Any, want: Any) -> Done:
        node, _ = self.stage.bodies(call)
        return self._change(call, node, have, want)

    def _change(self, call: Call, body: ResourceState, have: Any, want: Any) -> Done:
        thing = self.thing(call)
        if thing is None:
            raise ProviderError("not_found", "The object is gone", detail=f"{self.stage.address(call)} is not there any more.")
        self.stage.world.change(thing, body, self.claims(want))
        return Done(call.id, outputs_of(self.kind, want, thing.place[1], {**known(self.kind, have), **known(self.kind, want)}))

    async def delete(self, call: Call, have: Any) -> None:
        thing = self.thing(call)
        if thing is not None:
            self.stage.world.remove(thing)

    async def undo(self, call: Call, have: Any, before: Any) -> Done | None:
        if isinstance(self.kind.provider, StepProvider):
            require_callable(self.kind.provider)
        _, prior = self.stage.bodies(call)
        if before is not None and prior is not None:
            return self._change(call, prior, have, before)
        thing = self.thing(call)
        if thing is not None and self.traits.leaves and self.traits.undoes:
            thing.there = False
        elif thing is not None:
            self.stage.world.remove(thing)
        return None


def claims_of(kind: Kind, view: Any) -> Sequence[str]:
    """What an object occupies alone; nothing where that cannot be told."""
    try:
        return tuple(kind.provider.claims(view))
    except NotKnownError:
        return ()


def known(kind: Kind, view: Any) -> dict[str, Value]:
    """The outputs that a view holds."""
    values: Mapping[str, Value] = view._values or {}  # noqa: SLF001 - a secret that is gone must not raise here.
    return {name: values[name] for name in kind.outputs if name in values}


def require_callable(provider: StepProvider) -> None:
    """Refuse an undo of a step whose function cannot be called with what it will get; it is not called.

    Raises:
        ProviderError: ``failed``, with Python's own words.
    """
    function = provider.undo_function
    if function is None:
        raise ProviderError("failed", "The step has no undo")
    try:
        inspect.signature(function).bind(None, **dict.fromkeys(provider.names))
    except TypeError as error:
        line = function.__code__.co_firstlineno
        raise ProviderError(
            "failed",
            "The step's undo cannot be called",
            detail=f"Its undo on line {line} gets the result first and then {', '.join(provider.names) or 'nothing'} by name: "
            f"{error}.",
            hint=f"Write `def _({', '.join(('result', '/', *provider.names))})`.",
        ) from error
