"""Secrets at rest: comparable by digest, unreadable without the key, and never moved or changed unnoticed."""

from __future__ import annotations

import base64
import subprocess
import sys
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from purvey._base.value import Masked, Secret, SecretRef, canonical
from purvey._secrets.sealing import Sealer
from purvey.errors import InternalError, StateError

KEY = bytes(range(32))
SEALER = Sealer(KEY)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(value=VALUES)
def test_what_is_sealed_is_unsealed(value: Any) -> None:
    """Any plain value comes back as it was; it is sealed differently each time, under the same digest."""
    one, two = SEALER.mask(Secret(value)), SEALER.mask(Secret(value))

    assert SEALER.unseal(one) == Secret(value)
    assert one == two
    assert one.sealed != two.sealed


@given(one=VALUES, two=VALUES)
def test_digests_are_equal_exactly_when_plaintexts_are(one: Any, two: Any) -> None:
    """Two masked secrets are equal exactly when what they hide is."""
    assert (SEALER.mask(Secret(one)) == SEALER.mask(Secret(two))) == (canonical(one) == canonical(two))


def test_a_sourced_secret_keeps_its_source_only() -> None:
    """A secret that can be read again is not encrypted; its digest is that of any secret with its text."""
    origin = SecretRef("env:PASSWORD")

    masked = SEALER.mask(Secret("hunter22", origin))

    assert (masked.origin, masked.sealed) == (origin, "")
    assert masked == SEALER.mask(Secret("hunter22"))


def test_masking_a_sourced_secret_loads_no_cipher() -> None:
    """Start-up stays light: only a ciphertext loads the cryptography package."""
    program = (
        "import sys; from purvey._secrets.sealing import Sealer; from purvey._base.value import Secret, SecretRef\n"
        "Sealer(bytes(32)).protect({'a': [Secret('x', SecretRef('env:X'))]})\n"
        "sys.exit('cryptography' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_another_key_sees_nothing() -> None:
    """Under another key the digest is another, and the ciphertext does not open."""
    masked = SEALER.mask(Secret("hunter22"))
    other = Sealer(bytes(32))

    assert other.mask(Secret("hunter22")) != masked
    with pytest.raises(StateError) as caught:
        other.unseal(masked)
    assert caught.value.code == "state.tampered"


def test_one_flipped_bit_is_seen() -> None:
    """Every bit of nonce, ciphertext and tag counts."""
    masked = SEALER.mask(Secret("hunter22"))
    sealed = base64.b64decode(masked.sealed)

    for place in range(len(sealed) * 8):
        flipped = bytearray(sealed)
        flipped[place // 8] ^= 1 << place % 8
        with pytest.raises(StateError) as caught:
            SEALER.unseal(msgspec.structs.replace(masked, sealed=base64.b64encode(bytes(flipped)).decode()))
        assert caught.value.code == "state.tampered"


@pytest.mark.parametrize("sealed", ["AAAA", "no base64!", "A" * 400])
def test_what_was_never_sealed_is_refused(sealed: str) -> None:
    """Garbage is a damaged value, not a traceback."""
    with pytest.raises(StateError):
        SEALER.unseal(Masked("0" * 32, sealed=sealed))


def test_a_ciphertext_belongs_to_its_digest() -> None:
    """The ciphertext of one secret is refused in the place of another's."""
    one, two = SEALER.mask(Secret("one")), SEALER.mask(Secret("two"))

    with pytest.raises(StateError):
        SEALER.unseal(msgspec.structs.replace(one, sealed=two.sealed))


def test_a_secret_with_a_source_is_not_unsealed() -> None:
    """To unseal what was not sealed is a mistake of ours, and is named as one."""
    with pytest.raises(InternalError):
        SEALER.unseal(SEALER.mask(Secret("x", SecretRef("env:X"))))


def test_protecting_leaves_no_plaintext() -> None:
    """Every secret at any depth is masked, everything else stays; the result can be written."""
    value = {
        "url": "https://shop",
        "users": [{"name": "ada", "password": Secret("hunter22")}],
        "key": Secret({"pem": "p3m-text"}),
    }

    protected = SEALER.protect(value)

    assert protected["url"] == "https://shop"
    assert isinstance(protected["users"][0]["password"], Masked)
    assert SEALER.unseal(protected["key"]) == Secret({"pem": "p3m-text"})
    assert b"hunter22" not in canonical(protected)
    assert b"p3m-text" not in canonical(protected)


@given(content=st.binary(max_size=200))
def test_bytes_are_sealed_for_one_purpose(content: bytes) -> None:
    """What was sealed for one purpose opens for that purpose only."""
    sealed = SEALER.seal_bytes(content, b"plan")

    assert SEALER.open_bytes(sealed, b"plan") == content
    for damaged, purpose in ((sealed, b"else"), (sealed[:-1], b"plan"), (b"", b"plan")):
        with pytest.raises(StateError):
            SEALER.open_bytes(damaged, purpose)
