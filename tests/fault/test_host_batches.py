"""Batches on a machine, disturbed at a journal write or at a frame of the machine; then a resume alone makes them whole.

The machine is a real shell of this one. Its once-only commands leave a line each time that they run, so that a second time
would be seen, and so would one that never came.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from purvey._apply import sending
from purvey._base.clock import SystemClock
from purvey._base.event import Event, Message, OperationProgress
from purvey._report.style import plain
from purvey._report.text import plan_page
from purvey._state.journal import Journal
from purvey._state.store import UNFINISHED, RunRow
from purvey.errors import HostError, StateError
from tests.support.project import Project
from tests.support.wire import Wire, WirePipes
from tests.unit.hosts.waiting import until

SCRIPT = """
from pathlib import Path

from purvey import Chroot, Options, stack
from purvey.resources import files
from tests.support.ledger import Entry

HERE = Path(__file__).parent


@stack
def main(text: str = "one", more: bool = False, seconds: float = 0.0) -> None:
    box = Chroot("/", name="box")
    site = files.Directory("site", path=str(HERE / "site"), on=box)
    for n in range(6 if more else 3):
        page = files.File(f"page-{n}", path=f"{site.path}/{n}", content=f"{text} {n}", on=box)
        if more:
            line = Entry(
                f"line-{n}", line=f"line {n}", ledger=str(HERE / "ledger"), seconds=seconds, on=box, opts=Options(after=[page])
            )
            files.Link(f"link-{n}", path=f"{site.path}/to-{n}", target=str(n), on=box, opts=Options(after=[line]))
"""
WRITE, WRITE_NOW = Journal.write, Journal.write_now
LINES = [f"line {n}" for n in range(6)]
AFTER = {"text": "two", "more": True}


class Crash(BaseException):
    """The process ends here: nothing that it does afterwards has an effect."""


class ShortClock(SystemClock):
    """A clock of short pauses; those of a heartbeat stay."""

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await super().sleep(seconds if seconds > 2 else min(seconds, 0.01))


class Box:
    """A project, its machine, and at which point it is disturbed.

    Attributes:
        first: The run that made the first state.
        passed: How many points of each sort there were: ``write``, ``frame``.
    """

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project = project
        self.first = ""
        self.passed: Counter[str] = Counter()
        self._plan: tuple[str, int, Callable[[WirePipes | None], None]] | None = None
        self._dead: BaseException | None = None
        self._pipes: WirePipes | None = None
        home = project.folder / "own"
        home.mkdir()
        project.clock = ShortClock()  # type: ignore[assignment]
        project.write(SCRIPT, prelude="")
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setattr("purvey._hosts.pool.Pool._made", lambda *_: Wire(home, self._at_frame))
        monkeypatch.setattr(Journal, "write", self._writing())
        monkeypatch.setattr(Journal, "write_now", self._writing_now())

    def disturb(self, sort: str, number: int, act: Callable[[WirePipes | None], None]) -> None:
        """Act at a point, the first one being number 1."""
        self.passed.clear()
        self._plan = (sort, number, act)

    def apply(self, parameters: dict[str, Any]) -> None:
        """Apply in a session that can be asked to stop."""
        session = self.project.session()
        self.stop = session.interrupt
        session.apply(self.project.script_path, approve=self.project.approve, parameters=parameters, final="allow")

    def rest(self) -> None:
        """Disturb nothing any more: a new process."""
        self._plan = self._dead = None

    def die(self, error: BaseException) -> None:
        """Let this and every later write fail.

        Raises:
            BaseException: that error.
        """
        self._dead = error
        raise error

    def power_off(self) -> None:
        """Kill whatever the machine is working on, and what that has begun meanwhile."""
        assert until(lambda: not self._killed())

    def _killed(self) -> list[int]:
        """The processes of its session that were there to be killed."""
        assert self._pipes is not None
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                words = stat.read_text().rpartition(")")[2].split()
                if int(words[3]) == self._pipes._pid and words[0] not in "ZX":
                    os.kill(int(stat.parent.name), signal.SIGKILL)
                    found.append(int(stat.parent.name))
        return found

    def tree(self) -> dict[str, object]:
        """Everything in the site, with modes and contents."""
        site = self.project.folder / "site"
        return {
            str(path.relative_to(site)): (path.lstat().st_mode, str(path.readlink()) if path.is_symlink() else _content(path))
            for path in [site, *sorted(site.rglob("*"))]
        }

    def ledger(self) -> list[str]:
        """The lines that were left."""
        path = self.project.folder / "ledger"
        return path.read_text().splitlines() if path.exists() else []

    def see(self, event: Event) -> None:
        """A point of the sort ``line`` is where a command is told to run, which one that takes a while is."""
        if isinstance(event, OperationProgress):
            self._reach("line", None)

    def _reach(self, sort: str, pipes: WirePipes | None) -> None:
        self.passed[sort] += 1
        if self._plan is not None and self._plan[:2] == (sort, self.passed[sort]):
            self._plan[2](pipes)

    def _at_frame(self, pipes: WirePipes) -> None:
        if self._dead is not None:
            raise self._dead
        self._pipes = pipes
        self._reach("frame", pipes)

    def _writing(self) -> Callable[..., Any]:
        async def write(journal: Any, *records: Any) -> None:
            """Two points: before and after."""
            self._pass()
            await WRITE(journal, *records)
            self._pass()

        return write

    def _writing_now(self) -> Callable[..., Any]:
        def write_now(journal: Any, *records: Any) -> None:
            """As the other one."""
            self._pass()
            WRITE_NOW(journal, *records)
            self._pass()

        return write_now

    def _pass(self) -> None:
        if self._dead is not None:
            raise self._dead
        self._reach("write", None)


def _content(path: Path) -> bytes:
    return b"" if path.is_dir() else path.read_bytes()


def begun(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A new machine, on which the first state is there."""
    folder.mkdir()
    made = Box(Project(folder, monkeypatch), monkeypatch)
    assert made.project.apply().result == "succeeded"
    made.first = last(made.project).id
    return made


