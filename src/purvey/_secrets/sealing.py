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
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

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
        former: Keys that were the store's before; what they sealed can be opened.
        digest_key: What digests are made with; by default derived from the key.
    """

    __slots__ = ("_ciphers", "_digest_key", "_keys", "_nonce_key")

    def __init__(self, key: bytes, former: Sequence[bytes] = (), digest_key: bytes | None = None) -> None:
        self._digest_key = digest_key or derive(key, "secret digest")
        self._nonce_key = derive(key, "secret seal anew")
        self._keys = tuple(derive(one, "secret seal") for one in (key, *former))
        self._ciphers: list[AESGCM] = []

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

    def renewed(self, body: bytes) -> bytes:
        """A record as JSON, with what a former key sealed in it sealed under the present one; else as it is, byte for byte.

        Equal ciphertexts become equal ones, so that what was the same in two records stays the same: the nonce follows from the
        former ciphertext, which no other has.

        Raises:
            StateError: ``state.tampered``.
        """
        if b'"sealed"' not in body:
            return body
        document = msgspec.json.decode(body)
        return msgspec.json.encode(document) if self._renew(document) else body

    def _renew(self, value: Any) -> bool:
        """Seal anew in place; whether anything was."""
        if isinstance(value, list):
            return self._renew_all(value)
        if not isinstance(value, dict):
            return False
        if value.get("$") == "$masked" and value.get("sealed"):
            sealed, context = base64.b64decode(value["sealed"]), str(value["digest"]).encode()
            if self._opened(self._aes()[0], sealed, context) is not None:
                return False
            nonce = hashlib.blake2b(sealed, key=self._nonce_key, digest_size=_NONCE_BYTES).digest()
            again = nonce + self._aes()[0].encrypt(nonce, self._decrypt(sealed, context), context)
            value["sealed"] = base64.b64encode(again).decode()
            return True
        return self._renew_all(value.values())

    def _renew_all(self, values: Iterable[Any]) -> bool:
        renewed = [self._renew(item) for item in values]  # Every one, not only the first.
        return any(renewed)

    def _aes(self) -> list[AESGCM]:
        """The ciphers, that of the present key first."""
        if not self._ciphers:
            from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415 - loads OpenSSL: 20 ms.

            self._ciphers = [AESGCM(key) for key in self._keys]
        return self._ciphers

    def _encrypt(self, plain: bytes, context: bytes) -> bytes:
        nonce = os.urandom(_NONCE_BYTES)  # Never from a seeded clock: a nonce used twice gives the key away.
        return nonce + self._aes()[0].encrypt(nonce, plain, context)

    def _decrypt(self, sealed: bytes, context: bytes) -> bytes:
        for cipher in self._aes():
            plain = self._opened(cipher, sealed, context)
            if plain is not None:
                return plain
        raise _tampered()

    @staticmethod
    def _opened(cipher: AESGCM, sealed: bytes, context: bytes) -> bytes | None:
        """What was sealed; None if it was not by this cipher."""
        from cryptography.exceptions import InvalidTag  # noqa: PLC0415 - as `_aes`.

        try:
            return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], context)
        except (InvalidTag, ValueError):
            return None


def _tampered() -> StateError:
    return StateError(
        "state.tampered",
        "A sealed value was changed",
        detail="It is not what this store's key sealed: it was damaged, moved, or made with another key.",
        hint="Keep the store as it is, and restore a backup.",
    )
