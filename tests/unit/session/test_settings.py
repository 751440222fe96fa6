"""A project's settings and where a script's parameters come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from purvey._session.settings import given_values, load_settings
from purvey.errors import ScriptError


def test_without_a_file_the_scripts_folder_is_the_project(tmp_path: Path) -> None:
    """State is kept beside the script, never in the working directory."""
    found = load_settings(tmp_path / "shop.py")
    assert (found.root, found.store, found.parallel) == (tmp_path, tmp_path / ".purvey", 16)
    assert found.environment("prod").on_failure == "undo"


def test_the_file_is_found_upwards(tmp_path: Path) -> None:
    """The nearest one counts, and paths in it are relative to it."""
    (tmp_path / "purvey.toml").write_text(
        'store = "state"\nparallel = 4\n[env.prod]\non_failure = "keep"\nmax_deletes = 0\nparallel = 2\n'
    )
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)

    found = load_settings(folder / "shop.py")

    assert (found.root, found.store) == (tmp_path, tmp_path / "state")
    assert (found.parallel_in("prod"), found.parallel_in("dev")) == (2, 4)
    assert (found.environment("prod").on_failure, found.environment("prod").max_deletes) == ("keep", 0)


@pytest.mark.parametrize(
    "text",
    [
        "store = 3", "store = [", "paralel = 3", "parallel = 0", "parallel = 1001", '[env.prod]\non_failure = "explode"',
        "[env.prod]\nmax_delete = 1", "[env.prod]\nparallel = 0", "[env.prod]\nparallel = 1001", "[env.prod]\nmax_deletes = -1",
    ],
)  # fmt: skip
def test_wrong_settings_are_refused(tmp_path: Path, text: str) -> None:
    """With the file's name; a misspelt key is not passed over."""
    (tmp_path / "purvey.toml").write_text(text)
    with pytest.raises(ScriptError) as caught:
        load_settings(tmp_path)
    assert caught.value.code == "script.settings"
    assert "purvey.toml" in str(caught.value)


def test_the_priority_of_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line wins over the environment, that over the environment's file; each value knows where it came from."""
    (tmp_path / "shop.prod.toml").write_text("a = 1\nb = 1\nc = 1\n")
    monkeypatch.setenv("PURVEY_PARAM_B", "2")
    monkeypatch.setenv("PURVEY_PARAM_C", "2")
    monkeypatch.setenv("PURVEY_PARAM_TWO_WORDS", "2")

    found = given_values(tmp_path / "shop.py", "prod", {"c": "3", "more-words": "3"})

    assert {name: (item.value, item.origin) for name, item in found.items()} == {
        "a": (1, "shop.prod.toml"),
        "b": ("2", "PURVEY_PARAM_B"),
        "c": ("3", "--c"),
        "two_words": ("2", "PURVEY_PARAM_TWO_WORDS"),
        "more_words": ("3", "--more-words"),
    }
    assert "a" not in given_values(tmp_path / "shop.py", "dev", {})


def test_dashes_in_the_environments_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is one name with dashes or underscores, so that every source can be overruled by the next."""
    (tmp_path / "shop.dev.toml").write_text("web-workers = 1\n")
    monkeypatch.setenv("PURVEY_PARAM_WEB_WORKERS", "2")
    found = given_values(tmp_path / "shop.py", "dev", {})
    assert {name: item.value for name, item in found.items()} == {"web_workers": "2"}


def test_a_damaged_environments_file(tmp_path: Path) -> None:
    """The error names it."""
    (tmp_path / "shop.dev.toml").write_text("a = [")
    with pytest.raises(ScriptError) as caught:
        given_values(tmp_path / "shop.py", "dev", {})
    assert "shop.dev.toml" in caught.value.detail


@pytest.mark.parametrize(
    ("text", "meant", "others"),
    [("paralel = 3", "parallel", "store"), ("[env.prod]\nmax_delete = 1", "max_deletes", "on_failure")],
)
def test_a_misspelt_setting_is_answered_with_those_there_are(text: str, meant: str, others: str, tmp_path: Path) -> None:
    """The closest setting is named, and all that can stand in that place."""
    (tmp_path / "purvey.toml").write_text(text)

    with pytest.raises(ScriptError) as caught:
        load_settings(tmp_path / "shop.py")
    assert f"Did you mean `{meant}`?" in caught.value.hint
    assert others in caught.value.hint


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_store_on_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    """The file or the environment names a server; the environment wins, and may name a folder, too."""
    (tmp_path / "purvey.toml").write_text(f'store = "{scheme}://ada@db/one"\n')
    monkeypatch.delenv("PURVEY_STORE", raising=False)
    assert (load_settings(tmp_path).server, load_settings(tmp_path).store) == (f"{scheme}://ada@db/one", tmp_path / ".purvey")

    monkeypatch.setenv("PURVEY_STORE", f"{scheme}://ada:hunter22@db/two")
    assert load_settings(tmp_path).server == f"{scheme}://ada:hunter22@db/two"

    monkeypatch.setenv("PURVEY_STORE", str(tmp_path / "folder"))
    assert (load_settings(tmp_path).server, load_settings(tmp_path).store) == ("", tmp_path / "folder")


@pytest.mark.parametrize("address", ["postgresql://ada:hunter22@db/one", "postgresql://ada@db/one?password=hunter22"])
def test_a_password_in_the_file_is_refused(tmp_path: Path, address: str) -> None:
    """The file is shared, so the error says where the password belongs, without showing it."""
    (tmp_path / "purvey.toml").write_text(f'store = "{address}"\n')

    with pytest.raises(ScriptError) as caught:
        load_settings(tmp_path)

    assert caught.value.code == "script.settings"
    assert "pgpass" in caught.value.hint
    assert "hunter22" not in f"{caught.value} {caught.value.detail} {caught.value.hint}"
