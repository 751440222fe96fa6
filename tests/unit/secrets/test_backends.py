"""Secrets are read from where the script says, once, and what is wrong is told without the value."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from purvey._base.value import Secret, SecretRef
from purvey._secrets.backends import Backends, Reader
from purvey.errors import ProviderError, ScriptError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    """A run's reader, with the test's folder as the script's."""
    return Reader(tmp_path)


def secret_file(path: Path, content: bytes = b"hunter22\n", mode: int = 0o600) -> Path:
    """A file of secrets."""
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_variable_is_read(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """`env:NAME` gives the variable as it is, and where it came from."""
    monkeypatch.setenv("APP_PASSWORD", " hunter22\n")

    secret = reader.read("env:APP_PASSWORD")

    assert secret == Secret(" hunter22\n")
    assert secret.origin == SecretRef("env:APP_PASSWORD")
    assert reader.version("env:APP_PASSWORD") == ""


@pytest.mark.parametrize(
    ("content", "text"),
    [(b"hunter22\n", "hunter22"), (b"hunter22\r\n", "hunter22"), (b"a\nb\n\n", "a\nb\n"), (b" x ", " x "), ("é".encode(), "é")],
)
def test_a_file_is_read_without_its_last_newline(reader: Reader, tmp_path: Path, content: bytes, text: str) -> None:
    """`file:PATH` begins at the script's folder; the one newline that editors add is not part of the secret."""
    secret_file(tmp_path / "password", content)

    assert reader.read("file:password") == Secret(text)
    assert reader.read(f"file:{tmp_path}/password") == Secret(text)


def test_a_run_reads_each_secret_once(reader: Reader, tmp_path: Path) -> None:
    """A secret that changes while a run works stays what it was for this run."""
    path = secret_file(tmp_path / "password")
    before = reader.read("file:password")
    secret_file(path, b"changed")

    assert reader.read("file:password") is before
    assert Reader(tmp_path).read("file:password") == Secret("changed")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660])
def test_a_file_that_others_can_read_is_refused(reader: Reader, tmp_path: Path, mode: int) -> None:
    """The error gives the command that mends it, and not the secret."""
    path = secret_file(tmp_path / "password", mode=mode)

    with pytest.raises(ScriptError) as caught:
        reader.read("file:password")

    assert caught.value.code == "secret.unreadable"
    assert f"\n    chmod 600 {path}" in caught.value.hint
    assert "hunter22" not in str(caught.value)


def test_a_read_only_mount_decides_for_itself(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a platform mounts secrets read-only with its own modes, nobody could change them, and they are read."""
    secret_file(tmp_path / "password", mode=0o444)
    fields = list(os.statvfs(tmp_path))
    fields[8] |= os.ST_RDONLY
    monkeypatch.setattr("purvey._secrets.backends.os.fstatvfs", lambda _: os.statvfs_result(fields))

    assert reader.read("file:password") == Secret("hunter22")


def test_everything_wrong_is_told_together(reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Preflight hears of each secret that cannot be read, once and in order, with what to do; good ones are not named."""
    monkeypatch.delenv("GONE", raising=False)
    monkeypatch.setenv("EMPTY", "")
    secret_file(tmp_path / "good")
    secret_file(tmp_path / "binary", b"\xff\xfe")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe", 0o600)
    bad = {
        "env:GONE": "the variable GONE is not set",
        "env:EMPTY": "it is empty",
        "file:gone": "there is no file",
        "file:binary": "not text in UTF-8",
        "file:folder": "not a regular file",
        "file:pipe": "not a regular file",
        "valt:kv/shop": "not of the form",
        "env:": "not of the form",
        "password": "not of the form",
    }

    problems = reader.problems([*bad, "file:good", "env:GONE"])

    assert [problem.source for problem in problems] == list(bad)
    for source, problem, fix in problems:
        assert bad[source] in problem
        assert source in problem
        assert fix


def test_an_unknown_backend_is_likely_misspelt(reader: Reader) -> None:
    """The error lists the backends, and the closest one."""
    with pytest.raises(ScriptError) as caught:
        reader.read("evn:HOME")

    assert caught.value.code == "secret.unknown_backend"
    assert "env:…, file:…" in caught.value.detail
    assert caught.value.hint == "Did you mean env:HOME?"


def test_a_backend_can_be_added(tmp_path: Path) -> None:
    """A registered function reads what stands after its scheme, bytes or text, and tells versions."""
    backends = Backends()
    backends.register("memo", lambda path, root: f"{path} in {root.name}", version=lambda path, _: f"{path}@7")
    backends.register("raw", lambda path, _: path.encode())
    reader = Reader(tmp_path, backends)

    assert reader.read("memo:a/b#c") == Secret(f"a/b#c in {tmp_path.name}")
    assert reader.version("memo:a/b#c") == "a/b#c@7"
    assert reader.read("raw:x") == Secret("x")
    with pytest.raises(ScriptError):
        reader.read("env:HOME")


def test_a_backend_s_own_error_is_not_passed_on(tmp_path: Path) -> None:
    """An exception of a backend may quote the value, so only its type is told."""
    backends = Backends()

    def broken(path: str, root: Path) -> str:
        raise ValueError("cannot parse 'hunter22'")

    backends.register("memo", broken)

    with pytest.raises(ProviderError) as caught:
        Reader(tmp_path, backends).read("memo:x")

    assert caught.value.detail == "memo:x: ValueError"
    assert caught.value.__suppress_context__


def test_the_advice_for_a_missing_file_makes_it_private(reader: Reader, tmp_path: Path) -> None:
    """The command that is advised makes the folder too, and a file that only its owner can read, with a value in it."""
    with pytest.raises(ScriptError) as caught:
        reader.read("file:my secrets/token")
    path = tmp_path / "my secrets" / "token"

    assert caught.value.hint.endswith(f"umask 077; mkdir -p '{path.parent}'; printf %s VALUE > '{path}'")
