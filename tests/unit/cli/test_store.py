"""``purvey store`` and ``purvey tag-out``: care for the record, from the command line."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Purvey


@pytest.fixture
def applied(purvey: Purvey, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The starter project, applied, and as the working directory."""
    monkeypatch.chdir(project)
    assert purvey("apply", "site.py", "--yes").code == 0
    return project


def test_a_sound_store_is_told_and_described(purvey: Purvey, applied: Path) -> None:
    """`info` counts what is remembered; `verify` ends with 0."""
    facts = purvey("store", "info", "--json").json()

    assert (facts["stacks"], facts["in_doubt"], facts["tags"]) == (["site/dev"], 0, 0)
    assert facts["objects"] > 0
    assert facts["estate"] in purvey("store", "info").out
    assert purvey("store", "verify").code == 0
    assert purvey("store", "verify", "--json").json() == {"format": 1, "sound": True, "found": []}


def test_a_damaged_store_is_told(purvey: Purvey, applied: Path) -> None:
    """A changed row ends with 5 and is named."""
    with closing(sqlite3.connect(applied / ".purvey" / "state.db")) as connection, connection:
        connection.execute("UPDATE record SET body = CAST(replace(body, 'apply', 'grant') AS BLOB) WHERE sequence = 1")

    told = purvey("store", "verify")

    assert told.code == 5
    assert "Journal record 1" in told.out


def test_what_the_journal_proves_is_repaired(purvey: Purvey, applied: Path) -> None:
    """An object that somebody deleted from the snapshot is remembered again; then nothing has to change."""
    with closing(sqlite3.connect(applied / ".purvey" / "state.db")) as connection, connection:
        connection.execute("DELETE FROM resource")
    assert "purvey store repair" in purvey("store", "verify").out

    told = purvey("store", "repair")

    assert told.code == 0
    assert "Made anew" in told.out
    assert "The store is sound." in told.out
    again = purvey("apply", "site.py", "--yes")
    assert "nothing had to change" in again.out + again.err
    assert purvey("store", "repair", "--json").json() == {
        "format": 1, "sound": True, "rebuilt": [], "kept": [], "left": [], "busy": [],
    }  # fmt: skip


def test_what_nothing_proves_is_left(purvey: Purvey, applied: Path) -> None:
    """A changed record ends with 5, and says what there is to do."""
    with closing(sqlite3.connect(applied / ".purvey" / "state.db")) as connection, connection:
        connection.execute("UPDATE record SET body = CAST(replace(body, 'apply', 'grant') AS BLOB) WHERE sequence = 1")

    told = purvey("store", "repair")

    assert told.code == 5
    assert "Journal record 1" in told.out
    assert "put a backup in its place" in told.out
    assert not purvey("store", "repair", "--json").json()["sound"]


def test_a_backup_is_a_store(purvey: Purvey, applied: Path, tmp_path: Path) -> None:
    """Put in the store's place, the copy is as good as the store was; a file that exists is not written over."""
    copy = tmp_path / "copy.db"
    assert purvey("store", "backup", str(copy)).code == 0
    assert copy.stat().st_mode & 0o777 == 0o600
    assert purvey("store", "backup", str(copy)).code == 5
    for path in (applied / ".purvey").glob("state.db*"):
        path.unlink()
    copy.rename(applied / ".purvey" / "state.db")

    assert purvey("store", "verify").code == 0
    again = purvey("apply", "site.py", "--yes")
    assert "nothing had to change" in again.out + again.err


def test_a_project_without_a_store_says_so(purvey: Purvey) -> None:
    """The commands need something to look at."""
    for words in (("info",), ("verify",), ("repair",), ("backup", "x.db")):
        ended = purvey("store", *words)
        assert ended.code == 5
        assert "Nothing was applied here yet" in ended.err


def test_a_tag_keeps_an_apply_off(purvey: Purvey, applied: Path) -> None:
    """Tag, refusal with who and why, list, release: each command that is advised runs as it is printed."""
    found = purvey("state", "list", "--json", "site.py").json()
    address = next(item["address"] for item in found if item["kind"] == "files.File")
    assert purvey("tag-out", "site.py", address).code == 3  # Without a reason.
    tagged = purvey("tag-out", "site.py", address, "--reason", "moving house")
    refused = purvey("destroy", "site.py", "--yes")

    assert tagged.code == 0
    assert f"purvey tag-out site.py -e dev {address} --release" in " ".join(tagged.out.split())
    assert refused.code == 4
    assert "moving house" in refused.err
    (tag,) = purvey("tag-out", "site.py", "--list", "--json").json()
    assert (tag["address"], tag["reason"]) == (address, "moving house")
    assert "moving house" in purvey("tag-out", "--list").out
    assert purvey("tag-out", "site.py", address, "--release").code == 0
    assert "Nothing is tagged out." in purvey("tag-out", "--list").out
    assert purvey("destroy", "site.py", "--yes").code == 0


def test_an_undo_is_shown_before_it_is_done(purvey: Purvey, applied: Path) -> None:
    """`--plan` changes nothing; `--only` narrows both."""
    run = purvey("runs", "--json").json()[0]["id"]
    before = purvey("state", "list", "site.py").out

    plan = purvey("undo", run, "--plan", "--json").json()

    assert {change["action"] for change in plan["changes"]} == {"delete"}
    assert "to delete" in purvey("undo", run, "--plan").out
    assert purvey("state", "list", "site.py").out == before
    assert purvey("undo", run, "--plan", "--only", "files.File::nowhere").code == 4


def test_an_undo_shows_what_it_puts_back(purvey: Purvey, applied: Path) -> None:
    """The plan of an undo says of each update which values change, like any other plan."""
    assert purvey("apply", "site.py", "--title", "Other", "--yes").code == 0

    plan = purvey("undo", "site.py", "--plan")

    assert "undoes its update" in plan.out
    assert "+ <h1>Hello, page 1" in plan.out
    assert "- <h1>Other" in plan.out


def test_a_busy_stack_is_left_for_the_next_time(purvey: Purvey, applied: Path) -> None:
    """A repair does not touch what a run holds, says so, and ends with 5."""
    with closing(sqlite3.connect(applied / ".purvey" / "state.db")) as connection, connection:
        connection.execute("DELETE FROM resource")
        connection.execute("UPDATE lease SET run = 'RUN', machine = 'another', expires_at = 1e11, heartbeat_at = 1e11")

    told = purvey("store", "repair", "--json")

    assert told.code == 5
    assert (told.json()["busy"], told.json()["rebuilt"], told.json()["sound"]) == (["site/dev"], [], False)
