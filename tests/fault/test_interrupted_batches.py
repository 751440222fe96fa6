"""Batches that end before their end: what was at work is in doubt, what was not begun is known not to have been."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from purvey._apply import sending
from purvey._base.event import Message
from purvey._hosts.frames import Frame
from purvey._hosts.program import Program
from purvey._hosts.session import Session
from purvey._report.style import plain
from purvey._report.text import plan_page
from purvey.errors import HostError
from tests.fault.test_host_batches import goes_on, whole
from tests.support.boxes import AFTER, Box, Crash, begun, ctrl_c, last
from tests.support.project import Project
from tests.support.wire import Wire, WirePipes

LINE_0 = ["box-0/test.Entry::line-0"]


def addresses_in_doubt(box: Box) -> list[str]:
    """Whose end is not known."""
    return sorted(doubt.begun.address for doubt in box.project.state().in_doubt.values())


def results(box: Box) -> set[str]:
    """How the operations of the last run ended."""
    run = last(box.project).id
    return {change.result for change in box.project.session().show(run).changes}


def test_an_interrupted_batch_begins_nothing_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a command lets that one end, and none of the following begins before the resume."""
    box = begun(tmp_path / "box", monkeypatch)
    before = box.tree()
    box.disturb("line", 1, functools.partial(ctrl_c, box))
    box.project.watcher.react = box.see
    box.apply({**AFTER, "seconds": 0.5})
    box.rest()
    assert last(box.project).result == "interrupted"
    assert box.ledger() == box.lines()[:1]
    assert box.project.state().in_doubt == {}
    assert {"not begun", "failed"} & results(box) == {"not begun"}
    goes_on(box, box.apply, "succeeded")
    assert {"not begun", "failed"} & results(box) == set()
    whole(box, before)


def test_an_interrupted_batch_knows_what_was_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a command that takes long leaves that one alone in doubt; it ends by itself, and a resume does the rest."""
    box = begun(tmp_path / "box", monkeypatch)
    before = box.tree()
    monkeypatch.setattr(sending, "HALT_S", 0.0)
    box.disturb("line", 1, functools.partial(ctrl_c, box))
    box.project.watcher.react = box.see
    box.apply({**AFTER, "seconds": 1.0})
    box.rest()
    assert last(box.project).result == "interrupted"
    assert box.ledger() == []
    assert addresses_in_doubt(box) == LINE_0
    whole(box, before)


def test_what_a_machine_has_not_begun_is_not_done_to_find_that_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Purvey and the machine die during a command: that one is in doubt, and what came after it is recorded as not begun."""
    box = begun(tmp_path / "box", monkeypatch)

    def die(_: WirePipes | None) -> None:
        """Both at once."""
        box.power_off()
        box.die(Crash())

    box.disturb("line", 1, die)
    box.project.watcher.react = box.see
    with contextlib.suppress(Crash):
        box.apply({**AFTER, "seconds": 600.0})
    box.rest()
    assert len(addresses_in_doubt(box)) > 3

    with pytest.raises(HostError, match="A command was interrupted, and must not be run twice"):
        box.project.resume()

    assert addresses_in_doubt(box) == LINE_0
    assert box.ledger() == []
    told = [event.text for event in box.project.watcher.events if isinstance(event, Message)]
    assert "box-0: 16 operations that were interrupted were never begun there" in told


def test_a_machine_is_asked_once_and_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first run sends two programs, one that asks all there is to ask and one that does it all; a second one only asks.

    Each run enters the machine once.
    """
    box = Box(Project(tmp_path, monkeypatch), monkeypatch, {"machines": 1, "pages": 6})
    programs: list[Program] = []
    started: list[str] = []
    run, start = Session.run, Wire.start

    def counted(session: Session, program: Program, nonce: str, *, is_last: bool) -> AsyncGenerator[Frame]:
        """See `Session.run`."""
        programs.append(program)
        return run(session, program, nonce, is_last=is_last)

    async def entered(wire: Wire, command: str) -> WirePipes:
        """See `Wire.start`."""
        started.append(command)
        return await start(wire, command)

    monkeypatch.setattr(Session, "run", counted)
    monkeypatch.setattr(Wire, "start", entered)
    box.apply({})
    assert (len(programs), len(started)) == (2, 1)
    box.apply({})
    assert (len(programs), len(started)) == (3, 2)
    assert last(box.project).result == "succeeded"


def test_each_change_says_on_which_machine_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made, changed, found changed, removed and taken back; and so does the text that people read."""
    box = begun(tmp_path / "box", monkeypatch)
    project, session = box.project, box.project.session()
    first = project.plan(**AFTER)
    assert "files.File::page-3" in plain(plan_page(first))
    (project.folder / "site-0" / "0").write_text("by hand")

    plans = [first, session.drift(project.script_path), session.destroy_plan(project.target())]
    assert project.undo().result == "undone"
    plans += project.approved[-1:]

    assert [{change.where for change in plan.changes} for plan in plans] == [{"box-0"}] * 4
    assert {change.action for plan in plans for change in plan.changes} >= {"create", "update", "delete"}
