"""Integrity and history: what must hold of every state, and what a run's records tell."""

from __future__ import annotations

import msgspec

from purvey._report.run_text import sum_of
from purvey._state.check import violations
from purvey._state.history import history
from purvey._state.record import Record, Unmade
from purvey._state.state import InDoubt, State, fold
from tests.unit.state import kit


def test_a_state_from_records_is_sound() -> None:
    """What the fold of a whole story gives breaks no rule."""
    home = kit.resource("home")
    inside = kit.resource("inside", container=home.address)

    assert violations(fold([kit.begun("a", home), kit.succeeded("a", home), kit.begun("b", inside)])) == []
    assert violations(State([home, inside])) == []


def test_each_broken_rule_is_told() -> None:
    """A misfiled object, an unreserved generation and a doubt without its begin are named; a missing container is sound."""
    state = State([kit.resource("inside", container="files.Directory::home")])
    state.resources["files.File::other", 2] = kit.resource("web")
    state.in_doubt["b"] = InDoubt(kit.begun("a", kit.resource("web")))

    assert violations(state) == [
        "files.File::other #2 is filed under another object's key",
        "files.File::other #2 is above the highest generation reserved",
        "operation b is in doubt without a begin",
    ]


def test_the_older_object_is_found_while_both_live() -> None:
    """A replacement has two objects for a while; when the newer goes, the older is the latest again."""
    old, new = kit.resource("web", generation=1), kit.resource("web", generation=2)
    state = State([old, new])

    assert (state.latest(new.address), state.older()) == (new, [old])
    state.apply(kit.noted("forgotten", new))
    assert (state.latest(new.address), state.older()) == (old, [])
    assert state.generations == {new.address: 2}


def test_a_copy_is_independent() -> None:
    """Records applied to a copy leave the original as it was."""
    state = State([kit.resource("web")])
    twin = state.copy()

    twin.apply(kit.noted("forgotten", kit.resource("web")))

    assert twin.current() == {}
    assert list(state.current()) == ["files.File::web"]


def test_a_run_is_told_from_its_records() -> None:
    """Each operation is one line with its end; checks and adoptions are told too; the cause is the run's last word."""
    web, db = kit.resource("web"), kit.resource("db")
    told = history(
        "RUN1",
        "shop/dev",
        [
            kit.opened(at=10.0),
            kit.begun("a", web),
            kit.succeeded("a", web, attempts=2, seconds=1.5),
            kit.begun("b", db),
            kit.failed("b", db),
            kit.noted("checked", db, ok=False, detail="503"),
            kit.begun("c", web, "undo", undoes="a"),
            kit.closed("undone", at=20.0),
        ],
    )

    assert (told.id, told.stack, told.env, told.verb, told.result) == ("RUN1", "shop", "dev", "apply", "undone")
    assert (told.started, told.ended, told.user, told.machine) == (10.0, 20.0, "ada", "engine")
    assert [(change.address[12:], change.action, change.result) for change in told.changes] == [
        ("web", "create", "done"),
        ("db", "create", "failed"),
        ("db", "check", "failed"),
        ("web", "undo", "in doubt"),
    ]
    assert (told.changes[0].attempts, told.changes[0].seconds, told.changes[1].code) == (2, 1.5, "timeout")
    assert told.changes[3].undoes == "create"
    assert told.resumed is None


def test_a_run_says_when_it_was_taken_up_again() -> None:
    """The last time counts, whether it was ended before or killed."""
    records: list[Record] = [
        kit.opened(at=10.0), kit.closed("interrupted", at=20.0), kit.opened(at=500.0), kit.opened(at=900.0),
        kit.closed("succeeded", at=901.0),
    ]  # fmt: skip

    told = history("RUN1", "shop/dev", records)

    assert (told.started, told.resumed, told.ended) == (10.0, 900.0, 901.0)


def test_what_failed_before_it_was_begun_is_told_once() -> None:
    """Only the run's last word knows of it; a run that goes on has another one."""
    silent = Unmade(address="web", verb="delete", code="unavailable", detail="No route to host.")
    ends: list[Record] = [kit.opened(), msgspec.structs.replace(kit.closed("partial"), unmade=(silent,))]

    (change,) = history("RUN1", "shop/dev", ends).changes
    assert (change.address, change.action, change.result) == ("web", "delete", "failed")
    assert (change.code, change.detail) == ("unavailable", "No route to host.")
    assert history("RUN1", "shop/dev", [*ends, kit.opened()]).changes == ()


def test_what_a_machine_never_came_to_is_no_failure() -> None:
    """It is told as not begun where nothing followed, and not at all where it was done, or failed, later in the run."""
    web, db, cache = kit.resource("web"), kit.resource("db"), kit.resource("cache")
    told = history(
        "RUN1",
        "shop/dev",
        [
            kit.opened(),
            *(kit.begun(operation, item) for operation, item in (("a", web), ("b", db), ("c", cache))),
            *(kit.failed(operation, item, unbegun=True) for operation, item in (("a", web), ("b", db), ("c", cache))),
            *(kit.begun("d", web), kit.succeeded("d", web), kit.begun("e", db), kit.failed("e", db)),
        ],
    )

    assert [(change.address[12:], change.result, change.code) for change in told.changes] == [
        ("cache", "not begun", ""),
        ("web", "done", ""),
        ("db", "failed", "timeout"),
    ]
    assert sum_of(told.changes) == "1 not begun, 1 created, 1 create failed"
