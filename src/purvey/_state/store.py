"""The store: what every adapter promises, whatever keeps the rows.

It keeps the journal, and beside it a snapshot that each write brings up to date in its own transaction, so that the cost of a
change does not depend on how much is remembered. The snapshot is always the fold of the journal; `Store.verify` proves it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from purvey._state.journal import Journal
from purvey._state.lease import HeldLease, Lease
from purvey._state.record import OutputsSet, Record
from purvey._state.state import State
from purvey._state.tag_out import TagOut

T = TypeVar("T")

UNFINISHED: Final = ("", "interrupted", "parked", "kept")
"""Results of runs that can be resumed; the empty one is that of a run that never wrote its end."""


class RunRow(msgspec.Struct, frozen=True, kw_only=True):
    """A run at a glance.

    Attributes:
        number: Its place in the order in which the runs of the store began.
        id: Its id.
        stack: ``name/environment``.
        verb: What the user asked for.
        result: How it ended; empty while it is open.
        started: Seconds since the epoch.
        ended: Seconds since the epoch; None while it is open.
        user: Who ran it.
        machine: Where.
        changes: How many operations it carried out that changed something.
    """

    number: int
    id: str
    stack: str
    verb: str
    result: str
    started: float
    ended: float | None
    user: str
    machine: str
    changes: int


class StoreFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A store at a glance.

    Attributes:
        location: Where it is.
        estate: The id made with it.
        key_id: 16 hexadecimal digits that tell its key from others.
        key_place: Where that is looked for: a file, or the environment.
        stacks: Every stack that ever had a run, as ``name/environment``.
        objects: How many objects are recorded, of all stacks.
        in_doubt: How many operations have begun and not ended.
        tags: How many objects are tagged out.
    """

    location: str
    estate: str
    key_id: str
    key_place: str
    stacks: tuple[str, ...]
    objects: int
    in_doubt: int
    tags: int


class Moment(NamedTuple):
    """How far a store's journal and its tags went at one moment.

    Attributes:
        sequence: The number of the journal's last record; 0 for an empty one.
        digest: Its digest.
        tags: How many tags were ever hung up.
        hanging: How many of them hang.
    """

    sequence: int
    digest: bytes
    tags: int
    hanging: int


class Rebuilt(NamedTuple):
    """What became of a stack that was to be made anew from its journal; nothing of both where nothing was wrong.

    Attributes:
        rebuilt: What was wrong and is not any more, one sentence each.
        kept: Why it was left as it is, one sentence each.
    """

    rebuilt: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Ring(NamedTuple):
    """A store's keys, 32 bytes each.

    Attributes:
        key: The one with which is written.
        former: Others that are kept, for what was written before the key changed, or for when it will.
        digest_key: What digests of secrets are made with; it stays when the key changes, so that they can be compared.
    """

    key: bytes
    former: tuple[bytes, ...]
    digest_key: bytes


class Keys(Protocol):
    """Where the keys of stores are."""

    def make(self, estate: str) -> bytes:
        """The key for a new store, durable before this returns."""

    def find(self, estate: str) -> tuple[bytes, ...]:
        """Every key that is kept for a store that exists, oldest first; raises `StateError` when there is none."""

    def place(self, estate: str) -> str:
        """Where that is, for messages."""


