"""The journal's records, versioned; state is their fold.

A record is one JSON object with its type under ``record``. Fields are only ever added, with a default; a record of a later
version that this one does not know stops with an error rather than being passed over. `docs/formats/journal.md` is the
specification.

Invariant: no record holds a plaintext secret. Values are in the frozen form of `purvey._base.value`, with `Masked` for secrets.
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

import msgspec

from purvey._base.value import Value, thaw
from purvey._state.resource import ResourceState
from purvey.errors import StateError

FORMAT: Final = 1
"""Version of the record format; written once per store."""


class Base(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="record"):
    """What every record has: `at`, seconds since the epoch."""

    at: float


class Opened(Base, frozen=True, tag="opened"):
    """A run began: what makes it repeatable; `standing` is an approval that was given beforehand, such as ``--yes``.

    `deletes_max` is how many objects it may delete and replace, None for any number; `allow_final`, whether it may lose data
    that nothing restores.
    """

    verb: str
    script: str = ""
    function: str = ""
    parameters: dict[str, Any] = {}
    on_failure: str = "undo"
    purvey: str = ""
    nonce: str = ""
    targets: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    undoes: str = ""
    user: str = ""
    machine: str = ""
    standing: str = ""
    deletes_max: int | None = None
    allow_final: bool = False


class LookedUp(Base, frozen=True, tag="looked_up"):
    """What a `lookup` found, to be replayed."""

    name: str
    value: Any


class Given(Base, frozen=True, tag="given"):
    """A value that `value()` gave to the script; a different one later in the run is an error."""

    link: str
    digest: str


class Bound(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far the approval of one change goes.

    Attributes:
        wish: Digest of the declaration; empty for a removal.
        generation: Of the object that goes: deleted, replaced or forgotten; 0 where none does.
        fields: The fields that may change, each with the digest of its new value; empty where that was not known.
        risks: What was shown of it: ``gap``, ``final``, ``holds_data``.
        unsure: Whether it was shown that nobody could know what it changes: then it covers all that makes of the object what
            `wish` says, whether it is made for that, changed, or taken over.
    """

    wish: str = ""
    generation: int = 0
    fields: dict[str, str] = {}
    risks: tuple[str, ...] = ()
    unsure: bool = False


class Approved(Base, frozen=True, tag="approved"):
    """Who let a stage's plan go ahead.

    Attributes:
        digest: The plan's; empty where an earlier approval covers the stage.
        stage: Counts from 1.
        by: Who said yes.
        covers: The changes, as ``action address``; a removal as ``action address #generation``.
        bounds: How far each of them may go.
        removes: Addresses whose object goes: deleted, replaced, or dropped with what it lives in.
        later_at_most: How many creates of later stages it covers as well.
        later_kinds: Of which kinds; empty for any.
    """

    digest: str
    stage: int
    by: str
    covers: tuple[str, ...] = ()
    bounds: dict[str, Bound] = {}
    removes: tuple[str, ...] = ()
    later_at_most: int = 0
    later_kinds: tuple[str, ...] = ()


class Staged(Base, frozen=True, tag="staged"):
    """A stage was applied, and the script goes on from `pauses`."""

    stage: int
    pauses: tuple[str, ...] = ()


class Undoing(Base, frozen=True, tag="undoing"):
    """The run takes back what it did, or `only` what it did to some addresses; a resume goes on with that."""

    cause: str
    address: str = ""
    detail: str = ""
    only: tuple[str, ...] = ()


