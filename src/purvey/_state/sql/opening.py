"""What opening a store means in every database: whose it is, which key it has, and what is refused."""

from __future__ import annotations

import base64
from typing import Final

from purvey._base.clock import Clock
from purvey._state.mac import key_id
from purvey._state.record import FORMAT
from purvey._state.store import Keys
from purvey.errors import StateError

_ESTATE_BYTES: Final = 5
"""40 random bits are 8 characters of base32."""


def first_row(keys: Keys, clock: Clock) -> tuple[str, str, int, float]:
    """The row of the table `store` of a new one, without its number; its key is durable before this returns."""
    estate = base64.b32encode(clock.entropy(_ESTATE_BYTES)).decode().lower()
    return estate, key_id(keys.make(estate)), FORMAT, clock.now()


def require_key(keys: Keys, estate: str, known: str, location: str) -> bytes:
    """The key of an existing store.

    Args:
        keys: Where keys are.
        estate: The store's id.
        known: The id of its key.
        location: Where the store is.

    Raises:
        StateError: ``state.wrong_key``, or what `keys` raises.
    """
    key = keys.find(estate)
    if key_id(key) == known:
        return key
    raise StateError(
        "state.wrong_key",
        "The key is not the store's",
        detail=f"{location} was made with the key {known}, and {keys.place(estate)} holds another. Nothing was read or "
        "written with it.",
        hint="Bring back the key file that was made with the store, or name it with PURVEY_KEY_FILE.",
    )


def newer(location: str) -> StateError:
    """The error for a store of a later version."""
    return StateError(
        "state.newer",
        "A later version of purvey wrote the store",
        detail=f"{location} has tables or records that this version does not know; writing to it could lose what they say.",
        hint="Update purvey:\n\n    pip install --upgrade purvey",
    )
