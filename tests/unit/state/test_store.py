"""What is written is what is read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from purvey._base.value import Secret
from purvey._state.record import Record
from purvey._state.sqlite.connect import write_failed
from purvey._state.state import State
from purvey.errors import InternalError, StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from purvey._state.sql.store import SqlStore


def test_a_store_remembers_after_it_is_closed(place: kit.Place, clock: kit.ToldClock) -> None:
    """Everything is there when the file is opened again, under the same estate."""
    with kit.store_at(place, clock) as store:
        kit.write(store, kit.opened(), *kit.created("web"), kit.outputs(url="https://shop"), kit.closed())
        before = store.load(kit.STACK)
        estate = store.estate

    with kit.store_at(place, clock) as again:
        assert kit.same(again.load(kit.STACK), before)
        assert again.estate == estate
        assert len(estate) == 8
        assert again.load(kit.STACK).outputs == {"url": "https://shop"}
        assert again.load(kit.STACK).reads == ("net/dev",)


def test_an_unknown_stack_is_empty(store: SqlStore) -> None:
    """Loading what was never written gives an empty state, and makes no stack of it."""
    assert kit.same(store.load("other/dev"), State())
    assert store.stacks() == []


def test_stacks_do_not_meet(store: SqlStore) -> None:
    """Equal addresses in two stacks are two objects."""
    kit.write(store, kit.opened(), *kit.created("web"), run="RUN1", stack="shop/dev")
    kit.write(store, kit.opened(), kit.begun("op", kit.resource("web")), run="RUN2", stack="shop/prod")

    assert set(store.load("shop/dev").resources) == {("files.File::web", 1)}
    assert store.load("shop/prod").resources == {}
    assert store.stacks() == ["shop/dev", "shop/prod"]
    assert store.verify() == []


@pytest.mark.parametrize("end", ["deleted", "failed", "forgotten"])
def test_a_generation_is_not_used_again(store: SqlStore, end: str) -> None:
    """The number of an object that is gone, or that never came to be, stays taken."""
    web = kit.resource("web", generation=3)
    ends: dict[str, list[Record]] = {
        "deleted": [kit.succeeded("a", web), kit.begun("b", web, "delete"), kit.succeeded("b", web, gone=True)],
        "failed": [kit.failed("a", web)],
        "forgotten": [kit.succeeded("a", web), kit.noted("forgotten", web)],
    }

    kit.write(store, kit.opened(), kit.begun("a", web), *ends[end])

    assert store.load(kit.STACK).resources == {}
    assert store.load(kit.STACK).generations == {"files.File::web": 3}


def test_what_may_have_happened_stays_in_doubt(store: SqlStore) -> None:
    """An operation whose effect is unknown is loaded with its id and its failure until a later record settles it."""
    web = kit.resource("web")
    failure = kit.failed("a", web, may_exist=True)
    kit.write(store, kit.opened(), kit.begun("a", web), kit.identified("a", "i-1"), failure)

    doubt = store.load(kit.STACK).in_doubt["a"]
    assert (doubt.begun.node, doubt.id, doubt.failed) == (web, "i-1", failure)

    kit.write(store, kit.succeeded("a", web))
    assert store.load(kit.STACK).in_doubt == {}
    assert store.verify() == []


def test_a_plaintext_secret_does_not_reach_the_store(store: SqlStore, place: kit.Place) -> None:
    """A record that holds a plaintext is refused as our bug, without quoting it, and the store goes on."""
    leaky = kit.resource("web", inputs={"password": Secret("hunter22")})

    with kit.held(store) as lease:
        writer = store.open_journal(kit.STACK, "RUN1", lease.fence)
        with pytest.raises(InternalError) as caught:
            writer.write_now(kit.begun("a", leaky))
        writer.write_now(kit.opened())

    assert "hunter22" not in str(caught.value)
    assert store.records("RUN1") == [kit.opened()]
    if isinstance(place, Path):
        assert all(b"hunter22" not in file.read_bytes() for file in place.parent.iterdir())


@pytest.mark.parametrize("end", ["identified", "failed", "in-doubt"])
def test_nothing_ends_that_did_not_begin(store: SqlStore, end: str) -> None:
    """A record that could never be folded is refused before it is written; what comes next is not."""
    web = kit.resource("web")
    ends: dict[str, Record] = {
        "identified": kit.identified("ghost", "i-1"),
        "failed": kit.failed("ghost", web),
        "in-doubt": kit.failed("ghost", web, may_exist=True),
    }

    with kit.held(store) as lease:
        writer = store.open_journal(kit.STACK, "RUN1", lease.fence)
        with pytest.raises(InternalError, match="never began"):
            writer.write_now(kit.opened(), ends[end])
        writer.write_now(kit.opened())

    assert store.records("RUN1") == [kit.opened()]
    assert store.verify() == []


def test_script_files_are_kept_once(store: SqlStore, place: kit.Place) -> None:
    """Each run has its files back, and what did not change between runs is stored once."""
    library = b"#" * 100_000
    store.archive("RUN1", {"shop.py": b"one", "lib/names.py": library})
    store.archive("RUN2", {"shop.py": b"two", "lib/names.py": library})

    assert store.archived("RUN1") == {"shop.py": b"one", "lib/names.py": library}
    assert store.archived("RUN2") == {"shop.py": b"two", "lib/names.py": library}
    assert store.archived("RUN3") == {}
    with kit.raw(place) as connection:
        assert connection.execute("SELECT sum(length(content)) FROM file").fetchone() == (100_006,)


def test_the_scripts_of_a_stack_are_known(store: SqlStore) -> None:
    """Newest first, each once, however many runs without a script came after it, and whatever other stacks ran."""
    for run, stack in (
        ("RUN2", kit.STACK), ("RUN1", kit.STACK), ("RUN3", "other/dev"), ("RUN5", kit.STACK), ("RUN4", kit.STACK)
    ):  # fmt: skip
        kit.write(store, kit.opened(), kit.closed(), run=run, stack=stack)
    for run in ("RUN1", "RUN2", "RUN3"):
        store.archive(run, {"shop.py": run.encode()})
    store.archive("RUN5", {"shop.py": b"RUN2"})

    assert store.archives(kit.STACK) == ["RUN5", "RUN1"]
    assert store.archives("unknown/dev") == []


def test_a_backup_is_a_store(store: SqlStore, tmp_path: Path) -> None:
    """The copy holds what the store held, is private, and never overwrites a file."""
    kit.write(store, kit.opened(), *kit.created("web"))
    copy = tmp_path / "copy.db"

    store.backup(copy)
    kit.write(store, *kit.created("later"))

    assert copy.stat().st_mode & 0o777 == 0o600
    with kit.store_at(copy) as other:
        assert set(other.load(kit.STACK).resources) == {("files.File::web", 1)}
        assert other.estate == store.estate
        assert other.verify() == []
    with pytest.raises(StateError) as caught:
        store.backup(copy)
    assert caught.value.code == "state.backup_failed"


def test_records_of_two_journals_become_durable_together(store: SqlStore) -> None:
    """Written together, the records of two stacks are all there; when one journal has lost its lease, none are."""
    with kit.held(store) as one, kit.held(store, "RUN2", "web/dev") as two:
        journals = [
            store.open_journal(kit.STACK, "RUN1", one.fence), store.open_journal("web/dev", "RUN2", two.fence),
            store.open_journal("web/dev", "RUN3", two.fence - 1),
        ]  # fmt: skip
        store.write_together((journals[0], [kit.opened()]), (journals[1], [kit.opened()]))
        with pytest.raises(StateError) as caught:
            store.write_together((journals[0], [kit.closed()]), (journals[2], [kit.opened()]))

    assert caught.value.code == "state.fenced"
    assert (store.records("RUN1"), store.records("RUN2")) == ([kit.opened()], [kit.opened()])
    assert store.verify() == []


def test_a_store_that_may_not_be_written_gets_no_advice_about_room(tmp_path: Path) -> None:
    """The file system is mounted for reading only, or the rights are missing: more room would not help."""
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as made:
        made.execute("CREATE TABLE one (number)")
    read_only = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    with closing(read_only), pytest.raises(sqlite3.OperationalError) as refused:
        read_only.execute("INSERT INTO one VALUES (1)")

    told = write_failed(path, refused.value)

    assert told.code == "state.write_failed"
    assert "room" not in told.hint
    assert f"findmnt -T {tmp_path}" in told.hint