def whole(box: Box, before: dict[str, object]) -> None:
    """Resume until there is nothing to resume; then everything is as if nothing had happened, and it can be taken back."""
    project = box.project
    box.rest()
    for _ in range(3):
        run = last(project)
        if run.id == box.first or run.result == "refused":  # It ended before anything was to be done.
            project.apply(parameters=AFTER)
        elif run.result in UNFINISHED:
            project.resume()
    assert last(project).result == "succeeded"
    assert sorted(box.ledger()) == LINES
    assert box.tree() == before | {
        **{str(n): (before["0"][0], f"two {n}".encode()) for n in range(6)},  # type: ignore[index]
        **{f"to-{n}": (0o120777, str(n)) for n in range(6)},
    }  # fmt: skip
    project.require_sound()
    assert project.undo().result == "undone"
    assert box.tree() == before
    assert sorted(box.ledger()) == sorted([*LINES, *(f"no {line}" for line in LINES)])
    project.require_sound()


def last(project: Project) -> RunRow:
    """The last run."""
    store = project.store()
    try:
        return store.runs("main/dev", 1)[0]
    finally:
        store.close()


def test_an_undisturbed_batch_has_no_more_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing happens all ends well, and there are not more points than are tried below."""
    box = begun(tmp_path / "box", monkeypatch)
    before = box.tree()
    box.passed.clear()
    assert box.project.apply(parameters=AFTER).result == "succeeded"
    assert box.passed["write"] < WRITES
    assert box.passed["frame"] < FRAMES
    whole(box, before)


def test_a_machine_is_asked_once_and_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A first run sends two programs, one that asks all there is to ask and one that does it all; a second one only asks."""
    box = Box(Project(tmp_path, monkeypatch), monkeypatch)
    programs: list[str] = []
    start = Wire.start

    async def counted(wire: Wire, command: str) -> WirePipes:
        """See `Wire.start`."""
        programs.append(command)
        return await start(wire, command)

    monkeypatch.setattr(Wire, "start", counted)
    assert box.project.apply().result == "succeeded"
    assert len(programs) == 2
    assert box.project.apply().result == "succeeded"
    assert len(programs) == 3


