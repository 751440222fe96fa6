"""Owners: of two stacks that take one object over at the same time, the second to write is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from purvey._state.resource import ResourceState
    from purvey._state.sql.store import SqlStore

OTHER = "other/dev"


def _imported(store: SqlStore, *objects: ResourceState) -> None:
    """Another stack imports objects."""
    kit.write(store, kit.opened(), *(kit.noted("imported", item, state=item) for item in objects), run="RUN2", stack=OTHER)


@pytest.mark.parametrize("what", ["adopted", "imported"])
def test_what_another_stack_took_meanwhile_is_refused(store: SqlStore, what: str) -> None:
    """The refusal names the owner and is about the one object: the run's other records are written all the same."""
    mine, theirs = kit.resource("web"), kit.resource("there", id="/srv/web")
    with kit.held(store) as lease:
        journal = store.open_journal(kit.STACK, "RUN1", lease.fence, since=store.moment().sequence)
        journal.write_now(kit.opened())
        _imported(store, theirs)

        with pytest.raises(StateError) as caught:
            journal.write_now(kit.noted(what, mine, state=mine))
        journal.write_now(*kit.created("b"))

    assert (caught.value.code, caught.value.detail) == (
        "state.owned", "/srv/web was recorded as other/dev::files.File::there meanwhile.",
    )  # fmt: skip
    assert [item.id for item in store.load(kit.STACK).resources.values()] == ["/srv/b"]
    assert store.verify() == []


def test_only_an_object_in_the_same_place_is_the_same(store: SqlStore) -> None:
    """An id tells objects apart inside what they live in and on their machine; and of another kind it is another object."""
    shelf, inside = kit.resource("shelf", kind="own.Shelf"), kit.resource("in", id="/srv/web", container="files.File::shelf")
    with kit.held(store) as lease:
        journal = store.open_journal(kit.STACK, "RUN1", lease.fence, since=store.moment().sequence)
        _imported(store, shelf, inside, kit.resource("other", id="/srv/web", kind="own.Other"))
        _imported(store, kit.resource("there", id="/srv/web", where="box", machine="ab12"))

        journal.write_now(kit.opened(), kit.noted("imported", kit.resource("web"), state=kit.resource("web")))

    assert [item.id for item in store.load(kit.STACK).resources.values()] == ["/srv/web"]


def test_what_left_another_stack_meanwhile_is_free(store: SqlStore) -> None:
    """What counts is who has it when it is written."""
    with kit.held(store) as lease:
        journal = store.open_journal(kit.STACK, "RUN1", lease.fence, since=store.moment().sequence)
        _imported(store, kit.resource("web"))
        kit.write(store, kit.noted("forgotten", kit.resource("web")), run="RUN2", stack=OTHER)

        journal.write_now(kit.opened(), kit.noted("imported", kit.resource("web"), state=kit.resource("web")))

    assert [item.id for item in store.load(kit.STACK).resources.values()] == ["/srv/web"]
