"""Tags: an object that is tagged out is not begun on, by whomever, and everything else goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from purvey._state.tag_out import TagOut
from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from purvey._state.sql.store import SqlStore

ADDRESS = kit.resource("a").address
TAG = TagOut(address=ADDRESS, reason="being repaired", user="ada", host="desk", at=5.0)


def test_nothing_begins_on_a_tagged_object(store: SqlStore) -> None:
    """The begin is refused in the transaction that would write it, and the run's other records are written all the same."""
    with kit.held(store) as lease:
        journal = store.open_journal(kit.STACK, "RUN1", lease.fence)
        journal.write_now(kit.opened(), *kit.created("a"))
        store.tag_out(kit.STACK, TAG)

        with pytest.raises(StateError) as caught:
            journal.write_now(kit.begun("op2", kit.resource("a")))
        journal.write_now(*kit.created("b"))

    assert caught.value.code == "state.tagged_out"
    assert caught.value.address == ADDRESS
    assert "--release" in caught.value.hint
    assert {key[0] for key in store.load(kit.STACK).resources} == {ADDRESS, kit.resource("b").address}


def test_a_released_tag_blocks_nothing_and_is_remembered(store: SqlStore) -> None:
    """Who took it off, and when, stays to be read; the same object can be tagged again."""
    kit.write(store, kit.opened(), *kit.created("a"))
    store.tag_out(kit.STACK, TAG)

    assert store.release_tags(kit.STACK, ADDRESS, "bob", 9.0) == [TAG]
    assert store.release_tags(kit.STACK, ADDRESS, "bob", 9.0) == []
    (kept,) = store.tags(kit.STACK)
    assert (kept.released_by, kept.released_at, kept.reason) == ("bob", 9.0, "being repaired")
    kit.write(store, kit.begun("op2", kit.resource("a")), kit.succeeded("op2", kit.resource("a")))
    assert store.verify() == []


@pytest.mark.parametrize("change", ["UPDATE tag_out SET active = 0", "UPDATE tag_out SET address = 'test.Thing::b'",
                                    "UPDATE tag_out SET body = ?"])  # fmt: skip
def test_a_tag_that_was_edited_is_seen(store: SqlStore, place: kit.Place, change: str) -> None:
    """A tag does not disappear, move or change its words without being noticed."""
    kit.write(store, kit.opened(), *kit.created("a"))
    store.tag_out(kit.STACK, TAG)
    with kit.raw(place) as connection:
        (body,) = connection.execute("SELECT body FROM tag_out").fetchone()
        connection.execute(change, (body.replace(b"ada", b"eve"),) if "?" in change else ())

    with pytest.raises(StateError) as caught:
        store.tags(kit.STACK)

    assert caught.value.code == "state.tampered_row"
    assert any("Tag-out 1" in sentence for sentence in store.verify())