WRITES = 50
FRAMES = 45
"""More than a run of the script has: a point that does not come leaves it undisturbed."""

FULL = bool(os.environ.get("PURVEY_TEST_FULL"))
SAMPLE = 3
"""Points of each sort that are tried with one seed."""


def crash(box: Box, pipes: WirePipes | None) -> None:
    """The process ends."""
    box.die(Crash())


def full(box: Box, pipes: WirePipes | None) -> None:
    """The disk is full, from now on."""
    box.die(StateError("state.write_failed", "The store cannot be written", detail="The disk is full."))


def cut(box: Box, pipes: WirePipes | None) -> None:
    """The link breaks."""
    assert pipes is not None
    pipes.is_cut = True


def ctrl_c(box: Box, pipes: WirePipes | None) -> None:
    """Somebody asks to stop."""
    box.stop()


FAULTS = [("write", crash), ("write", full), ("write", ctrl_c), ("frame", crash), ("frame", cut), ("frame", ctrl_c)]


@pytest.mark.parametrize(("sort", "act"), FAULTS, ids=lambda given: given if isinstance(given, str) else given.__name__)
def test_a_disturbed_batch_is_whole_after_a_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sort: str, act: Callable[[Box, WirePipes | None], None], seed: int
) -> None:
    """Whatever is disturbed at whichever point: once-commands ran once, and an undo restores byte for byte."""
    every = range(1, WRITES if sort == "write" else FRAMES)
    for number in every if FULL else sorted(random.Random(f"{seed} {sort} {act.__name__}").sample(every, SAMPLE)):
        box = begun(tmp_path / str(number), monkeypatch)
        before = box.tree()
        box.disturb(sort, number, functools.partial(act, box))
        with contextlib.suppress(Crash, StateError):
            box.apply(AFTER)
        whole(box, before)


def test_an_interrupted_batch_begins_nothing_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a command lets that one end, and none of the following begins before the resume."""
    box = begun(tmp_path / "box", monkeypatch)
    before = box.tree()
    box.disturb("line", 1, functools.partial(ctrl_c, box))
    box.project.watcher.react = box.see
    box.apply({**AFTER, "seconds": 0.5})
    assert last(box.project).result == "interrupted"
    assert box.ledger() == LINES[:1]
    assert box.project.state().in_doubt == {}
    whole(box, before)


LINE_0 = ["test.Entry::line-0"]


def test_an_interrupted_batch_knows_what_was_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C during a command that takes long leaves that one alone in doubt; it ends by itself, and a resume does the rest."""
    box = begun(tmp_path / "box", monkeypatch)
    before = box.tree()
    monkeypatch.setattr(sending, "HALT_S", 0.0)
    box.disturb("line", 1, functools.partial(ctrl_c, box))
    box.project.watcher.react = box.see
    box.apply({**AFTER, "seconds": 1.0})
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
    assert "box: 16 operations that were interrupted were never begun there" in told


def test_each_change_says_on_which_machine_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is made, changed, found changed, removed and taken back; and so does the text that people read."""
    box = begun(tmp_path / "box", monkeypatch)
    project, session = box.project, box.project.session()
    first = project.plan(**AFTER)
    assert "files.File::page-3" in plain(plan_page(first))
    assert "  on box  declared at main.py" in plain(plan_page(first))
    (project.folder / "site" / "0").write_text("by hand")

    plans = [first, session.drift(project.script_path), session.destroy_plan(project.target())]
    assert project.undo().result == "undone"
    plans += project.approved[-1:]

    assert [{change.where for change in plan.changes} for plan in plans] == [{"box"}] * 4
    assert {change.action for plan in plans for change in plan.changes} >= {"create", "update", "delete"}


def addresses_in_doubt(box: Box) -> list[str]:
    """Whose end is not known."""
    return sorted(doubt.begun.address for doubt in box.project.state().in_doubt.values())
