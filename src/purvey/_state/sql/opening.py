"""What opening a store means in every database: whose it is, which key it has, and what is refused."""

from __future__ import annotations

import base64
from typing import Final, NamedTuple

from purvey._base.clock import Clock
from purvey._base.derive import derive, unwrap
from purvey._state.mac import key_id, tampered
from purvey._state.record import FORMAT
from purvey._state.sql.database import Connection
from purvey._state.sql.tables import KEYS_SINCE
from purvey._state.store import Keys, Ring
from purvey.errors import StateError

_ESTATE_BYTES: Final = 5
"""40 random bits are 8 characters of base32."""


def first_row(keys: Keys, clock: Clock) -> tuple[str, str, int, float]:
    """The row of the table `store` of a new one, without its number; its key is durable before this returns."""
    estate = base64.b32encode(clock.entropy(_ESTATE_BYTES)).decode().lower()
    return estate, key_id(keys.make(estate)), FORMAT, clock.now()


class Identity(NamedTuple):
    """What a store says of itself.

    Attributes:
        estate: Its id.
        key_id: The id of its key.
        format: The format of its records.
        wrapped: Its key for digests, wrapped under its key; None while that is derived from its first key.
        moved_to: Where it was moved to; empty for a store that is in use.
    """

    estate: str
    key_id: str
    format: int
    wrapped: bytes | None
    moved_to: str


def identity(connection: Connection, version: int) -> Identity | None:
    """What the store behind `connection` says of itself; None where it does not. `version` is that of its tables."""
    more = "digest_key, moved_to" if version >= KEYS_SINCE else "NULL, ''"
    row = connection.execute(f"SELECT estate, key_id, format, {more} FROM store").fetchone()  # noqa: S608 - our own words.
    return Identity(*row) if row is not None else None


def require_usable(found: Identity, keys: Keys, location: str) -> Ring:
    """The keys of an existing store that this program may use.

    Args:
        found: What it says of itself.
        keys: Where keys are.
        location: Where it is.

    Raises:
        StateError: ``state.newer``, ``state.moved``, ``state.wrong_key``, ``state.tampered_row``, or what `keys` raises.
    """
    if found.format > FORMAT:
        raise newer(location)
    if found.moved_to:
        raise StateError(
            "state.moved",
            "The store was moved",
            detail=f"{location} was moved to {found.moved_to}; what is here is how it was then.",
            hint="Name the new place in PURVEY_STORE or purvey.toml.",
        )
    kept = keys.find(found.estate)
    for key in kept:
        if key_id(key) == found.key_id:
            digest_key = derive(key, "secret digest") if found.wrapped is None else unwrap(key, bytes(found.wrapped))
            if digest_key is None:
                raise tampered("The key for digests")
            return Ring(key, tuple(other for other in kept if other != key), digest_key)
    raise StateError(
        "state.wrong_key",
        "The key is not the store's",
        detail=f"{location} has the key {found.key_id}, and {keys.place(found.estate)} holds another. Nothing was read or "
        "written with it.",
        hint="Bring back the key file that was made with the store or by `purvey store rotate-key`, or name it with "
        "PURVEY_KEY_FILE.",
    )


def not_empty(location: str) -> StateError:
    """The error for a place that another store was to be moved to."""
    return StateError(
        "state.not_empty",
        "There is a store already",
        detail=f"{location} is not empty, and nothing there is overwritten.",
        hint="Name an empty place, or move that store away first.",
    )


def used_meanwhile(location: str) -> StateError:
    """The error for a store that somebody used while it was copied to another place."""
    return StateError(
        "state.busy",
        "Somebody used the store while it was copied",
        detail=f"A run began or a tag was changed that the copy in {location} does not have. The store stays where it is.",
        hint="Remove the copy, and repeat the command when no run is under way.",
    )


def newer(location: str) -> StateError:
    """The error for a store of a later version."""
    return StateError(
        "state.newer",
        "A later version of purvey wrote the store",
        detail=f"{location} has tables or records that this version does not know; writing to it could lose what they say.",
        hint="Update purvey:\n\n    pip install --upgrade purvey",
    )
