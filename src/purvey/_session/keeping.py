"""The verbs that look after the store itself: what it is, whether it is sound, a copy of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

from purvey._base.clock import ulid
from purvey._secrets.key import KeyRing
from purvey._session.project import Project
from purvey._session.rotate import Rotation, rotate, unwatched
from purvey._session.target import Target
from purvey._state.open import has_password, is_server, move_to
from purvey._state.store import StoreFacts
from purvey.errors import StateError


class Repair(NamedTuple):
    """What became of a store that was to be repaired.

    Attributes:
        sound: Whether nothing is wrong with it now.
        rebuilt: What was wrong and is not any more, one sentence each.
        kept: Why something was left as it is, one sentence each.
        left: What is still wrong, one sentence each.
        busy: The stacks that were busy, and so were not looked at.
    """

    sound: bool
    rebuilt: tuple[str, ...]
    kept: tuple[str, ...]
    left: tuple[str, ...]
    busy: tuple[str, ...]


class Keeping(Project):
    """Care for the store."""

    def store_facts(self) -> StoreFacts:
        """What the project's store is, and how much it holds.

        Raises:
            StateError: ``state.no_store``.
        """
        with closing(self._store_of(Target())) as store:
            stacks = tuple(store.stacks())
            states = [store.load(stack) for stack in stacks]
            return StoreFacts(
                location=store.location, estate=store.estate, key_id=store.key_id,
                key_place=KeyRing(os.environ, clock=self._clock).place(store.estate), stacks=stacks,
                objects=sum(len(state.resources) for state in states), in_doubt=sum(len(state.in_doubt) for state in states),
                tags=sum(not tag.released_by for stack in stacks for tag in store.tags(stack)),
            )  # fmt: skip

    def store_verify(self) -> list[str]:
        """One sentence for everything that is wrong with the file, its digests or its snapshot; empty for a sound store."""
        with closing(self._store_of(Target())) as store:
            return store.verify()

    def store_repair(self, *, wait: bool = False, progress: Callable[[str], None] | None = None) -> Repair:
        """Make anew what the journal proves, stack by stack under its lease; what it does not prove stays as it is.

        Args:
            wait: Whether to queue for a stack that is busy; else it is left for the next time.
            progress: Told each stack before it is looked at.

        Raises:
            StateError: ``state.no_store``, ``state.damaged`` where the rows themselves cannot be read.
        """
        store = self._store_of(Target())
        rebuilt: list[str] = []
        kept: list[str] = []
        busy = []
        with closing(store):
            if store.verify():
                store.reindex()
                for stack in store.everything():
                    if progress is not None:
                        progress(stack)
                    try:
                        with store.hold(stack, ulid(self._clock), wait=wait):
                            made = store.rebuild(stack)
                    except StateError as error:
                        if error.code == "state.busy":
                            busy.append(stack)
                        else:  # The others may be mended all the same.
                            kept.append(f"{stack}: {error.summary}: {error.detail}")
                    else:
                        rebuilt += made.rebuilt
                        kept += made.kept
            left = store.verify()
        return Repair(not left, tuple(rebuilt), tuple(kept), tuple(left), tuple(busy))

    def store_rotate_key(self, *, wait: bool = False, progress: Callable[[str, int], None] | None = None) -> Rotation:
        """Change the store's key, while runs go on; what was begun and not finished is finished.

        All that is written from then on is written under the new key. What is there is written anew, stack by stack under its
        lease, and when nothing of the former key is left, that is put aside. A store on a server gets its new key in two steps:
        the first makes it, and changes nothing before somebody has brought it to every machine.

        Args:
            wait: Whether to queue for a stack that is busy; else it is left for the next time.
            progress: Told the stack and how many rows are written anew, now and then.

        Raises:
            StateError: ``state.key_in_environment``, ``state.key_unwritable``, ``state.tampered_row``.
        """
        store = self._store_of(Target())
        keys = KeyRing(os.environ, clock=self._clock)
        with closing(store):
            return rotate(store, keys, self._clock, wait=wait, progress=progress or unwatched)

    def store_migrate(self, place: str) -> str:
        """Move the store to a folder or a server that has none, with all that it remembers; nobody uses the old one any more.

        Args:
            place: A folder, or ``postgresql://user@host:port/database`` without a password.

        Returns:
            Where it is now.

        Raises:
            StateError: ``state.busy`` while a run is under way, ``state.not_empty``, ``state.bad_location``.
        """
        if is_server(place) and has_password(place):
            raise StateError(
                "state.bad_location",
                "The address has a password in it",
                detail="Everybody on this machine can read what is on a command line.",
                hint="Leave it out, and give it in PGPASSWORD or ~/.pgpass.",
            )
        store = self._store_of(Target())
        keys = KeyRing(os.environ, clock=self._clock)
        with closing(store), ExitStack() as leases:
            runs = {stack: ulid(self._clock) for stack in store.everything()}
            for stack, run in runs.items():
                leases.enter_context(store.hold(stack, run))
            there = place if is_server(place) else Path(place).absolute()
            return move_to(store, there, runs=runs.values(), keys=keys, clock=self._clock)

    def store_backup(self, path: Path) -> None:
        """Write a copy of the store to a new file (mode 0600), while others go on writing; the key is not in it.

        Raises:
            StateError: ``state.backup_failed``.
        """
        with closing(self._store_of(Target())) as store:
            store.backup(path)
