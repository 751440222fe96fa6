"""Batches on machines, disturbed at a journal write or at a frame of a machine; then a resume alone makes them whole.

Updates, undos and removals, on one machine and on several at once; `tests.support.boxes` says how they are disturbed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from purvey._state.store import UNFINISHED
from tests.support.boxes import AFTER, FAULTS, Box, alternating, attempt, begun, gone, last, points
from tests.support.wire import WirePipes

Act = Callable[[Box, WirePipes | None], None]

FLEET = {"machines": 3, "pages": 2}


def named(given: object) -> str:
    """How a fault is called in the name of a test."""
    return given if isinstance(given, str) else given.__name__  # type: ignore[attr-defined]


def goes_on(box: Box, again: Callable[[], None], result: str) -> None:
    """Resume until there is nothing to resume, and do it again where a run ended otherwise."""
    for _ in range(4):
        run = last(box.project)
        if run.result == result and run.id != box.first:
            break
        if run.result in UNFINISHED and run.id != box.first:
            box.project.resume()
        else:
            again()
    assert last(box.project).result == result
    box.project.require_sound()


def whole(box: Box, before: dict[str, object]) -> None:
    """Everything is as if nothing had happened, and can be taken back.

    Where the disturbed run ended for good, for its machine could not even be reached to take it back, another one has done the
    rest: then not one of the two can bring back what was before both, and all is removed instead.
    """
    goes_on(box, box.apply, "succeeded")
    require_applied(box, before)
    if box.runs() == 2:  # The first one, and the disturbed one.
        box.undo()
        require_undone(box, before)
    else:
        box.destroy()
        require_removed(box)


def require_removed(box: Box) -> None:
    """Nothing is left, and every command was taken back."""
    assert last(box.project).result == "succeeded"
    assert box.tree() == {}
    assert box.project.state().resources == {}
    ledger = box.ledger()
    assert all(alternating(ledger, line) and ledger.count(line) == ledger.count(f"no {line}") for line in box.lines())
    box.project.require_sound()


def require_applied(box: Box, before: dict[str, object]) -> None:
    """Every page is new, every link is there, and every command ran last."""
    mode = before["site-0/0"][0]  # type: ignore[index]
    wished: dict[str, object] = {name: item for name, item in before.items() if "/" not in name}
    for m in range(box.size["machines"]):
        for n in range(box.size["pages"]):
            wished[f"site-{m}/{n}"] = (mode, f"two {n}".encode())
            wished[f"site-{m}/to-{n}"] = (0o120777, str(n))
    assert box.tree() == wished
    ledger = box.ledger()
    assert all(alternating(ledger, line) and ledger.count(line) == ledger.count(f"no {line}") + 1 for line in box.lines())


def require_undone(box: Box, before: dict[str, object]) -> None:
    """Everything is as it was, and every command was taken back."""
    assert last(box.project).result == "undone"
    assert box.tree() == before
    ledger = box.ledger()
    assert all(alternating(ledger, line) and ledger.count(line) == ledger.count(f"no {line}") for line in box.lines())
    box.project.require_sound()


@pytest.mark.parametrize(("sort", "act"), FAULTS, ids=named)
def test_a_disturbed_batch_is_whole_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sort: str, act: Act, seed: int
) -> None:
    """Whatever is disturbed at whichever point: once-commands ran once, and an undo restores byte for byte."""

    def disturbed(number: int) -> bool:
        """Disturb one point."""
        box = begun(tmp_path / str(number), monkeypatch)
        before = box.tree()
        came = attempt(box, sort, number, act, box.apply)
        whole(box, before)
        return came

    points(f"{seed} {sort} {named(act)}", disturbed)


@pytest.mark.parametrize(("sort", "act"), FAULTS, ids=named)
def test_a_disturbed_undo_is_whole_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sort: str, act: Act, seed: int
) -> None:
    """An undo that is disturbed at whichever point goes on: everything is as it was, and nothing is taken back twice."""

    def disturbed(number: int) -> bool:
        """Disturb one point."""
        box = begun(tmp_path / str(number), monkeypatch)
        before = box.tree()
        box.apply()
        came = attempt(box, sort, number, act, box.undo)
        goes_on(box, box.undo, "undone")
        require_undone(box, before)
        assert sorted(box.ledger()) == sorted([*box.lines(), *(f"no {line}" for line in box.lines())])
        return came

    points(f"{seed} {sort} {named(act)}", disturbed)


@pytest.mark.parametrize(("sort", "act"), FAULTS, ids=named)
def test_a_disturbed_removal_is_whole_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sort: str, act: Act, seed: int
) -> None:
    """A removal that is disturbed at whichever point goes on: nothing is left, and nothing is removed twice."""

    def disturbed(number: int) -> bool:
        """Disturb one point."""
        box = begun(tmp_path / str(number), monkeypatch)
        box.apply()
        box.first = last(box.project).id
        came = attempt(box, sort, number, act, box.destroy)
        goes_on(box, box.destroy, "succeeded")
        assert box.tree() == {}
        assert box.project.state().resources == {}
        assert sorted(box.ledger()) == sorted([*box.lines(), *(f"no {line}" for line in box.lines())])
        return came

    points(f"{seed} {sort} {named(act)}", disturbed)


@pytest.mark.parametrize(("sort", "act"), FAULTS, ids=named)
def test_several_machines_are_whole_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sort: str, act: Act, seed: int
) -> None:
    """Where several machines are at work when it happens, each of them is made whole, and taken back."""

    def disturbed(number: int) -> bool:
        """Disturb one point."""
        box = begun(tmp_path / str(number), monkeypatch, **FLEET)
        before = box.tree()
        came = attempt(box, sort, number, act, box.apply)
        whole(box, before)
        return came

    points(f"{seed} {sort} {named(act)}", disturbed)


def test_a_machine_that_is_lost_while_it_is_asked_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whichever frame of the answers is the last one: nothing is taken for gone, nothing is changed, and later all is well."""

    def disturbed(number: int) -> bool:
        """Lose the machines at one frame of a plan."""
        box = begun(tmp_path / str(number), monkeypatch, **FLEET)
        before = box.tree()
        found: list[str] = []

        def plan() -> None:
            """Plan what would change the pages and make the links."""
            planned = box.project.plan(**box.size, **AFTER)
            found.extend(change.address for change in planned.changes if change.action in ("delete", "replace"))
            found.extend(change.cause for change in planned.changes if change.cause == "it is gone")

        came = attempt(box, "frame", number, gone, plan)
        assert found == []
        assert box.tree() == before
        whole(box, before)
        return came

    points(f"{seed}", disturbed)
