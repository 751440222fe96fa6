"""Keyed digests of rows, so that a changed bit is seen and named.

Each is BLAKE2b under a key derived from the store's, over the row's identity and its body: a body moved to another row is as
wrong as a changed one. They do not show that a row is missing; `Store.verify` does, by folding the journal again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from purvey._base.derive import derive
from purvey.errors import StateError

MAC_BYTES: Final = 16
"""128 bits: nobody forges one by trying."""


class RowMac:
    """Computes the digests of one store's rows, and compares them.

    Args:
        key: The store's key, 32 bytes.
        former: Keys that were the store's before; rows with their digests are as good.
    """

    __slots__ = ("_former", "_key", "key_id")

    def __init__(self, key: bytes, former: Iterable[bytes] = ()) -> None:
        self.use(key, former)

    def use(self, key: bytes, former: Iterable[bytes]) -> None:
        """From now on, other keys."""
        self._former = tuple(derive(other, "state rows") for other in former)
        self._key = derive(key, "state rows")
        self.key_id = key_id(key)

    def of(self, identity: bytes, body: bytes) -> bytes:
        """The digest of `body` in the row `identity`, one of those made by the functions below."""
        return hashlib.blake2b(identity + body, key=self._key, digest_size=MAC_BYTES).digest()

    def matches(self, identity: bytes, body: bytes, digest: bytes) -> bool:
        """Whether a row has the digest that one of the store's keys gave it."""
        if self.of(identity, body) == digest:
            return True
        return any(hashlib.blake2b(identity + body, key=key, digest_size=MAC_BYTES).digest() == digest for key in self._former)


def key_id(key: bytes) -> str:
    """16 hexadecimal digits by which a store knows its key; they tell nothing about it."""
    return derive(key, "key id").hex()[:16]


def record_identity(run: str, sequence: int) -> bytes:
    """A journal record: its run and its place in the journal."""
    return f"record\0{run}\0{sequence}\0".encode()


def stack_identity(stack: str) -> bytes:
    """A stack, whose body is the head of its journal."""
    return f"stack\0{stack}\0".encode()


def resource_identity(stack: str) -> bytes:
    """A row of the snapshot; its address and generation are in the body, and are compared."""
    return f"resource\0{stack}\0".encode()


def retired_identity(stack: str) -> bytes:
    """The highest generation of an address whose object is gone."""
    return f"retired\0{stack}\0".encode()


def manifest_identity(run: str) -> bytes:
    """The list of a run's archived files."""
    return f"manifest\0{run}\0".encode()


def tag_out_identity(stack: str, active: int) -> bytes:
    """A tag on an object that no run may touch; `active` is 0 once it is taken off."""
    return f"tag_out\0{stack}\0{active}\0".encode()


def retired_body(address: str, generation: int) -> bytes:
    """What a retired generation's digest is over."""
    return f"{address}\0{generation}".encode()


def tampered(what: str) -> StateError:
    """The error for a row that is not as it was written.

    Args:
        what: The row: its table, and its address or number.
    """
    return StateError(
        "state.tampered_row",
        "A row of the store was changed",
        detail=f"{what} does not match its digest: the disk damaged it, or somebody edited it.",
        hint="Keep a copy of the store. See what is wrong, and what can be made anew:\n\n"
        "    purvey store verify\n    purvey store repair",
    )
