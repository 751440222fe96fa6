"""Kinds whose objects are on a machine: what they ask it and what they do to it is data, so that many go in one piece.

A `HostProvider` is pure. It says which facts it needs, reads the answers, and says which changes make of the machine what is
wanted. The engine asks and performs, for as many objects at once as there are on the machine; the same methods, given answers
as JSON, are tested without one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard, TypeVar

import msgspec

from purvey._base.value import Value
from purvey._hosts.change import Change, Run, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Fact
from purvey._hosts.step import Broken, Ended, Ending, Interrupted, Step
from purvey.errors import HostError, InternalError, ProviderError
from purvey.providers.contract import Call, Done, Finding, Observed, Outcome, Present, Provider

R = TypeVar("R")


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """What a pure method may know of the operation that it speaks for; see `Call` for each.

    Args:
        address: The node's full address.
        folder: The object's own folder on the machine.
        token: The operation's token; empty where nothing is changed.
        undoes: The token of the operation that is taken back; empty otherwise.
        name: The physical name.
        entropy: 32 unpredictable bytes; other ones for each attempt.
        run: The run's id, for what is done once in a run; empty where nothing is changed.
        begun: Whether the machine has begun the operation already, for a run that did not see its end; told to those that ask
            for it by `HostProvider.is_told_again`.
    """

    address: str = ""
    folder: str = ""
    token: str = ""
    undoes: str = ""
    name: str = ""
    entropy: bytes = b""
    run: str = ""
    begun: bool = False


class Work(msgspec.Struct, frozen=True):
    """What an operation does on a machine.

    Args:
        id: The object's id.
        changes: What is done, in this order; nothing where there is nothing to do.
        outputs: The outputs, as far as they are known before anything was done; None leaves those that are recorded.
        after: What is asked when all is done, for `HostProvider.learnt`.
    """

    id: str
    changes: tuple[Change, ...] = ()
    outputs: Mapping[str, Value] | None = {}
    after: tuple[Fact, ...] = ()


class HostProvider(Provider[R]):
    """The base of the providers of whatever is on a machine; subclasses override pure methods, `facts` to `remove` at least.

    None of them raises anything but `ProviderError`, `NotKnownError` for what is not known yet, and what looking up an answer
    raises.
    """

    def facts(self, place: Place, subject: R) -> Sequence[Fact]:
        """What must be known of an object to see it, and to make, change or remove it."""
        raise InternalError(f"{type(self).__name__} asks nothing.")

    def seen(self, place: Place, have: R, answers: Answers) -> Observed:
        """What is there of a recorded object."""
        raise InternalError(f"{type(self).__name__} sees nothing.")

    def found(self, place: Place, want: R, answers: Answers) -> Observed:
        """What is there already of one that is wanted; as `seen` unless it is told otherwise."""
        return self.seen(place, want, answers)

    def unclear(self, place: Place, have: R, seen: Present) -> Sequence[Fact]:
        """What else is asked of a recorded object that is not as it was, so that a plan can show more of the difference."""
        return ()

    def clearer(self, place: Place, have: R, seen: Present, answers: Answers) -> Present:
        """What was `seen`, with what the answers to `unclear` tell; for people alone, so nothing may be decided by it."""
        return seen

    def make(self, place: Place, want: R, answers: Answers) -> Work:
        """How to make it; what is there already may be made whole."""
        raise InternalError(f"{type(self).__name__} makes nothing.")

    def change(self, place: Place, have: R, want: R, answers: Answers) -> Work:
        """How to change it in place; as `make` unless it is told otherwise. The facts of both are asked."""
        return self.make(place, want, answers)

    def remove(self, place: Place, have: R, answers: Answers) -> Work:
        """How to remove it; nothing to do where it is gone."""
        raise InternalError(f"{type(self).__name__} removes nothing.")

    def take_back(self, place: Place, have: R, before: R | None, answers: Answers) -> Work:
        """How to undo what the operation ``place.undoes`` did; `before` is what was there, None if that made it."""
        return self.remove(place, have, answers) if before is None else self.change(place, have, before, answers)

    def learnt(self, want: R, work: Work, ended: Ended) -> Mapping[str, Value]:
        """Outputs that are known only when all is done, from what was said and asked."""
        return {}

    is_told_again = False
    """Whether `make` and `change` must know of `Place.begun`: what they see done may then be the operation's own work.

    What they give the machine then is not done again, where it has ended: the machine tells how it did.
    """

    def runs_once(self, want: R) -> bool:
        """Whether what has failed is not to be done again before a person has seen that it failed."""
        return False

    def cut_off(self, place: Place, want: R, answers: Answers) -> Work | None:
        """What is known, without doing it again, of one that was cut off; None where a person has to look."""
        return None

    def explained(self, subject: R, error: ProviderError) -> ProviderError:
        """An error in the kind's own words, and without the secrets that a command may have repeated."""
        return error

    def doing(self, subject: R, command: Command) -> str:
        """A command that takes a while, for the person who watches."""
        return str(command)

    def hazards(self, place: Place, want: R) -> Sequence[Fact]:
        """What must be known to foresee that it cannot be made; see `findings`."""
        return ()

    def findings(self, place: Place, want: R, answers: Answers) -> Sequence[Finding]:
        """What would make it fail, from the answers to `hazards`."""
        return ()

    # What a plan may say of operations before those before them are performed.

    insulated = False
    """Whether nothing that others do on its machine changes what it does: that follows from the wish alone (a reboot)."""

    def reaches(self, want: R) -> Sequence[str] | None:
        """Paths in and below which it changes what its `changes` do not say; None for anything on the machine (a command)."""
        return ()

    def looks_at(self, want: R) -> Sequence[str] | None:
        """Paths that its questions of the sort `Ask` read, as far as others may change them; None where nobody can tell."""
        return ()

    on_hosts = True

    # What the engine calls where an object goes by itself.

    async def identity(self, call: Call, want: R) -> Mapping[str, str]:
        """The machine, by what names it and no other."""
        return {"machine": await call.host.identity()}

    async def read(self, call: Call, have: R) -> Observed:
        """See `Provider.read`."""
        place = place_of(call)
        return self.seen(place, have, await call.host.ask(self.facts(place, have)))

    async def find(self, call: Call, want: R) -> Observed:
        """See `Provider.find`."""
        place = place_of(call)
        return self.found(place, want, await call.host.ask(self.facts(place, want)))

    async def preflight(self, call: Call, want: R) -> Sequence[Finding]:
        """See `Provider.preflight`."""
        place = place_of(call)
        asked = self.hazards(place, want)
        return self.findings(place, want, await call.host.ask(asked) if asked else Answers({}))

    async def create(self, call: Call, want: R) -> Outcome:
        """See `Provider.create`."""
        place = await _place_told(self, call)
        answers = await call.host.ask(self.facts(place, want))
        return await self._perform(call, want, self.make(place, want, answers), place)

    async def update(self, call: Call, have: R, want: R) -> Outcome:
        """See `Provider.update`."""
        place = await _place_told(self, call)
        answers = await call.host.ask(list(dict.fromkeys([*self.facts(place, want), *self.facts(place, have)])))
        return await self._perform(call, want, self.change(place, have, want, answers), place)

    async def delete(self, call: Call, have: R) -> None:
        """See `Provider.delete`."""
        place = place_of(call)
        answers = await call.host.ask(self.facts(place, have))
        await self._perform(call, have, self.remove(place, have, answers))

    async def undo(self, call: Call, have: R, before: R | None) -> Done | None:
        """See `Provider.undo`."""
        place = place_of(call)
        answers = await call.host.ask(self.facts(place, have))
        work = self.take_back(place, have, before, answers)
        done = await self._perform(call, before if before is not None else have, work)
        return done if work.outputs is not None else None

    async def _perform(self, call: Call, subject: R, work: Work, place: Place | None = None) -> Done:
        ended = Ended()
        if work.changes or work.after:
            # What is taken back by its own token, because its end is not known, is another step than the one that went before.
            token = f"{call.token}-back" if call.undoes == call.token else call.token
            step = Step(token, call.attempt, discreet(self, work.changes), after=work.after)
            (ending,) = await call.host.perform([step])
            if isinstance(ending, Interrupted) and place is not None:
                known = self.cut_off(place, subject, await call.host.ask(self.facts(place, subject)))
                work, ending = (known, ended) if known is not None else (work, ending)
            ended = went_through(self, subject, ending)
        await call.identified(work.id)
        return Done(work.id, {**(work.outputs or {}), **self.learnt(subject, work, ended)})


