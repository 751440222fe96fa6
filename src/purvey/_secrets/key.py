"""The store's key: 32 bytes that are made with a new store and kept outside its folder.

Whoever has the store without the key can neither read the values sealed in it nor change a row unnoticed. Where the key is:

    PURVEY_KEY        the key itself in base64, for a CI system that keeps secrets
    PURVEY_KEY_FILE   a file with it
    otherwise         ${XDG_DATA_HOME:-~/.local/share}/purvey/keys/<estate>.key

A key file holds the key in base64 with a newline, has mode 0600 and appears whole or not at all.
"""

from __future__ import annotations

import base64
import binascii
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from purvey._base.clock import Clock
from purvey.errors import StateError

KEY_BYTES: Final = 32
"""Bytes in a key: what AES-256 and HKDF with SHA-256 take."""


class KeyRing:
    """Finds the key of a store, and makes the key of a new one.

    Args:
        environment: The process's environment.
        clock: Draws the random bytes of a new key.
    """

    def __init__(self, environment: Mapping[str, str], *, clock: Clock) -> None:
        self._environment = environment
        self._clock = clock

    def make(self, estate: str) -> bytes:
        """The key for a new store, durable before this returns; one that the environment names is used as it is.

        Args:
            estate: The new store's id.

        Raises:
            StateError: ``state.bad_key``, ``state.key_exposed``, or ``state.key_unwritable`` where it cannot be kept.
        """
        path = self._path(estate)
        if path is not None and not path.exists():
            try:
                _write(path, self._clock.entropy(KEY_BYTES))
            except OSError as error:
                raise StateError(
                    "state.key_unwritable",
                    "The key of the new store cannot be kept",
                    detail=f"{path}: {error.strerror}. Without its key nobody could read the store again.",
                    hint="Make the folder writable, or name a file with PURVEY_KEY_FILE.",
                ) from error
        return self.find(estate)

    def find(self, estate: str) -> bytes:
        """The key of the store whose id is `estate`; whether it is the right one is for the store to say.

        Raises:
            StateError: ``state.missing_key``, ``state.bad_key``, or ``state.key_exposed`` where others may read the file.
        """
        path = self._path(estate)
        if path is None:
            return _decoded(self._environment["PURVEY_KEY"], "PURVEY_KEY")
        try:
            with path.open(encoding="ascii", errors="replace") as file:
                _require_private(path, os.fstat(file.fileno()).st_mode)
                return _decoded(file.read(4096), str(path))
        except OSError as error:
            raise StateError(
                "state.missing_key",
                "The key of the store is not there",
                detail=f"{path}: {error.strerror}. The store's records cannot be verified or changed without it.",
                hint="Bring the file back from where the store was made, or give its content in PURVEY_KEY.",
            ) from error

    def place(self, estate: str) -> str:
        """Where the key is looked for, for messages."""
        path = self._path(estate)
        return "the variable PURVEY_KEY" if path is None else str(path)

    def _path(self, estate: str) -> Path | None:
        """The key's file; None where the environment holds the key itself."""
        if self._environment.get("PURVEY_KEY"):
            return None
        named = self._environment.get("PURVEY_KEY_FILE")
        if named:
            return Path(named).expanduser()
        data = self._environment.get("XDG_DATA_HOME", "")
        home = Path(data) if data.startswith("/") else Path(self._environment.get("HOME") or Path.home()) / ".local/share"
        return home / "purvey" / "keys" / f"{estate}.key"


def _decoded(text: str, place: str) -> bytes:
    """The key that `text` spells; `place` says where it stood, as the text itself may not be shown."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise StateError(
            "state.bad_key",
            "What should be the store's key is not one",
            detail=f"{place} does not hold {KEY_BYTES} bytes in base64.",
            hint="Give the content of the key file that was made with the store.",
        )
    return key


def _require_private(path: Path, mode: int) -> None:
    """Refuse a key that other users can read: it would protect nothing."""
    if stat.S_IMODE(mode) & 0o077:
        raise StateError(
            "state.key_exposed",
            "The key of the store can be read by others",
            detail=f"{path} has mode {stat.S_IMODE(mode):04o}; with the key and the store, everything sealed can be read.",
            hint=f"Take the rights away:\n\n    chmod 600 {path}",
        )


def _write(path: Path, key: bytes) -> None:
    """Put the key on disk whole; a key that another process put there meanwhile stays."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(base64.b64encode(key) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        try:
            Path(path).hardlink_to(name)
        except FileExistsError:
            return
        _sync_folder(path.parent)
    finally:
        Path(name).unlink()


def _sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