class Store(Protocol):
    """What is remembered of all stacks of one estate.

    Reading may happen in any thread; what is read is one moment's truth and is verified against the rows' digests.
    """

    @property
    def estate(self) -> str:
        """The id made with the store: 8 lower-case base32 characters."""

    @property
    def location(self) -> str:
        """Where the store is, for messages."""

    @property
    def ring(self) -> Ring:
        """The store's keys, as of the last look at it."""

    @property
    def key_id(self) -> str:
        """16 hexadecimal digits that identify the key with which is written."""

    def load(self, stack: str) -> State:
        """The state of a stack: objects, operations in doubt, outputs, highest generations; empty for an unknown one.

        Raises:
            StateError: ``state.tampered_row``, naming the row.
        """

    def outputs(self, stack: str) -> OutputsSet | None:
        """The outputs of a stack and the stacks it reads, without its objects; None if it has none.

        Raises:
            StateError: ``state.tampered_row``.
        """

    def records(self, run: str) -> list[Record]:
        """The records of a run, in order.

        Raises:
            StateError: ``state.tampered_row`` or ``state.unreadable_record``.
        """

    def runs(self, stack: str | None, limit: int) -> list[RunRow]:
        """The newest runs first, at most `limit`; of every stack for None."""

    def run(self, id: str) -> RunRow:
        """The run with this id, or the only one whose id begins so.

        Raises:
            StateError: ``state.no_such_run`` or ``state.ambiguous_run``.
        """

    def later(self, run: str) -> frozenset[str]:
        """The ids of the runs of the same stack that began after this one, whatever the clocks said."""

    def stacks(self) -> list[str]:
        """Every stack that ever had a run, in order of the names."""

    def unfinished(self, stack: str) -> list[RunRow]:
        """The runs of a stack that can be resumed, newest first: open, interrupted, parked or kept, and not superseded."""

    def open_journal(self, stack: str, run: str, fence: int, *, since: int = 0) -> Journal:
        """A journal for the records of a run, under the lease with the number `fence`.

        An object that is taken over (`Noted`, adopted or imported) is refused with ``state.owned`` if another stack, which has
        it now, has written of it after the record with the number `since`. Give the last one before you looked whose it is.
        """

    def write_together(self, *parts: tuple[Journal, Sequence[Record]]) -> None:
        """Return when the records of several journals of this store are durable: in one transaction, all of them or none.

        Raises:
            StateError: ``state.fenced`` if one of the journals has lost its lease, ``state.write_failed``.
        """

    def acquire(self, stack: str, run: str, *, queue: bool = False) -> Lease:
        """The lease of a stack; with `queue` a place in the queue where it is not free, to be kept by asking again.

        Raises:
            StateError: ``state.busy`` while another run holds it, or others waited before.
        """

    def leave(self, stack: str, run: str) -> None:
        """Give up this process's place in the queue."""

    def renew(self, lease: Lease) -> Lease:
        """The lease with a later end.

        Raises:
            StateError: ``state.lease_lost`` when a later holder has it.
        """

    def release(self, lease: Lease) -> None:
        """Give the lease back; one that was lost is left to its holder."""

    def hold(
        self, stack: str, run: str, *, wait: bool = False, give_up: Callable[[], bool] = lambda: False
    ) -> AbstractContextManager[HeldLease]:  # fmt: skip
        """Hold the lease of a stack with a heartbeat, and give it back at the end.

        Args:
            stack: ``name/environment``.
            run: The run.
            wait: Whether to queue while others hold it or waited before.
            give_up: Asked now and then: whether to wait no longer.

        Raises:
            StateError: ``state.busy`` when it is held and `wait` is not set, or `give_up` says so.
        """

    def tag_out(self, stack: str, tag: TagOut) -> bool:
        """Hang up a tag on an object; it needs no lease, and holds for the run that is under way, too.

        Returns:
            Whether the object is recorded; else nothing was hung up.
        """

    def release_tags(self, stack: str, address: str, by: str, at: float) -> list[TagOut]:
        """Take every tag off an object; returns those that hung there."""

    def tags(self, stack: str) -> list[TagOut]:
        """Every tag that a stack's objects ever had, oldest first, with those taken off."""

    def archive(self, run: str, files: Mapping[str, bytes]) -> None:
        """Keep the script files of a run, by relative path; a file that did not change is kept once for all runs."""

    def archives(self, stack: str) -> list[str]:
        """The runs of a stack whose script files are kept, newest first; of several with the same files, the newest."""

    def archived(self, run: str) -> dict[str, bytes]:
        """The script files of a run; empty if none were kept.

        Raises:
            StateError: ``state.tampered_row`` if one is not what was kept.
        """

    def backup(self, path: Path) -> None:
        """Write a copy of the store to a new file, while others go on writing.

        Raises:
            StateError: ``state.backup_failed``.
        """

    def switch_key(self, key: bytes) -> None:
        """From now on everything is written under another key, by every process; it must be kept where keys are."""

    def write_anew(self, stack: str, renew: Callable[[bytes], bytes]) -> Iterator[int]:
        """Write what a former key has signed or sealed of a stack anew under the present one; hold the stack's lease meanwhile.

        Args:
            stack: ``name/environment``.
            renew: A body with what is sealed in it sealed under the present key.

        Yields:
            How many rows each batch has written.

        Raises:
            StateError: ``state.tampered_row``.
        """

    def everything(self) -> list[str]:
        """Every stack that the store knows, with a run or not."""

    def moment(self) -> Moment:
        """What tells whether anything was written since."""

    def held_by(self) -> set[str]:
        """The runs that have a lease."""

    def read(self, work: Callable[[Any], T]) -> T:
        """What `work` makes of a connection that reads one moment of the store, for another store that copies its rows."""

    def leave_for(self, location: str, copied: Moment, runs: Collection[str]) -> None:
        """Remember that the store is at `location` now; from then on nobody uses this one.

        Args:
            location: Where it is, for messages.
            copied: As of when.
            runs: The only runs that may have a lease.

        Raises:
            StateError: ``state.moved`` if it was moved already; ``state.busy`` if another run has a lease, or something was
                written since it was copied.
        """

    def reindex(self) -> None:
        """Make the indices anew, and with them whatever of the database's own damage that mends.

        Raises:
            StateError: ``state.damaged`` where the rows themselves cannot be read.
        """

    def rebuild(self, stack: str) -> Rebuilt:
        """Make what a stack's journal says anew from its journal; hold the stack's lease meanwhile.

        Nothing is changed unless every record of the journal is proved, and nothing that was remembered of an object is
        forgotten.
        """

    def verify(self) -> list[str]:
        """One sentence for everything that is wrong with the store; empty for a sound one."""

    def close(self) -> None:
        """Finish what is being written, and give the store back."""
