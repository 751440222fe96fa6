"""The store's key: made once, kept private, found where the user says."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from purvey._base.clock import SystemClock
from purvey._base.derive import derive
from purvey._secrets.key import KEY_BYTES, KeyRing
from purvey.errors import StateError

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))
TEXT = base64.b64encode(KEY).decode()


def ring(**environment: str) -> KeyRing:
    """Keys for a process with this environment."""
    return KeyRing(environment, clock=SystemClock())


@pytest.mark.parametrize("variable", ["HOME", "XDG_DATA_HOME"])
def test_a_new_key_is_private_and_found_again(tmp_path: Path, variable: str) -> None:
    """The key is made in the user's own data folder, with modes 0700 and 0600, and nothing else is left there."""
    keys = ring(**{variable: str(tmp_path)})

    key = keys.make("abcd2345")

    folder = tmp_path / (".local/share" if variable == "HOME" else "") / "purvey" / "keys"
    path = folder / "abcd2345.key"
    assert list(folder.iterdir()) == [path]
    assert keys.place("abcd2345") == str(path)
    assert (folder.stat().st_mode & 0o777, path.stat().st_mode & 0o777) == (0o700, 0o600)
    assert len(key) == KEY_BYTES
    assert keys.find("abcd2345") == (keys.make("abcd2345"),) == (key,)
    assert keys.make("other234") != key


def test_the_environment_can_hold_the_key(tmp_path: Path) -> None:
    """`PURVEY_KEY` comes before everything, and no file is made."""
    keys = ring(PURVEY_KEY=f"{TEXT}\n", PURVEY_KEY_FILE=str(tmp_path / "key"), HOME=str(tmp_path))

    assert (keys.make("abcd2345"),) == keys.find("abcd2345") == (KEY,)
    assert list(tmp_path.iterdir()) == []


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    """`PURVEY_KEY_FILE` is used as it is, and made for a new store if it is not there."""
    path = tmp_path / "deep" / "key"
    keys = ring(PURVEY_KEY_FILE=str(path), HOME=str(tmp_path))

    key = keys.make("abcd2345")

    assert base64.b64decode(path.read_bytes()) == key
    path.write_text(TEXT)
    assert keys.make("abcd2345") == KEY


def test_a_missing_key_says_where_it_was_looked_for(tmp_path: Path) -> None:
    """The error names the file and the ways to bring the key back; no new key is made."""
    with pytest.raises(StateError) as caught:
        ring(HOME=str(tmp_path)).find("abcd2345")

    assert caught.value.code == "state.missing_key"
    assert str(tmp_path / ".local/share/purvey/keys/abcd2345.key") in caught.value.detail
    assert "PURVEY_KEY" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "not base64!", TEXT[:-8], TEXT + TEXT, "é" * 44])
def test_what_is_no_key_is_not_shown(tmp_path: Path, text: str) -> None:
    """Wrong content is refused without quoting it, as it may be half of a key."""
    path = tmp_path / "key"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)

    with pytest.raises(StateError) as caught:
        ring(PURVEY_KEY_FILE=str(path)).find("abcd2345")

    assert caught.value.code == "state.bad_key"
    assert not text or text not in str(caught.value)


def test_a_newer_key_outlives_the_retirement_of_older_ones(tmp_path: Path) -> None:
    """Who puts former keys aside never takes away one that somebody else has made meanwhile."""
    keys = ring(PURVEY_KEY_FILE=str(tmp_path / "key"))
    first = keys.make("abcd2345")
    second, third = keys.extend("abcd2345"), keys.extend("abcd2345")

    aside = keys.retire("abcd2345", second)

    assert keys.find("abcd2345") == (second, third)
    assert aside is not None
    assert base64.b64decode(aside.read_bytes()) == first
    assert keys.retire("abcd2345", second) is None


def test_keys_that_are_made_at_once_are_all_kept(tmp_path: Path) -> None:
    """Several processes that each add a key, over and over: none takes another's away."""
    keys = ring(PURVEY_KEY_FILE=str(tmp_path / "key"))
    made = [keys.make("abcd2345")]
    with ThreadPoolExecutor(6) as pool:
        made += pool.map(lambda _: keys.extend("abcd2345"), range(60))

    assert set(keys.find("abcd2345")) == set(made)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    """The error gives the command that mends it."""
    path = tmp_path / "key"
    path.write_text(TEXT)
    path.chmod(mode)

    with pytest.raises(StateError) as caught:
        ring(PURVEY_KEY_FILE=str(path)).find("abcd2345")

    assert caught.value.code == "state.key_exposed"
    assert f"\n    chmod 600 {path}" in caught.value.hint


def test_a_key_that_cannot_be_kept_makes_no_store(tmp_path: Path) -> None:
    """Where the key's folder cannot be made, the error says what would be lost."""
    (tmp_path / "file").touch()

    with pytest.raises(StateError) as caught:
        ring(XDG_DATA_HOME=str(tmp_path / "file")).make("abcd2345")

    assert caught.value.code == "state.key_unwritable"


def test_subkeys_are_those_of_the_standard() -> None:
    """Keys are derived by HKDF with SHA-256 as RFC 5869 has it, so that another program can read the formats."""
    standard = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"purvey state rows").derive(KEY)

    assert derive(KEY, "state rows") == standard
    assert derive(KEY, "secret seal") != standard
