"""Subkeys: one independent key for each purpose, all from the one key that a store has.

HKDF with SHA-256 (RFC 5869) and one block of output. The standard library has all it takes, so that a plan that meets
no ciphertext does not load a cryptography package.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

_MAC_BYTES: Final = 16


def derive(key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose; keys for different purposes tell nothing about each other or about `key`.

    Args:
        key: 32 unpredictable bytes.
        purpose: What the result is for; part of the formats, so it never changes.
    """
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, f"purvey {purpose}".encode() + b"\x01", "sha256")


def wrap(key: bytes, inner: bytes) -> bytes:
    """`inner`, 32 bytes, so that only who has `key` can read it.

    It is added to a subkey that is used for nothing else, so a key MUST wrap one `inner` only, ever.
    """
    hidden = bytes(a ^ b for a, b in zip(inner, derive(key, "key wrap"), strict=True))
    return hidden + hashlib.blake2b(hidden, key=derive(key, "key wrap mac"), digest_size=_MAC_BYTES).digest()


def unwrap(key: bytes, wrapped: bytes) -> bytes | None:
    """The inverse of `wrap`; None where it was changed, or wrapped under another key."""
    hidden, mac = wrapped[:-_MAC_BYTES], wrapped[-_MAC_BYTES:]
    good = hashlib.blake2b(hidden, key=derive(key, "key wrap mac"), digest_size=_MAC_BYTES).digest()
    if len(hidden) != len(key) or not hmac.compare_digest(mac, good):
        return None
    return bytes(a ^ b for a, b in zip(hidden, derive(key, "key wrap"), strict=True))
