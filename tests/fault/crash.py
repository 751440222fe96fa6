"""Kills a run at one point after another, goes on in a fresh process, and compares with a run that was left alone.

A *story* is a script, the verbs that lead up to the run under test, and that run's verb. Its points are every journal write
and every effect, before and after; see `tests.support.points`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from purvey._base.clock import SystemClock
from purvey._secrets.key import KeyRing
from purvey._state.check import violations
from purvey._state.open import find_at
from tests.support import points, world
from tests.support.project import PRELUDE

if TYPE_CHECKING:
    from purvey._state.store import Store
    from tests.support.database_server import DatabaseServer

ROOT = Path(__file__).resolve().parents[2]
POINTS_MAX = 400


class Act(NamedTuple):
    """One verb with the script's parameters."""

    verb: str
    parameters: dict[str, Any] = {}  # noqa: RUF012 - a default of a tuple's field is shared, and nobody changes it.


class Story(NamedTuple):
    """What is played: `before` undisturbed, then `act` disturbed."""

    script: str
    act: Act
    before: tuple[Act, ...] = ()
    faults: tuple[tuple[str, str], ...] = ()
    result: str = "succeeded"


class Ending(NamedTuple):
    """How the world and the record are in the end."""

    result: str
    objects: list[dict[str, Any]]
    effects: Counter[str]
    records: list[tuple[str, str]]
    orphans: list[str]


class Stage:
    """A folder in which a story is played, at the moment where the run under test begins.

    Args:
        folder: A folder to make.
        story: The story.
        server: Where its store is; None is the folder.
    """

    def __init__(self, folder: Path, story: Story, server: DatabaseServer | None = None) -> None:
        folder.mkdir()
        self._set(folder, story, server, server.new_database() if server else "")
        (folder / "main.py").write_text(PRELUDE + textwrap.dedent(story.script), encoding="utf-8")
        for act in story.before:
            assert self.play(act) == "succeeded"
        for verb, name in story.faults:
            self.world.fail(verb, name)
        self.runs = self._runs()

    def _set(self, folder: Path, story: Story, server: DatabaseServer | None, url: str) -> None:
        self.folder = folder
        self.story = story
        self.said = ""
        self.world = world.World(folder / "world.json")
        self._server = server
        self._url = url
        self._copies = count(1)

    def copy(self) -> Self:
        """The same moment in another folder, beside this one."""
        made = type(self).__new__(type(self))
        folder = self.folder.with_name(f"{self.folder.name}-{next(self._copies)}")
        shutil.copytree(self.folder, folder)
        made._set(folder, self.story, self._server, self._server.new_database(self._url) if self._server else "")
        made.runs = self.runs
        return made

    def clear(self) -> None:
        """Remove it; what went wrong before is kept, to be looked at."""
        shutil.rmtree(self.folder)
        if self._server:
            self._server.drop(self._url)

    def play(self, act: Act, point: int = 0, *, how: str = points.KILL) -> str | None:
        """How the run ended; None when it was killed at `point`. What it told is then in `said`."""
        result, self.said = heard(self.begin(act, **{how: str(point or "")}))
        return result

    def begin(self, act: Act, **variables: str) -> subprocess.Popen[str]:
        """A process that plays one verb, with more in its environment."""
        environment = {
            **os.environ, world.VARIABLE: str(self.world.path), "XDG_DATA_HOME": str(self.folder / "data"),
            "PYTHONPATH": f"{ROOT}/src:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1", "PURVEY_STORE": self._url, **variables,
        }  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", "tests.support.child", act.verb, str(self.folder), json.dumps(act.parameters)],
            env=environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def go_on(self) -> str:
        """Resume; a run that died before its first record is begun anew, and one that died after its last is over."""
        result = self.play(Act("resume"))
        if result in ("state.nothing_to_resume", "state.no_store", "state.no_such_stack"):
            now = self._runs()
            result = now[0][1] if now != self.runs else self.play(self.story.act)
        assert result is not None
        return result

    def _runs(self) -> list[tuple[str, str]]:
        """Id and result of each run, newest first."""
        store = self._store()
        try:
            return [(row.id, row.result) for row in store.runs(None, 100)] if store is not None else []
        finally:
            if store is not None:
                store.close()

    def _store(self) -> Store | None:
        keys = KeyRing({"XDG_DATA_HOME": str(self.folder / "data")}, clock=SystemClock())
        return find_at(self._url or self.folder / ".purvey", keys=keys, clock=SystemClock())

    def ending(self, result: str) -> Ending:
        """What is there now; the record must be sound."""
        store = self._store()
        assert store is not None
        try:
            state = store.load("main/dev")
            assert violations(state) == []
            assert store.verify() == []
            assert state.in_doubt == {}
            ids = {entry.id for entry in state.resources.values()}
            made = {key for key, entry in self.world.objects.items() if "kind" in entry}
            records = sorted((entry.address, entry.kind) for entry in state.resources.values())
        finally:
            store.close()
        return Ending(result, self.world.visible(), Counter(self.world.log), records, sorted(made - ids))


