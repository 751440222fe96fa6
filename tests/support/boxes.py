"""Machines at work for a project in the test's own process, disturbed at a journal write or at a frame that they send.

Each machine is a real shell of this one, under a name of its own. Its once-only commands leave a line each time that they run,
so that a second time would be seen, and so would one that never came.
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
from typing import Any, Final

import pytest

from purvey._apply.sending import HALT_S
from purvey._base.clock import SystemClock
from purvey._base.event import Event, OperationProgress
from purvey._base.limits import HEARTBEAT_S
from purvey._hosts.shell import Pipes
from purvey._state.journal import Journal
from purvey._state.store import RunRow
from purvey.errors import HostError, StateError
from tests.conftest import FULL
from tests.support.project import Project
from tests.support.wire import Wire, WirePipes
from tests.unit.hosts.waiting import until

SCRIPT: Final = """
from pathlib import Path

from purvey import Chroot, Options, scope, stack
from purvey.resources import files
from tests.support.ledger import Entry

HERE = Path(__file__).parent


@stack
def main(text: str = "one", more: bool = False, seconds: float = 0.0, machines: int = 1, pages: int = 6) -> None:
    for m in range(machines):
        box = Chroot(f"/srv/box-{m}", name=f"box-{m}")
        with scope(box.name):
            site = files.Directory("site", path=str(HERE / f"site-{m}"), on=box)
            for n in range(pages if more else pages // 2):
                page = files.File(f"page-{n}", path=f"{site.path}/{n}", content=f"{text} {n}", on=box)
                if more:
                    line = Entry(
                        f"line-{n}", line=f"line {m}.{n}", ledger=str(HERE / f"ledger-{m}"), seconds=seconds, on=box,
                        opts=Options(after=[page]),
                    )
                    files.Link(f"link-{n}", path=f"{site.path}/to-{n}", target=str(n), on=box, opts=Options(after=[line]))
"""
WRITE, WRITE_NOW = Journal.write, Journal.write_now
AFTER: Final[dict[str, Any]] = {"text": "two", "more": True}
SAMPLE: Final = 2
"""Points of each sort that are tried with one seed."""

LIKELY: Final = 30
"""Points among which a sample is taken; where a run has fewer, the last ones leave it undisturbed."""


class Crash(BaseException):
    """The process ends here: nothing that it does afterwards has an effect."""


class ShortClock(SystemClock):
    """A clock of short pauses; those of a heartbeat stay, and the moment that a machine at work gets to end."""

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        await super().sleep(seconds if seconds in (HEARTBEAT_S, HALT_S) else min(seconds, 0.01))


class Box:
    """A project, its machines, and at which point it is disturbed.

    Args:
        project: The project.
        monkeypatch: Puts the points into the way.
        size: How many machines, with how many pages each, as parameters of the script.

    Attributes:
        first: The run that made the first state.
        passed: How many points of each sort there were: ``write``, ``frame``.
    """

    def __init__(self, project: Project, monkeypatch: pytest.MonkeyPatch, size: dict[str, int]) -> None:
        self.project = project
        self.size = size
        self.stop: Callable[[], object] = lambda: None
        self.first = ""
        self.passed: Counter[str] = Counter()
        self._plan: tuple[str, int, Callable[[WirePipes | None], None]] | None = None
        self._dead: BaseException | None = None
        self._is_gone = False
        self._pipes: WirePipes | None = None
        home = project.folder / "own"
        home.mkdir()
        project.clock = ShortClock()  # type: ignore[assignment]
        project.write(SCRIPT, prelude="")
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setattr(
            "purvey._hosts.pool.Pool._made", lambda *_: Reachable(Wire(home, self._at_frame), lambda: self._is_gone)
        )
        monkeypatch.setattr(Journal, "write", self._writing())
        monkeypatch.setattr(Journal, "write_now", self._writing_now())

    def disturb(self, sort: str, number: int, act: Callable[[WirePipes | None], None]) -> None:
        """Act at a point, the first one being number 1."""
        self.passed.clear()
        self._plan = (sort, number, act)

    def apply(self, parameters: dict[str, Any] = AFTER) -> None:
        """Apply in a session that can be asked to stop."""
        session = self._session()
        given = {**self.size, **parameters}
        session.apply(self.project.script_path, approve=self.project.approve, parameters=given, final="allow")

    def undo(self) -> None:
        """Take the last run back, in such a session."""
        self._session().undo(self.project.target(), approve=self.project.approve, final="allow")

    def destroy(self) -> None:
        """Remove everything, in such a session."""
        self._session().destroy(self.project.target(), approve=self.project.approve)

    def _session(self) -> Any:
        session = self.project.session()
        self.stop = session.interrupt
        return session

    def runs(self) -> int:
        """How many runs there were that got so far as to begin something."""
        store = self.project.store()
        try:
            return sum(run.result != "refused" for run in store.runs("main/dev", 100))
        finally:
            store.close()

    def leave(self) -> None:
        """No machine can be reached any more."""
        self._is_gone = True

    @property
    def was_disturbed(self) -> bool:
        """Whether the point came."""
        return self._plan is not None and self.passed[self._plan[0]] >= self._plan[1]

    def rest(self) -> None:
        """Disturb nothing any more: a new process, and machines that can be reached."""
        self._plan = self._dead = None
        self._is_gone = False

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
        """Everything in the sites, with modes and contents."""
        folder = self.project.folder
        return {
            str(path.relative_to(folder)): (path.lstat().st_mode, str(path.readlink()) if path.is_symlink() else _content(path))
            for site in sorted(folder.glob("site-*"))
            for path in [site, *sorted(site.rglob("*"))]
        }

    def ledger(self) -> list[str]:
        """The lines that were left, machine after machine."""
        paths = sorted(self.project.folder.glob("ledger-*"))
        return [line for path in paths for line in path.read_text().splitlines()]

    def lines(self) -> list[str]:
        """The lines of a whole run."""
        return [f"line {m}.{n}" for m in range(self.size["machines"]) for n in range(self.size["pages"])]

    def see(self, event: Event) -> None:
        """A point of the sort ``line`` is where a command is told to run."""
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
        pipes.is_cut = pipes.is_cut or self._is_gone
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


class Reachable:
    """See `purvey._hosts.shell.Shell`; a way that may be lost for longer.

    Args:
        wire: The way.
        is_gone: Whether it is lost now.
    """

    lasts = True

    def __init__(self, wire: Wire, is_gone: Callable[[], bool]) -> None:
        self._wire = wire
        self._is_gone = is_gone

    def is_queued(self, waiting: int) -> bool:
        """See `Shell.is_queued`."""
        return self._wire.is_queued(waiting)

    async def start(self, command: str) -> WirePipes:
        """See `Shell.start`.

        Raises:
            HostError: ``unavailable`` while it is lost.
        """
        if self._is_gone():
            raise HostError("unavailable", "A machine cannot be reached", detail="A test says so.")
        return await self._wire.start(command)

    async def park(self, pipes: Pipes) -> None:
        """See `Shell.park`."""
        await self._wire.park(pipes)

    def resume(self, pipes: Pipes) -> bool:
        """See `Shell.resume`."""
        return self._wire.resume(pipes)

    async def close(self) -> None:
        """See `Shell.close`."""
        await self._wire.close()


def begun(folder: Path, monkeypatch: pytest.MonkeyPatch, *, machines: int = 1, pages: int = 6) -> Box:
    """New machines, on which the first state is there."""
    folder.mkdir()
    made = Box(Project(folder, monkeypatch), monkeypatch, {"machines": machines, "pages": pages})
    made.apply({})
    assert last(made.project).result == "succeeded"
    made.first = last(made.project).id
    return made


def last(project: Project) -> RunRow:
    """The last run."""
    store = project.store()
    try:
        return store.runs("main/dev", 1)[0]
    finally:
        store.close()


def points(seed: str, disturbed: Callable[[int], bool]) -> None:
    """Try every point until one does not come, or a sample of them.

    Args:
        seed: Chooses the sample.
        disturbed: Tries one; whether it came.
    """
    if not FULL:
        for number in sorted(random.Random(seed).sample(range(1, LIKELY), SAMPLE)):
            disturbed(number)
        return
    number = 1
    while disturbed(number):
        number += 1


def attempt(box: Box, sort: str, number: int, act: Callable[[Box, WirePipes | None], None], does: Callable[[], None]) -> bool:
    """Do something that is disturbed at a point; whether the point came."""
    box.disturb(sort, number, functools.partial(act, box))
    with contextlib.suppress(Crash, StateError, HostError):
        does()
    came = box.was_disturbed
    box.rest()
    return came


def alternating(ledger: list[str], line: str) -> bool:
    """Whether a command and the one that takes it back ran by turns, beginning with the former."""
    told = [item for item in ledger if item.removeprefix("no ") == line]
    return told == [(line, f"no {line}")[turn % 2] for turn in range(len(told))]


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


def gone(box: Box, pipes: WirePipes | None) -> None:
    """No machine can be reached, from now on."""
    box.leave()
    if pipes is not None:
        pipes.is_cut = True


FAULTS: Final = [
    ("write", crash), ("write", full), ("write", ctrl_c), ("write", gone), ("frame", crash), ("frame", cut), ("frame", ctrl_c),
    ("frame", gone),
]  # fmt: skip
"""Every fault, with the points at which it comes."""
