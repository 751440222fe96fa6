"""Key pairs of OpenSSH, made without a program."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class KeyPair(NamedTuple):
    """The two files of a key, as text."""

    private: str
    public: str

    def write(self, path: Path) -> None:
        """Write the private one to `path`, for its owner alone, and the public one beside it."""
        path.touch(0o600)
        path.chmod(0o600)
        path.write_text(self.private, encoding="ascii")
        path.with_name(f"{path.name}.pub").write_text(f"{self.public}\n", encoding="ascii")


def new_key() -> KeyPair:
    """A new Ed25519 key without a passphrase."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )  # fmt: skip
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return KeyPair(private.decode(), public.decode())
