"""SHA-512 crypt, ``$6$``: how a password stands in shadow(5), made where it is known, so that no machine is told it.

As Ulrich Drepper's specification has it ("Unix crypt using SHA-256 and SHA-512"), with its default of 5,000 rounds. Python's
own module is gone since 3.13, and depended on the C library.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

ROUNDS: Final = 5000
SALT_CHARACTERS: Final = 16
_PREFIX: Final = "$6$"
_DIGITS: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_ORDER: Final = [(22 * step % 63, (22 * step + 21) % 63, (22 * step + 42) % 63) for step in range(21)]


def hashed(password: str, entropy: bytes) -> str:
    """The hash of a password with a new salt.

    Args:
        password: The password.
        entropy: At least 16 unpredictable bytes.
    """
    return _hash(password.encode(), "".join(_DIGITS[byte % 64] for byte in entropy[:SALT_CHARACTERS]))


def is_of(password: str, known: str) -> bool:
    """Whether a hash is that of a password; False for one of another method, which cannot be told."""
    parts = known.split("$")
    if not known.startswith(_PREFIX) or len(parts) != 4:  # noqa: PLR2004 - one with rounds of its own has five.
        return False
    return hmac.compare_digest(_hash(password.encode(), parts[2]).encode(), known.encode())


def _hash(password: bytes, salt_text: str) -> str:
    salt = salt_text.encode()
    inner = hashlib.sha512(password + salt + password).digest()
    first = hashlib.sha512(password + salt + _stretched(inner, len(password)))
    bits = len(password)
    while bits:
        first.update(inner if bits & 1 else password)
        bits >>= 1
    digest = first.digest()
    spread = _stretched(hashlib.sha512(password * len(password)).digest(), len(password))
    seasoned = _stretched(hashlib.sha512(salt * (16 + digest[0])).digest(), len(salt))
    for number in range(ROUNDS):
        odd = number & 1
        parts = [spread if odd else digest, seasoned if number % 3 else b"", spread if number % 7 else b""]
        digest = hashlib.sha512(b"".join(parts) + (digest if odd else spread)).digest()
    return f"{_PREFIX}{salt_text}${_spelt(digest)}"


def _stretched(block: bytes, length: int) -> bytes:
    return (block * (length // len(block) + 1))[:length]


def _spelt(digest: bytes) -> str:
    """The digest in crypt's own order and digits."""
    triples = (digest[high] << 16 | digest[middle] << 8 | digest[low] for high, middle, low in _ORDER)
    return "".join(_digits(triple, 4) for triple in triples) + _digits(digest[63], 2)


def _digits(value: int, count: int) -> str:
    return "".join(_DIGITS[value >> 6 * index & 63] for index in range(count))
