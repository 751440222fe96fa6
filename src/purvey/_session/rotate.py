"""Changes a store's key while runs go on: one step after another, each of which can be repeated.

1. The new key is kept beside the one in use. Where several machines use the store, it is brought to all of them first.
2. The store says that the new key is its key. From this moment every process writes under it.
3. What the former key has signed and sealed is written anew, stack by stack. Each is held under its lease, so that no run that
   began before is still at it.
4. The former key is put aside.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, NamedTuple

from purvey._base.clock import Clock, ulid
from purvey._secrets.key import KeyRing
from purvey._secrets.sealing import Sealer
from purvey._state.mac import key_id
from purvey._state.open import is_server
from purvey._state.store import Store
from purvey.errors import StateError

TOLD_EVERY: Final = 10_000
"""Rows between two words to who watches: about a second's work."""


class Rotation(NamedTuple):
    """How far the change of a key has come.

    Attributes:
        result: ``done``; ``prepared`` where the new key is to be brought to other machines first; ``busy`` where stacks were.
        key_id: The new key.
        place: Where it is kept.
        rows: How many rows were written anew.
        busy: The stacks that were busy.
        aside: The file with the former key; None where it is not purvey that keeps it.
    """

    result: Literal["done", "prepared", "busy"]
    key_id: str
    place: str
    rows: int = 0
    busy: tuple[str, ...] = ()
    aside: Path | None = None


def unwatched(_stack: str, _rows: int) -> None:
    """Progress that nobody looks at."""


def rotate(
    store: Store, keys: KeyRing, clock: Clock, *, wait: bool, progress: Callable[[str, int], None]
) -> Rotation:  # fmt: skip
    """See `purvey._session.keeping.Keeping.store_rotate_key`."""
    kept, place = keys.find(store.estate), keys.place(store.estate)
    if len(kept) == 1:
        new = keys.extend(store.estate)
        if is_server(store.location):
            return Rotation("prepared", key_id(new), place)
    else:
        new = kept[-1]
    if key_id(new) != store.key_id:
        store.switch_key(new)
    new = store.ring.key  # Another's, if somebody else changed it meanwhile; then ours stays beside it, for the next time.
    sealer = Sealer(*store.ring)
    busy, rows = [], 0
    for stack in store.everything():
        try:
            with store.hold(stack, ulid(clock), wait=wait):
                for written in store.write_anew(stack, sealer.renewed):
                    rows += written
                    if rows // TOLD_EVERY > (rows - written) // TOLD_EVERY:
                        progress(stack, rows)
        except StateError as error:
            if error.code != "state.busy":
                raise
            busy.append(stack)
    if busy:
        return Rotation("busy", key_id(new), place, rows, tuple(busy))
    return Rotation("done", key_id(new), place, rows, aside=keys.retire(store.estate, new))