def is_asked_together(provider: Provider[Any]) -> TypeGuard[HostProvider[Any]]:
    """Whether what a provider knows of its objects is what machines answer; one that looks by itself is asked by itself."""
    looks = type(provider)
    return issubclass(looks, HostProvider) and looks.read is HostProvider.read and looks.find is HostProvider.find


def place_of(call: Call) -> Place:
    """What a pure method may know of a call."""
    return Place(
        address=call.address, folder=call.folder, token=call.token, undoes=call.undoes, name=call.name,
        entropy=call.clock.entropy(32), run=call.run,
    )  # fmt: skip


async def _place_told(provider: HostProvider[Any], call: Call) -> Place:
    """What a pure method may know of a call that may be the second one of an operation."""
    place = place_of(call)
    begun = provider.is_told_again and await call.host.remembers(call.token)
    return msgspec.structs.replace(place, begun=True) if begun else place


def discreet(provider: Provider[Any], changes: Sequence[Change]) -> tuple[Change, ...]:
    """The changes as a machine gets them: where a kind's commands may print secrets, no error repeats what they print."""
    return tuple(map(_hidden, changes)) if provider.prints_secrets else tuple(changes)


def _hidden(change: Change) -> Change:
    if isinstance(change, Run):
        return msgspec.structs.replace(change, command=msgspec.structs.replace(change.command, hides_stdout=True))
    if isinstance(change, Write) and change.validate is not None:
        return msgspec.structs.replace(change, validate=msgspec.structs.replace(change.validate, hides_stdout=True))
    return change


def went_through(provider: HostProvider[R], subject: R, ending: Ending) -> Ended:
    """What a step left that was done.

    Raises:
        ProviderError: why it was not, in the kind's words.
    """
    if isinstance(ending, Ended):
        return ending
    if isinstance(ending, Broken):
        error = provider.explained(subject, ending.error)
        error.may_exist = error.may_exist or provider.settles
        raise error
    if isinstance(ending, Interrupted):
        raise HostError(
            "failed",
            "A command was interrupted, and must not be run twice",
            detail="It was begun on the machine, and its end is not recorded there: it, purvey or the machine was killed.",
            hint="Look what it has done; then say so with `purvey state settle`.",
            may_exist=True,
        )
    raise HostError("conflict", "A machine changed while it was worked on", hint="Plan again.")
