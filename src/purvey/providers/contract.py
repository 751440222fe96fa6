"""What a provider does and what it may answer: the calls, in the words of the package's docstring."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec

from purvey._base.compare import FieldChange, differences
from purvey._base.limits import CALL_DEADLINE_S
from purvey._base.value import Value
from purvey.errors import InternalError, ProviderError

if TYPE_CHECKING:
    from purvey._base.clock import Clock
    from purvey._hosts.connector import Connector
    from purvey.providers.kind import Kind

RecoversBy = Literal["token", "name", "tag_at_create", "nothing"]
"""How an object whose creation was interrupted is found again; ``nothing`` stops the run and says what to look for."""


class Present(msgspec.Struct, frozen=True):
    """The object exists: its `id`, and the values of those inputs and outputs that can be read.

    `owner` is the mark (see `Call.mark`) that `Provider.find` has read on it; empty where it has none, or cannot have one.
    `sort` says what it is where that is none of the kind's objects, but stands in the place of one: ``directory``.
    """

    id: str
    values: dict[str, Value]
    owner: str = ""
    sort: str = ""


class Absent(msgspec.Struct, frozen=True):
    """The object certainly does not exist."""


class Unreadable(msgspec.Struct, frozen=True):
    """Whether the object exists cannot be told now; `reason` says why. Never treated as absent."""

    reason: str


Observed: TypeAlias = Present | Absent | Unreadable


class Done(msgspec.Struct, frozen=True):
    """The operation is complete: the object's `id`, and the values of all the outputs."""

    id: str
    outputs: dict[str, Value]


class Pending(msgspec.Struct, frozen=True):
    """Not complete yet: look again in `again_s` seconds; `progress` tells people what it waits for."""

    id: str
    again_s: float
    progress: str


Outcome: TypeAlias = Done | Pending


class Finding(msgspec.Struct, frozen=True):
    """Something that preflight found: `certain` says it will fail, otherwise it may; `fix` says what to do.

    `source` is the line of the node; the engine fills it in.
    """

    address: str
    problem: str
    fix: str = ""
    certain: bool = True
    source: str = ""


class NotKnownError(Exception):
    """A provider's pure method read a value that is not known yet; the engine then takes all it says as unknown."""


class Diff(msgspec.Struct, frozen=True):
    """How an object differs from what is wanted; empty `changes` mean that it does not."""

    changes: tuple[FieldChange, ...] = ()

    @property
    def replaces(self) -> bool:
        """Whether a changed field cannot be changed in place."""
        return any(change.replaces for change in self.changes)


class Call(Protocol):
    """The gate through which a provider meets the world, made by the engine for one operation."""

    @property
    def address(self) -> str:
        """The full address of the node, for messages and tags."""

    @property
    def id(self) -> str:
        """The object's id as recorded; empty before `identified`."""

    @property
    def token(self) -> str:
        """The idempotency token, the same for every attempt of this operation, also after a crash."""

    @property
    def attempt(self) -> int:
        """Which attempt of the operation it is, from 1."""

    @property
    def undoes(self) -> str:
        """In `Provider.undo`, the token of the operation that is taken back; empty otherwise."""

    @property
    def mark(self) -> str:
        """Whose the object is, ``estate/stack/environment::address``: a kind whose objects can carry tags writes it on each."""

    @property
    def name(self) -> str:
        """The physical name chosen for this object: letters, digits and dashes, at most 63; for kinds that need one."""

    @property
    def run(self) -> str:
        """The run's id, for tags and user agents; while an interrupted creation is finished, that of the run that began it.

        So a creation that is called again sends the same, which an API that knows the token insists on.
        """

    @property
    def host(self) -> Connector:
        """The machine that the node is `on`; asking for it checks the lease, too."""

    def check_lease(self) -> None:
        """Return if the run still holds its lease; MUST be called just before each request that changes something.

        A process that was put to sleep between its begin and its request may wake up when another run has settled the operation
        and gone on; then nothing must be sent any more.

        Raises:
            StateError: ``state.lease_lost``.
        """

    @property
    def folder(self) -> str:
        """An absolute folder on `host` for this object's own files (not made yet), readable by unprivileged users as root."""

    @property
    def clock(self) -> Clock:
        """Time; the only one that a provider may use."""

    async def identified(self, object_id: str) -> None:
        """Record durably that the object exists under `object_id`; MUST be called before any waiting."""

    def progress(self, text: str) -> None:
        """Tell the person who watches what happens now."""


