"""The store's key: 32 bytes that are made with a new store and kept outside its folder.

Whoever has the store without the key can neither read the values sealed in it nor change a row unnoticed. Where the key is:

    PURVEY_KEY        the key itself in base64, for a CI system that keeps secrets
    PURVEY_KEY_FILE   a file with it
    otherwise         ${XDG_DATA_HOME:-~/.local/share}/purvey/keys/<estate>.key

A key file holds the key in base64 with a newline, has mode 0600 and appears whole or not at all. While a store changes from one
key to another, it holds both, the newest last; which of them the store uses, the store says. PURVEY_KEY may hold several, too,
with blanks between.
"""

from __future__ import annotations

import base64
import binascii
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
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
        """The key for a new store, durable before this returns; one that the environment names is used as it is, the newest.

        Args:
            estate: The new store's id.

        Raises:
            StateError: ``state.bad_key``, ``state.key_exposed``, or ``state.key_unwritable`` where it cannot be kept.
        """
        path = self._path(estate)
        if path is not None and not path.exists():
            with self._unwritable(path):
                _write(path, self._clock.entropy(KEY_BYTES))
        return self.find(estate)[-1]

    def find(self, estate: str) -> tuple[bytes, ...]:
        """The keys of the store whose id is `estate`, oldest first; which is the right one is for the store to say.

        Raises:
            StateError: ``state.missing_key``, ``state.bad_key``, or ``state.key_exposed`` where others may read the file.
        """
        path = self._path(estate)
        if path is None:
            return _all_decoded(self._environment["PURVEY_KEY"], "PURVEY_KEY")
        try:
            with path.open(encoding="ascii", errors="replace") as file:
                _require_private(path, os.fstat(file.fileno()).st_mode)
                return _all_decoded(file.read(4096), str(path))
        except OSError as error:
            raise StateError(
                "state.missing_key",
                "The key of the store is not there",
                detail=f"{path}: {error.strerror}. The store's records cannot be verified or changed without it.",
                hint="Bring the file back from where the store was made, or give its content in PURVEY_KEY.",
            ) from error

    def extend(self, estate: str) -> bytes:
        """Another key for a store, newer than all it has, kept beside them before this returns.

        Raises:
            StateError: ``state.key_in_environment`` where the environment holds the key, which only its owner can change;
                ``state.key_unwritable``, and as `find`.
        """
        key = self._clock.entropy(KEY_BYTES)
        self._rewrite(estate, lambda kept: (*kept, key))
        return key

    def retire(self, estate: str, key: bytes) -> Path | None:
        """Put the keys of a store that are older than `key` aside, for backups that were made before; newer ones stay.

        Returns:
            The file in which they are; None where the environment holds the key, or there were none.

        Raises:
            StateError: As `extend`.
        """
        path = self._path(estate)
        if path is None or self.find(estate)[0] == key:
            return None
        aside = path.with_name(f"{path.name}.former")

        def put_aside(kept: tuple[bytes, ...]) -> tuple[bytes, ...]:
            """What is left; the older ones are durable elsewhere before."""
            known = _all_decoded(aside.read_text("ascii"), str(aside)) if aside.exists() else ()
            _replace(aside, dict.fromkeys((*known, *kept[: kept.index(key)])))
            return kept[kept.index(key) :]

        self._rewrite(estate, put_aside)
        return aside

    def _rewrite(self, estate: str, change: Callable[[tuple[bytes, ...]], tuple[bytes, ...]]) -> None:
        """Change a key file, one process at a time."""
        path = self._path(estate)
        if path is None:
            raise StateError(
                "state.key_in_environment",
                "The key is in the environment, where purvey cannot change it",
                detail="PURVEY_KEY holds the store's key.",
                hint="Make a new key, give both in PURVEY_KEY, the new one last and a blank between, wherever purvey runs, and "
                "rotate again:\n\n    openssl rand -base64 32",
            )
        with self._unwritable(path):
            folder = os.open(path.parent, os.O_RDONLY)  # Not the file: each change puts another in its place.
            try:
                fcntl.flock(folder, fcntl.LOCK_EX)
                _replace(path, change(self.find(estate)))
            finally:
                os.close(folder)

    @staticmethod
    @contextmanager
    def _unwritable(path: Path) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateError(
                "state.key_unwritable",
                "The key of the store cannot be kept",
                detail=f"{path}: {error.strerror}. Without its key nobody could read the store again.",
                hint="Make the folder writable, or name a file with PURVEY_KEY_FILE.",
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


def _all_decoded(text: str, place: str) -> tuple[bytes, ...]:
    """The keys that `text` spells, in its order."""
    return tuple(dict.fromkeys(_decoded(word, place) for word in text.split() or [""]))


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


def _replace(path: Path, keys: Iterable[bytes]) -> None:
    """Put keys on disk in the place of what is there: whole, or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(base64.b64encode(key) + b"\n" for key in keys)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
