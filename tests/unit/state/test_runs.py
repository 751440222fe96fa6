"""Runs at a glance: listed, found by the beginning of their id, and known to be unfinished."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from purvey.errors import StateError
from tests.unit.state import kit

if TYPE_CHECKING:
    from purvey._state.sql.store import SqlStore


def test_a_run_is_told_in_one_row(store: SqlStore) -> None:
    """The row says who, what, when, how it ended, and how much it changed; what changed nothing is not counted."""
    web = kit.resource("web")
    kit.write(
        store, kit.opened("apply", at=10.0), *kit.created("db"), kit.begun("a", web),
        kit.succeeded("a", web, unchanged=True), kit.begun("b", kit.resource("x")), kit.failed("b", kit.resource("x")),
        kit.closed("kept", at=20.0), run="01ABC",
    )  # fmt: skip

    row = store.run("01ABC")

    assert (row.id, row.stack, row.verb, row.result) == ("01ABC", kit.STACK, "apply", "kept")
    assert (row.started, row.ended, row.user, row.machine, row.changes) == (10.0, 20.0, "ada", "engine", 1)


def test_a_resumed_run_is_open_again(store: SqlStore) -> None:
    """A second opening keeps when the run began, and takes its end back."""
    kit.write(store, kit.opened(at=10.0), kit.closed("interrupted", at=20.0))
    kit.write(store, kit.opened("resume", at=30.0))

    row = store.run("RUN1")

    assert (row.verb, row.result, row.started, row.ended) == ("apply", "", 10.0, None)
    assert store.verify() == []


def test_the_newest_runs_come_first(store: SqlStore) -> None:
    """Runs are listed newest first, of one stack or of all, up to the limit."""
    for number in range(4):
        kit.write(store, kit.opened(), kit.closed(), run=f"RUN{number}", stack=f"s{number % 2}/dev")

    assert [row.id for row in store.runs(None, 3)] == ["RUN3", "RUN2", "RUN1"]
    assert [row.id for row in store.runs("s0/dev", 9)] == ["RUN2", "RUN0"]
    assert store.runs("s9/dev", 9) == []


def test_later_runs_are_those_that_began_later(store: SqlStore) -> None:
    """It is the order in which the store saw them that counts, not their ids, which come from the clocks of many machines."""
    for run in ("RUN5", "RUN9", "RUN1", "RUN5"):
        kit.write(store, kit.opened(), kit.closed(), run=run)
    kit.write(store, kit.opened(), kit.closed(), run="RUN7", stack="other/dev")

    assert store.later("RUN5") == {"RUN9", "RUN1"}
    assert store.later("RUN1") == frozenset()
    assert store.later("unknown") == frozenset()


def test_a_run_is_found_by_the_beginning_of_its_id(store: SqlStore) -> None:
    """A unique beginning is enough, in either case; an ambiguous or unknown one is an error that helps."""
    for run in ("01AAA1", "01AAB2", "01AAB22"):
        kit.write(store, kit.opened(), run=run)

    assert store.run("01aaa").id == "01AAA1"
    assert store.run("01AAB2").id == "01AAB2"
    with pytest.raises(StateError) as several:
        store.run("01AAB")
    with pytest.raises(StateError) as none:
        store.run("02%")
    assert several.value.code == "state.ambiguous_run"
    assert "01AAB2, 01AAB22" in several.value.detail
    assert none.value.code == "state.no_such_run"


@pytest.mark.parametrize(
    ("result", "resumable"),
    [
        ("", True),
        ("interrupted", True),
        ("parked", True),
        ("kept", True),
        ("succeeded", False),
        ("undone", False),
        ("partial", False),
        ("superseded", False),
    ],
)
def test_an_unfinished_run_is_known(store: SqlStore, result: str, resumable: bool) -> None:
    """A run that is open, interrupted, parked or kept can be resumed; any other end is final."""
    kit.write(store, kit.opened(), *([kit.closed(result)] if result else []))

    assert [row.id for row in store.unfinished(kit.STACK)] == ["RUN1"] * resumable
    assert store.unfinished("other/dev") == []


def test_a_later_run_supersedes_under_its_own_lease(store: SqlStore) -> None:
    """The holder of the lease may write the end of an older run of its stack."""
    kit.write(store, kit.opened(), run="RUN1")

    with kit.held(store, "RUN2") as lease:
        store.open_journal(kit.STACK, "RUN1", lease.fence).write_now(kit.closed("superseded"))
        store.open_journal(kit.STACK, "RUN2", lease.fence).write_now(kit.opened())

    assert [row.id for row in store.unfinished(kit.STACK)] == ["RUN2"]
