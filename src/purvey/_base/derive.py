"""Subkeys: one independent key for each purpose, all from the one key that a store has.

HKDF with SHA-256 (RFC 5869) and one block of output. The standard library has all it takes, so that a plan that meets
no ciphertext does not load a cryptography package.
"""

from __future__ import annotations

import hmac


def derive(key: bytes, purpose: str) -> bytes:
    """A 32-byte key for one purpose; keys for different purposes tell nothing about each other or about `key`.

    Args:
        key: 32 unpredictable bytes.
        purpose: What the result is for; part of the formats, so it never changes.
    """
    extracted = hmac.digest(bytes(32), key, "sha256")
    return hmac.digest(extracted, f"purvey {purpose}".encode() + b"\x01", "sha256")
