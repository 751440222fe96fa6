"""What an operation on a machine needs to know, and what it then does: decided like any other, and not performed yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from purvey._apply import make
from purvey._apply.call import physical_name
from purvey._apply.redacting import cleaned
from purvey._base.value import Unknown, walk
from purvey._hosts.change import Run
from purvey._hosts.fact import Answers
from purvey._hosts.step import Step
from purvey._state.record import Noted
from purvey.providers import NotKnownError, Present
from purvey.providers.host import HostProvider, Work, discreet, place_of

if TYPE_CHECKING:
    from purvey._apply.perform import Performer
    from purvey._hosts.connector import Connector
    from purvey._hosts.fact import Answer, Fact, Unanswered
    from purvey._plan.plan import Operation
    from purvey._state.ahead import Ahead
    from purvey._state.record import Begun
    from purvey._state.resource import ResourceState
    from purvey.providers import Kind, Observed

    Known = Mapping[Fact, Answer | Unanswered]


class Prepared:
    """One operation on a machine, before it is performed.

    Args:
        performer: Performs the plan.
        operation: The operation.
        kind: Its kind.
        begun: Its begin, which is not written down yet.

    Attributes:
        facts: What must be known to decide.
        notes: What is to be recorded without an effect, once it is decided: before the begin, if there is one.
        guard: What must still be so just before it is performed.
        work: What it does, once that is decided.
        subject: What it is done for: the wish, or what is removed or put back.
        has_ended: Whether the machine has told how it ended.
        has_said: Whether it printed anything, or told why it failed.
        is_settled: Whether its end is written down.
        is_in_doubt: Whether it may have had an effect all the same.
        started: When it was started, on the monotonic clock.
    """

    work: Work
    subject: Any
    facts: Sequence[Fact] = ()

    def __init__(self, performer: Performer, operation: Operation, kind: Kind, begun: Begun) -> None:
        assert isinstance(kind.provider, HostProvider)  # `prepared` sorts out all others.
        parts = performer.parts
        self.performer = performer
        self.operation = operation
        self.kind = kind
        self.provider: HostProvider[Any] = kind.provider
        self.begun = begun
        self.call = parts.call(
            begun.address, begun.node.name, begun.node, object_id=begun.node.id, token=begun.token, undoes=begun.undoes_token
        )
        self.host: Connector = self.call.host
        self.place = place_of(self.call)
        self.guard: tuple[tuple[Fact, Answer], ...] = ()
        self.notes: list[Noted] = []
        self.has_ended = False
        self.has_said = False
        self.is_settled = False
        self.is_in_doubt = False
        self.started = parts.clock.monotonic()

    @property
    def doing(self) -> str:
        """What takes a while, for people: its first command."""
        commands = [change.command for change in self.work.changes if isinstance(change, Run)]
        return self.provider.doing(self.subject, commands[0]) if commands else ""

    async def decide(self, known: Known) -> Work | None:
        """What is done, from what is known of the machine; None where there is nothing to do any more.

        Raises:
            NotKnownError, LookupError: where that needs what is not known.
        """
        raise NotImplementedError

    def step(self) -> Step:
        """What the machine gets."""
        return Step(self.begun.token, 1, discreet(self.provider, self.work.changes), self.guard, self.work.after)

    def foresee(self, ahead: Ahead) -> None:
        """Let the state ahead be as it will be recorded, with what is not known yet as that."""
        kept = self.begun.prior.outputs if self.begun.prior is not None else {}
        unknown = {name: Unknown(f"{self.begun.address}.{name}") for name in self.kind.outputs}
        outputs = {**unknown, **self.work.outputs} if self.work.outputs is not None else kept
        ahead.foresee(msgspec.structs.replace(self.begun.node, id=self.work.id, outputs=outputs))


class _Appearance(Prepared):
    """What is not recorded yet: it is made, or taken over where it is there already.

    Which of the two is decided by the plan. Only where that could not know is it decided now.
    """

    verb = "create"

    def __init__(self, performer: Performer, operation: Operation, kind: Kind, ahead: Ahead) -> None:
        parts = performer.parts
        node = performer.plan.nodes[operation.address]
        name = physical_name(parts.estate, parts.stack, operation.address, operation.generation)
        values = parts.opened_inputs(node)
        _require_known(values, operation.address)
        self._wanted = performer.wanted(node, kind, values, operation.generation, name)
        super().__init__(performer, operation, kind, performer.begin(operation, self.verb, self._wanted, None))
        self._node, self._ahead = node, ahead
        self.subject = parts.view(kind, node.address, values)
        self.facts = self.provider.facts(self.place, self.subject)

    def _found(self, known: Known) -> Observed:
        return cleaned(self.provider.found(self.place, self.subject, Answers(known)), self.performer.parts.redactor)

    def _make(self, known: Known) -> Work:
        if self.begun.verb != "create":
            self.begun = self.performer.begin(self.operation, "create", self._wanted, None, token=self.begun.token)
        self.work = self.provider.make(self.place, self.subject, Answers(known))
        return self.work

    def _take_over(self, known: Known, found: Observed) -> Work | None:
        performer = self.performer
        record, note = make.taken_over(performer, self.operation, self._node, found)
        self.notes = [note]
        self._ahead.foresee(record)
        change = make.decided(performer, self.operation, self._node, record, found)
        if isinstance(change, Noted):
            self.notes = [*self.notes, change]
            return None
        self.begun = performer.begin(self.operation, "update", change.wanted, change.before, token=self.begun.token)
        self.work = self.provider.change(self.place, change.have, change.want, Answers(known))
        return self.work


class _Creation(_Appearance):
    async def decide(self, known: Known) -> Work | None:
        if make.may_be_there(self.operation, self.kind):
            found = self._found(known)
            if isinstance(found, Present):
                return self._take_over(known, found)
        return self._make(known)


class _Update(Prepared):
    def __init__(self, performer: Performer, operation: Operation, kind: Kind, prior: ResourceState) -> None:
        parts = performer.parts
        node = performer.plan.nodes[operation.address]
        values = parts.opened_inputs(node)
        _require_known(values, operation.address)
        wanted = performer.wanted(node, kind, values, prior.generation, prior.name)
        super().__init__(performer, operation, kind, performer.begin(operation, "update", wanted, prior))
        self._node, self._prior = node, prior
        self._have = parts.record_view(prior)
        self.subject = parts.view(kind, node.address, values)
        facts = [*self.provider.facts(self.place, self._have), *self.provider.facts(self.place, self.subject)]
        self.facts = tuple(dict.fromkeys(facts))

    async def decide(self, known: Known) -> Work | None:
        answers, performer = Answers(known), self.performer
        seen = cleaned(self.provider.seen(self.place, self._have, answers), performer.parts.redactor)
        change = make.decided(performer, self.operation, self._node, self._prior, seen)
        if isinstance(change, Noted):
            self.notes = [*self.notes, change]
            return None
        self.begun = performer.begin(self.operation, "update", change.wanted, change.before, token=self.begun.token)
        self.work = self.provider.change(self.place, change.have, change.want, answers)
        return self.work


class _Adoption(_Appearance):
    verb = "update"

    async def decide(self, known: Known) -> Work | None:
        found = self._found(known)
        is_gone = not isinstance(found, Present) and make.may_be_there(self.operation, self.kind)
        return self._make(known) if is_gone else self._take_over(known, found)


class _Removal(Prepared):
    def __init__(self, performer: Performer, operation: Operation, kind: Kind, prior: ResourceState) -> None:
        super().__init__(performer, operation, kind, performer.begin(operation, "delete", prior, prior))
        self.subject = performer.parts.record_view(prior)
        self.facts = self.provider.facts(self.place, self.subject)

    async def decide(self, known: Known) -> Work | None:
        self.work = self.provider.remove(self.place, self.subject, Answers(known))
        return self.work

    def foresee(self, ahead: Ahead) -> None:
        ahead.lose(self.begun.node)


class _Undo(Prepared):
    def __init__(self, performer: Performer, operation: Operation, kind: Kind, now: ResourceState) -> None:
        effect = performer.undone[operation.undoes].begun
        begun = performer.begin(operation, "undo", now, effect.prior, undone=effect)
        super().__init__(performer, operation, kind, begun)
        self._have = performer.parts.record_view(now)
        self._before = performer.parts.former_view(effect.prior) if effect.prior is not None else None
        self.subject = self._before if self._before is not None else self._have
        facts = [*self.provider.facts(self.place, self._have), *self.provider.facts(self.place, self.subject)]
        self.facts = tuple(dict.fromkeys(facts))

    async def decide(self, known: Known) -> Work | None:
        self.work = self.provider.take_back(self.place, self._have, self._before, Answers(known))
        return self.work

    def foresee(self, ahead: Ahead) -> None:
        if self.begun.prior is not None:
            ahead.foresee(self.begun.prior)
        else:
            ahead.lose(self.begun.node)


def prepared(performer: Performer, operation: Operation, ahead: Ahead) -> Prepared | None:
    """An operation that can go together with others; None for one that goes by itself.

    Args:
        performer: Performs the plan.
        operation: The operation.
        ahead: The state as it will be when those before it in the batch are done.

    Raises:
        NotKnownError: where it needs what they only bring to light.
    """
    looking = performer.looking(ahead)
    if operation.verb == "create":
        node = performer.plan.nodes[operation.address]
        kind = together(performer, node.kind)
        alone = operation.prior or node.options.adopt
        return _Creation(looking, operation, kind, ahead) if kind is not None and not alone else None
    if operation.verb == "adopt":
        kind = together(performer, performer.plan.nodes[operation.address].kind)
        return _Adoption(looking, operation, kind, ahead) if kind is not None else None
    if operation.verb == "update":
        prior = ahead.latest(operation.address)
        kind = together(performer, performer.plan.nodes[operation.address].kind)
        return _Update(looking, operation, kind, prior) if kind is not None and prior is not None else None
    if operation.verb == "undo" and performer.undone[operation.undoes].begun.verb not in ("create", "update"):
        return None
    record = ahead.at(operation.address, operation.generation)
    kind = together(performer, record.kind) if record is not None else None
    if record is None or kind is None:
        return None
    return _Undo(looking, operation, kind, record) if operation.verb == "undo" else _Removal(looking, operation, kind, record)


def together(performer: Performer, name: str) -> Kind | None:
    """The kind, if what it does on a machine is data; one that acts by itself does that alone."""
    kind = performer.parts.kinds.get(name)
    provider = type(kind.provider)
    plain = issubclass(provider, HostProvider) and all(
        getattr(provider, method) is getattr(HostProvider, method) for method in ("create", "update", "delete", "undo")
    )
    return kind if plain else None


def _require_known(values: Mapping[str, Any], address: str) -> None:
    if any(isinstance(item, Unknown) for item in walk(dict(values))):
        raise NotKnownError(address)