def ended(child: subprocess.Popen[str]) -> str | None:
    """How a process's run ended; None when the process was killed."""
    return heard(child)[0]


def heard(child: subprocess.Popen[str]) -> tuple[str | None, str]:
    """How a process's run ended (None when the process was killed), and what it told meanwhile."""
    result, told = child.communicate(timeout=120)
    if child.returncode == -signal.SIGKILL:
        return None, told
    assert child.returncode == 0, told
    return result, told


def undisturbed(start: Stage) -> Ending:
    """How the story ends when nobody dies."""
    stage = start.copy()
    result = stage.play(start.story.act)
    assert result == start.story.result
    return stage.ending(result)


def failed_at(start: Stage, point: int) -> Ending | None:
    """How the story ends when a write or a call fails at `point`, and is resumed; None when it ends before that point."""
    stage = start.copy()
    result = stage.play(start.story.act, point, how=points.FAIL)
    if points.MARK not in stage.said:
        return None
    for _ in range(3):
        if result in ("state.write_failed", "kept", "parked", "interrupted", "partial"):
            result = stage.go_on()
    assert result is not None
    return _end(stage, result)


def killed_at(start: Stage, point: int) -> Ending | None:
    """How the story ends when it is killed at `point` and resumed; None when it ends before that point."""
    stage = start.copy()
    if stage.play(start.story.act, point) is not None:
        return None
    return _end(stage, stage.go_on())


def _end(stage: Stage, result: str) -> Ending:
    ending = stage.ending(result)
    stage.clear()
    return ending


Note = Callable[[str, object], None]
"""Notes a figure of a test, for the sum at the end of the suite."""


def require_same(ending: Ending, expected: Ending, where: str, note: Note = lambda name, value: None) -> None:
    """The world and the record are as expected, no effect happened more often, and nothing lives that is not recorded."""
    doubled = {effect: count for effect, count in ending.effects.items() if count > expected.effects[effect]}
    note("faults", 1)
    note("duplicates", len(doubled))
    note("orphans", len(ending.orphans))
    assert not doubled, f"{where}: more often than undisturbed: {doubled}"
    assert not ending.orphans, where
    assert ending.objects == expected.objects, where
    assert ending.records == expected.records, where


def require_whole(ending: Ending, either: tuple[Ending, Stage], where: str, note: Note) -> None:
    """All is as after an undisturbed run or as before it, nothing is there twice, and nothing lives that is not recorded."""
    expected, before = either[0].objects, either[1].world.visible()
    note("faults", 1)
    note("duplicates", max(0, len(ending.objects) - max(len(expected), len(before))))
    note("orphans", len(ending.orphans))
    assert ending.result in ("succeeded", "undone"), where
    assert not ending.orphans, where
    assert ending.objects in (expected, before), where