class Left(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the ledger of a run that ended partial: what it did, or was to remove, and what is still so.

    Attributes:
        address: The node.
        generation: Which of its objects.
        id: The object's id in the world, as far as it is known.
        verb: What was to be taken back (``create``, ``update``, ``delete``, ``adopt``), or ``removal`` for a deletion.
        why: ``failed``, ``final`` (nothing takes it back), ``in doubt``, ``pending``, or ``waiting`` (for another line).
        detail: What the world said.
    """

    address: str
    generation: int
    id: str = ""
    verb: str
    why: str
    detail: str = ""


class Unmade(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An operation that failed before anything of it was begun, so that no other record tells of it: its machine was silent."""

    address: str
    verb: str
    code: str
    detail: str = ""


class Closed(Base, frozen=True, tag="closed"):
    """The run is over; `left` is the ledger of one that ended partial, `unmade` what failed before it was begun."""

    result: str
    cause: str = ""
    address: str = ""
    detail: str = ""
    left: tuple[Left, ...] = ()
    unmade: tuple[Unmade, ...] = ()


class Begun(Base, frozen=True, tag="begun"):
    """An effect is about to happen; on disk before the call is made.

    Attributes:
        operation: Its id, unique in the estate.
        verb: ``create``, ``update``, ``delete`` or ``undo``.
        token: The idempotency token, the same for every attempt.
        name: The physical name.
        inputs: What is wanted, resolved and masked; empty for a delete.
        digest: The node digest of that wish.
        node: What else the record of a new object will hold (a `ResourceState` without id and outputs).
        prior: The object's record before, with the fields as they were observed; None for a create.
        undoes: The operation that this one takes back.
        undoes_token: The token of that operation.
        undoes_verb: The verb of that operation: what takes back a ``delete`` makes the object again.
        final: Nothing takes it back: a deletion after every check had passed.
        timeout_s: The node's own time, in seconds; 0 where it has none.
        fence: The lease's fencing number.
        run: The run that began it: its end belongs to that run's records, whoever settles it.
    """

    operation: str
    address: str
    generation: int
    verb: str
    token: str
    node: ResourceState
    prior: ResourceState | None = None
    undoes: str = ""
    undoes_token: str = ""
    undoes_verb: str = ""
    final: bool = False
    timeout_s: float = 0.0
    fence: int = 0
    run: str = ""

    @property
    def makes(self) -> bool:
        """Whether the effect brings an object into being: a create, or the undo of a delete."""
        return self.verb == "create" or self.undoes_verb == "delete"


class Identified(Base, frozen=True, tag="identified"):
    """The world returned an id; on disk before any waiting."""

    operation: str
    id: str


class Succeeded(Base, frozen=True, tag="succeeded"):
    """The effect happened; `state` is the whole new record, None after a delete."""

    operation: str
    address: str
    generation: int
    state: ResourceState | None = None
    attempts: int = 1
    seconds: float = 0.0
    unchanged: bool = False


class Failed(Base, frozen=True, tag="failed"):
    """The effect did not happen, or may have: `may_exist` says whether anything may be there.

    `answered` says that no call of it can have a later effect, although something is there. `unbegun` says that nothing failed:
    it was given to its machine, which never came to it.
    """

    operation: str
    address: str
    generation: int
    code: str
    summary: str
    detail: str = ""
    may_exist: bool = False
    answered: bool = False
    unbegun: bool = False
    attempts: int = 1
    seconds: float = 0.0


class Noted(Base, frozen=True, tag="noted"):
    """A record changed without an effect.

    Attributes:
        what: ``adopted``, ``moved``, ``forgotten``, ``refreshed``, ``imported``, ``skipped`` or ``checked``.
        address: The node.
        generation: Its generation.
        state: Its new record; None where it is forgotten, or where nothing of it changes.
        was: The former address of a moved node; with its stack, in full, where that was another.
        to: The address, in full, of a forgotten node that another stack has now.
        detail: For a check: what it saw.
        ok: For a check: whether it passed.
        seconds: For a check: how long it took.
        prior: For a record that was moved, refreshed or handed over, and for an object that went with its container: what it
            was before, for an undo.
        undoes: In an undo: what it takes back, as `purvey._plan.effects` names it.
    """

    what: str
    address: str
    generation: int = 0
    state: ResourceState | None = None
    was: str = ""
    to: str = ""
    detail: str = ""
    ok: bool = True
    seconds: float = 0.0
    attempts: int = 1
    prior: ResourceState | None = None
    undoes: str = ""


class OutputsSet(Base, frozen=True, tag="outputs_set"):
    """The stack's outputs as of this run, masked and sealed; `reads` are the stacks whose outputs the script read."""

    values: dict[str, Any]
    reads: tuple[str, ...] = ()


Record: TypeAlias = (
    Opened
    | LookedUp
    | Given
    | Approved
    | Staged
    | Undoing
    | Closed
    | Begun
    | Identified
    | Succeeded
    | Failed
    | Noted
    | OutputsSet
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Record] = msgspec.json.Decoder(Record)
_state_decoder = msgspec.json.Decoder(ResourceState)


def encode(record: Record) -> bytes:
    """The record as one JSON object."""
    return _encoder.encode(record)


def decode(body: bytes) -> Record:
    """The inverse of `encode`.

    Raises:
        StateError: ``state.unreadable_record`` for a record that this version does not know.
    """
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError as error:
        raise unreadable(str(error)) from error


def encode_state(state: ResourceState) -> bytes:
    """A resource's record as one JSON object, as the store's snapshot keeps it."""
    return _encoder.encode(state)


def decode_state(body: bytes) -> ResourceState:
    """The inverse of `encode_state`; special values inside stay as tagged dictionaries until `thawed`.

    Raises:
        StateError: ``state.unreadable_record``.
    """
    try:
        return _state_decoder.decode(body)
    except msgspec.DecodeError as error:
        raise unreadable(str(error)) from error


def thawed(data: dict[str, Any]) -> dict[str, Value]:
    """Inputs or outputs of a decoded record with their special values (`Masked`, `NodeLink`) restored.

    Most objects have none; then the dictionary itself is returned.
    """
    return thaw(data) if _is_special(data) else data


def _is_special(data: Any) -> bool:
    kind = type(data)
    if kind is dict:
        return "$" in data or any(_is_special(item) for item in data.values() if type(item) in (dict, list))
    return any(_is_special(item) for item in data if type(item) in (dict, list))


def unreadable(detail: str) -> StateError:
    """The error for bytes that are not a record."""
    return StateError(
        "state.unreadable_record",
        "A record in the store cannot be read",
        detail=f"{detail}. It was damaged, or a later version of purvey wrote it.",
        hint="Keep the file. Use the version of purvey that wrote it, or restore a backup.",
    )
