"""The verbs that look after the store itself: what it is, whether it is sound, a copy of it."""

from __future__ import annotations

from pathlib import Path

from purvey._session.project import Project
from purvey._session.target import Target
from purvey._state.store import StoreFacts


class Keeping(Project):
    """Care for the store."""

    def store_facts(self) -> StoreFacts:
        """What the project's store is, and how much it holds.

        Raises:
            StateError: ``state.no_store``.
        """
        store = self._store_of(Target())
        stacks = tuple(store.stacks())
        states = [store.load(stack) for stack in stacks]
        return StoreFacts(
            location=store.location, estate=store.estate, key_id=store.key_id, stacks=stacks,
            objects=sum(len(state.resources) for state in states), in_doubt=sum(len(state.in_doubt) for state in states),
            tags=sum(not tag.released_by for stack in stacks for tag in store.tags(stack)),
        )  # fmt: skip

    def store_verify(self) -> list[str]:
        """One sentence for everything that is wrong with the file, its digests or its snapshot; empty for a sound store."""
        return self._store_of(Target()).verify()

    def store_backup(self, path: Path) -> None:
        """Write a copy of the store to a new file (mode 0600), while others go on writing; the key is not in it.

        Raises:
            StateError: ``state.backup_failed``.
        """
        self._store_of(Target()).backup(path)