R = TypeVar("R")


class Provider(Generic[R]):
    """What knows how to read and change the objects of one kind; `R` is the kind's declaration.

    Subclass it, and override `read`, `create` and `delete` at least. The default of every other method is right for simple
    kinds.
    """

    recovers_by: RecoversBy = "name"
    """How `find` recognises an object of ours; one of a kind that recovers by a tag MUST tell the `owner` of what it finds."""

    lands_within_s: float = CALL_DEADLINE_S
    """How long after a call was cut off, in seconds, its effect may still happen on a slow server. So long, and `seen_within_s`
    longer, the engine looks for what a kind tags, before it believes that nothing was made."""

    seen_within_s: float = 0.0
    """How long after an object was made, in seconds, `read`, `find` and `ready` may still answer as if it were not there, in a
    world whose view lags. So long the engine looks again for what it has made, before it believes that it is gone, and so long
    an ``already_exists`` after a lost answer may be the object itself. `find` of such a kind MUST tell the `owner`."""

    follows = False
    """Whether an object that it needs being replaced makes it run again, although no value differs (as for a step)."""

    long_calls = False
    """Whether one call may take as long as the whole operation (a migration, a step), rather than two minutes."""

    forgets = False
    """Whether removing a node only drops its record, because there is nothing in the world to delete (as for a step)."""

    adopts = False
    """Whether what is there already under the wish's identity is taken over without being asked for (a package that is
    installed): it is changed where it differs, and only forgotten when it is no longer declared."""

    settles = False
    """Whether an update makes what it needs take effect (a service is restarted for its files): it is taken back after that is
    back in its former state, not before, and one that failed has to be taken back all the same."""

    settles_for: Sequence[str] = ()
    """Of a kind that `settles`: the inputs in which it is told the revisions of what it makes take effect. By default that is
    all that it needs."""

    on_hosts = False
    """Whether its objects may be on another machine than this one (`on=`)."""

    prints_secrets: bool | None = None
    """Whether what its commands write to standard output may be secret: then no error repeats it. None: where the kind has an
    output that is secret. One that runs commands by ``call.host.run`` says so in each, by `Command.hides_stdout`."""

    awaits_machine = False
    """Whether it waits by itself until its machine answers (a check that it has come up, a restart)."""

    reads = True
    """Whether the world is asked at all; False takes the record's word (for a step without a check)."""

    async def read(self, call: Call, have: R) -> Observed:
        """What is there now, for the recorded object `have` with id ``call.id``. MUST NOT change anything."""
        raise InternalError(f"{type(self).__name__} neither reads nor says `reads = False`.")

    read_many: Callable[[Call, Sequence[str]], Any] | None = None
    """Optional batch form of `read`: an async method from ids to a mapping of ids to `Observed`; a missing id is absent."""

    async def find(self, call: Call, want: R) -> Observed:
        """An object that is already there under the identity that `want` would take; by name, token or tag.

        Where the answer to a creation was lost, and a second one is refused, this decides whether the first had its effect. So
        an object that is ours and of no use, because its secret cannot be read again, MUST be `Unreadable`, not absent.
        """
        return Absent()

    def named(self, object_id: str) -> Mapping[str, Value] | None:
        """For an import: the inputs that say which object is meant, from the id that the world knows it by.

        None where an id does not tell; objects of such a kind are imported under a node that a script declares.
        """
        return None

    async def describe(self, call: Call, want: R) -> Mapping[str, Value]:
        """For an import: the inputs by which a script would declare what is there under the identity of `want`.

        A secret is a `Secret`, empty where it cannot be read; no plaintext is written into a script. By default, what `find`
        reads.
        """
        seen = await self.find(call, want)
        if isinstance(seen, Unreadable):
            raise ProviderError("unavailable", "The object cannot be read", detail=seen.reason)
        if isinstance(seen, Absent):
            raise ProviderError("not_found", "Nothing is there under this id", detail=f"There is no {call.address}.")
        return seen.values

    import_all: Callable[[Call, Any], Any] | None = None
    """Optional, for an import: an async method that gives the ids of all objects in what they live in (None for nothing)."""

    async def create(self, call: Call, want: R) -> Outcome:
        """Make the object."""
        raise InternalError(f"{type(self).__name__} cannot create.")

    async def update(self, call: Call, have: R, want: R) -> Outcome:
        """Change the object in place from `have` (recorded) to `want`; also called to repair drift, when both may be equal."""
        raise InternalError(f"{type(self).__name__} cannot update in place.")

    async def delete(self, call: Call, have: R) -> Outcome | None:
        """Remove the object; already gone is success. None is the same as Done."""
        raise InternalError(f"{type(self).__name__} cannot delete.")

    async def ready(self, call: Call, want: R) -> Outcome:
        """Whether the object that is being made or changed is complete; asked again after each `Pending`."""
        raise InternalError(f"{type(self).__name__} answered Pending but has no `ready`.")

    async def undo(self, call: Call, have: R, before: R | None) -> Outcome | None:
        """Take back what this run did to the object; `before` is what it was, None if this run made it.

        The default deletes what was made and updates back what was changed, which suits everything but steps.
        """
        if before is None:
            return await self.delete(call, have)
        return await self.update(call, have, before)

    def undoable(self, verb: str, have: R | None, want: R | None) -> bool:
        """Whether `undo` can take back a ``create`` (`have` is None) or an ``update``. Pure; False is final in the plan."""
        return True

    def leaves(self, have: R) -> Sequence[str]:
        """What stays in the world when `delete` has removed the object, in a few words each: ``the home /srv/ana``. Pure."""
        return ()

    async def identity(self, call: Call, want: R) -> Mapping[str, str]:
        """What the object is in, by what each is called: ``{"account": "1234"}``. MUST NOT change anything.

        Asked before the first write where the environment expects something (`expect` in purvey.toml), for each object that
        would be touched. Empty where there is nothing to tell.
        """
        return {}

    async def preflight(self, call: Call, want: R) -> Sequence[Finding]:
        """What would make `create` or `update` fail, found without changing anything; unknown values are None in `want`."""
        return ()

    def claims(self, want: R) -> Sequence[str]:
        """What the object occupies alone, such as ``tcp://127.0.0.1:8080`` or ``path:/etc/motd``; none is shared.

        One that has only a part of a thing claims `part_of` it: others may have parts of it, but nobody the whole.
        """
        return ()

    def predict(self, want: R) -> Mapping[str, Value]:
        """Outputs that follow from the inputs alone, so that a plan can show and pass them before anything was made."""
        return {}

    def diff(self, kind: Kind, desired: Mapping[str, Value], recorded: Recorded | None, observed: Mapping[str, Value]) -> Diff:
        """How the object differs from the wish. Pure. All values are resolved, with secrets masked.

        Args:
            kind: The kind's declaration.
            desired: Every declared input.
            recorded: What the record says; None for an object being adopted.
            observed: What was read; empty where the world was not asked.

        Returns:
            By default: an input differs from what was read, or, where it cannot be read, from what was recorded; and an output
            that the kind compares differs from what was recorded.
        """
        return structural_diff(kind, desired, recorded, observed)


class Recorded(msgspec.Struct, frozen=True):
    """What the record holds of an object: the inputs and outputs of its last complete operation, secrets masked."""

    inputs: dict[str, Value]
    outputs: dict[str, Value]


def structural_diff(kind: Kind, desired: Mapping[str, Value], recorded: Recorded | None, observed: Mapping[str, Value]) -> Diff:
    """The default of `Provider.diff`."""
    changes: list[FieldChange] = []
    before_inputs = recorded.inputs if recorded else {}
    for name, after in desired.items():
        wished = before_inputs.get(name, kind.default(name))
        before = observed.get(name, wished)
        if before == after:
            continue
        immutable = name in kind.immutable
        because = "drift" if wished == after else "script"
        changes += [
            FieldChange(path, old, new, because, replaces=immutable) for path, old, new in differences(before, after, name)
        ]
    for name in kind.compared:
        if recorded is not None and name in observed and observed[name] != recorded.outputs.get(name):
            changes.append(FieldChange(name, observed[name], recorded.outputs.get(name), "drift"))
    return Diff(tuple(changes))
