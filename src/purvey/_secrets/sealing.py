"""How secrets come to rest: as keyed digests, and as ciphertext where nothing else could yield them again.

A digest shows whether two secrets are equal and tells nothing else to whoever lacks the key. Ciphertext is AES-256-GCM with
a random nonce; the digest (or the purpose) is its associated data, so that it cannot be moved to another place unnoticed.

Invariants: no function here returns or raises plaintext other than inside a `Secret`; a secret that has an origin is never
encrypted, because it is read from there again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from typing import TYPE_CHECKING, Final

import msgspec

from purvey._base.derive import derive
from purvey._base.value import Masked, Secret, Value, canonical, reveal
from purvey.errors import InternalError, StateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES: Final = 12
"""The nonce that NIST SP 800-38D recommends; random ones are safe for 2^32 messages under one key."""


class Sealer:
    """Masks and seals under one store's key.

    Args:
        key: The store's key, 32 bytes.
    """

    __slots__ = ("_cipher", "_digest_key", "_seal_key")

    def __init__(self, key: bytes) -> None:
        self._digest_key = derive(key, "secret digest")
        self._seal_key = derive(key, "secret seal")
        self._cipher: AESGCM | None = None

    def mask(self, secret: Secret) -> Masked:
        """What a plan or a record may hold of `secret`: its digest with its origin, or with its ciphertext.

        A secret from a backend costs one hash; only one without an origin loads the cipher.
        """
        plain = canonical(reveal(secret.reveal()))
        digest = self._digest(plain)
        if secret.origin is not None:
            return Masked(digest, secret.origin)
        return Masked(digest, sealed=base64.b64encode(self._encrypt(plain, digest.encode())).decode())

    def seal(self, masked: Masked, secret: Secret) -> Masked:
        """`masked` with the ciphertext of `secret`, whatever its digest was made from."""
        plain = canonical(reveal(secret.reveal()))
        sealed = base64.b64encode(self._encrypt(plain, masked.digest.encode())).decode()
        return msgspec.structs.replace(masked, sealed=sealed)

    def protect(self, value: Value) -> Value:
        """`value` with every Secret in it masked."""
        kind = type(value)
        if kind is Secret:
            return self.mask(value)
        if kind is dict:
            return {key: self.protect(item) for key, item in value.items()}
        if kind is list:
            return [self.protect(item) for item in value]
        return value

    def unseal(self, masked: Masked) -> Secret:
        """The secret that was sealed.

        Raises:
            StateError: ``state.tampered`` when the ciphertext is not the one that this store's key made.
        """
        if not masked.sealed:
            raise InternalError("A secret that was not sealed is to be unsealed.")
        try:
            sealed = base64.b64decode(masked.sealed, validate=True)
        except (binascii.Error, ValueError):
            sealed = b""
        return Secret(msgspec.json.decode(self._decrypt(sealed, masked.digest.encode())))

    def seal_bytes(self, content: bytes, purpose: bytes) -> bytes:
        """`content` encrypted and signed; only `open_bytes` with the same key and purpose yields it again."""
        return self._encrypt(content, b"bytes " + purpose)

    def open_bytes(self, sealed: bytes, purpose: bytes) -> bytes:
        """The inverse of `seal_bytes`.

        Raises:
            StateError: ``state.tampered`` when one bit is another, or key or purpose are.
        """
        return self._decrypt(sealed, b"bytes " + purpose)

    def _digest(self, plain: bytes) -> str:
        return hashlib.blake2b(plain, key=self._digest_key, digest_size=16).hexdigest()

    def _aes(self) -> AESGCM:
        if self._cipher is None:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - loads OpenSSL: 20 ms.

            self._cipher = AESGCM(self._seal_key)
        return self._cipher

    def _encrypt(self, plain: bytes, context: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)  # Never from a seeded clock: a nonce used twice gives the key away.
        return nonce + self._aes().encrypt(nonce, plain, context)

    def _decrypt(self, sealed: bytes, context: bytes) -> bytes:
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as `_aes`.

        try:
            return self._aes().decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError) as error:
            raise _tampered() from error


def _tampered() -> StateError:
    return StateError(
        "state.tampered",
        "A sealed value was changed",
        detail="It is not what this store's key sealed: it was damaged, moved, or made with another key.",
        hint="Keep the store as it is, and restore a backup.",
    )
