"""Opens the store wherever it is: in a folder of this machine, or on a server.

A database driver is loaded only when its kind of store is opened.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import closing
from pathlib import Path

from purvey._base.clock import Clock
from purvey._state.sql.opening import not_empty
from purvey._state.store import Keys, Store
from purvey.errors import StateError

_SCHEMES = ("postgresql://", "postgres://")


def is_server(place: str) -> bool:
    """Whether `place` is the address of a server and not a folder."""
    return "://" in place


def has_password(url: str) -> bool:
    """Whether the address of a server has a password in it."""
    from urllib.parse import parse_qs, urlsplit  # noqa: PLC0415 - only needed for a server.

    parts = urlsplit(url)
    return ":" in parts.netloc.rpartition("@")[0] or "password" in parse_qs(parts.query, keep_blank_values=True)


def open_at(place: Path | str, *, keys: Keys, clock: Clock) -> Store:
    """The store at `place`; a new one with its key if there is none.

    Args:
        place: The folder of the store, or the address of a server.
        keys: Where keys are.
        clock: Time and chance.

    Raises:
        StateError: ``state.bad_location`` for the address of a server of an unknown kind, and what its adapter raises.
    """
    if isinstance(place, Path):
        from purvey._state.sqlite.open import open_sqlite  # noqa: PLC0415 - see above.

        return open_sqlite(place / "state.db", keys=keys, clock=clock)
    _require_known(place)
    from purvey._state.postgres.open import open_postgres  # noqa: PLC0415 - see above.

    return open_postgres(place, keys=keys, clock=clock)


def find_at(place: Path | str, *, keys: Keys, clock: Clock) -> Store | None:
    """The store at `place`; None if there is none, and then nothing is made.

    Raises:
        StateError: As `open_at`.
    """
    if isinstance(place, Path):
        from purvey._state.sqlite.open import find_sqlite  # noqa: PLC0415 - see above.

        return find_sqlite(place / "state.db", keys=keys, clock=clock)
    _require_known(place)
    from purvey._state.postgres.open import find_postgres  # noqa: PLC0415 - see above.

    return find_postgres(place, keys=keys, clock=clock)


def _require_known(url: str) -> None:
    if not url.startswith(_SCHEMES):
        raise StateError(
            "state.bad_location",
            "The place of the store is not one",
            detail="It looks like the address of a server that purvey has no store for; it is not shown, because there may "
            "be a password in it.",
            hint="Write it like this:\n\n    export PURVEY_STORE=postgresql://user@host:5432/database",
        )


def move_to(store: Store, place: Path | str, *, runs: Collection[str], keys: Keys, clock: Clock) -> str:
    """Copy a store to an empty place, and let nobody use the old one any more; hold the leases of all its stacks meanwhile.

    Who was killed between the copy and the mark on the old store says it again: what is there already must be the copy.

    Args:
        store: The store.
        place: The folder of the new one, or the address of a server.
        runs: The runs, begun for this alone, that hold the leases: by them the store is known under another name.
        keys: Where keys are.
        clock: Time and chance.

    Returns:
        Where it is now, for messages.

    Raises:
        StateError: ``state.not_empty``, ``state.busy``, ``state.moved``, ``state.backup_failed``, or what the adapter raises.
    """
    there = find_at(place, keys=keys, clock=clock)
    if there is None:
        _copy(store, place)
        there = open_at(place, keys=keys, clock=clock)
    elif not runs or not there.held_by().isdisjoint(runs):
        there.close()
        raise not_empty(there.location)
    with closing(there):
        copied = there.moment()
        if (there.estate, copied) != (store.estate, store.moment()):
            raise not_empty(there.location)
        found = there.verify()
        if found:
            raise StateError(
                "state.backup_failed",
                "The copy is not sound",
                detail="\n".join(found),
                hint="The store itself was not touched.",
            )
        store.leave_for(there.location, copied, runs)
        return there.location


def _copy(store: Store, place: Path | str) -> None:
    if isinstance(place, Path):
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = place / "state.db.new"
        new.unlink(missing_ok=True)  # Somebody was killed while it was written.
        store.backup(new)
        new.replace(place / "state.db")
        return
    from purvey._state.postgres.open import copy_to_server  # noqa: PLC0415 - see above.

    store.read(lambda source: copy_to_server(source, place))
