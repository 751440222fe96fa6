"""A project in a folder: scripts, a world, a store, and the session's verbs on them."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from purvey import Session
from purvey._base.event import Event
from purvey._graph import Selection
from purvey._plan.plan import Plan
from purvey._session.target import Target
from purvey._state.check import violations
from purvey._state.history import RunHistory
from purvey._state.record import Record
from purvey._state.state import State
from purvey._state.store import Store
from tests.support import world
from tests.support.clock import VirtualClock

PRELUDE = """\
from typing import Annotated, Any, Literal
from purvey import (Options, Param, Secret, component, later, lookup, param, scope, secret, sha256, stack, stack_output,
                    step, to_base64, to_json, value)
from tests.support.kinds import Book, Lock, Lost, Port, Probe, Rack, Safe, Server, Shelf, Slow, Tag, Tagged, Thing
from tests.support.world import here
"""


class Watcher:
    """An observer that keeps every event, and lets a test act on one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.react: Callable[[Event], None] = lambda event: None

    def on(self, event: Event, /) -> None:
        """Keep it."""
        self.events.append(event)
        self.react(event)


class Project:
    """A project folder with a world beside it; the environment of this process points there.

    Args:
        folder: An empty folder.
        monkeypatch: Sets the environment.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.world = world.World(folder / "world.json")
        self.clock = VirtualClock()
        self.watcher = Watcher()
        self.script_path = folder / "main.py"
        monkeypatch.setenv(world.VARIABLE, str(self.world.path))
        monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
        monkeypatch.setattr("purvey._session.workshop.ROOT_DATA", folder / "root-data")

    def write(self, body: str, *, name: str = "main", prelude: str = PRELUDE) -> Path:
        """Write a script; by default the one that the verbs below are about."""
        path = self.folder / f"{name}.py"
        path.write_text(prelude + textwrap.dedent(body), encoding="utf-8")
        self.script_path = path if name == "main" else self.script_path
        return path

    def declare(self, body: str, *, name: str = "main", signature: str = "") -> Path:
        """Write a script whose stack function, called as the script, has `body`."""
        inner = textwrap.indent(textwrap.dedent(body).strip() or "pass", "    ")
        return self.write(f"\n@stack\ndef {name}({signature}):\n{inner}\n", name=name)

    def session(self) -> Session:
        """A new session, as a new process would have."""
        return Session(self.folder, observer=self.watcher, clock=self.clock)

    def target(self, **more: Any) -> Target:
        """The script's stack."""
        return Target(stack="main", **more)

    def plan(self, **parameters: Any) -> Plan:
        """What an apply would do."""
        return self.session().plan(self.script_path, parameters=parameters)

    def apply(self, *, parameters: Mapping[str, Any] | None = None, **more: Any) -> RunHistory:
        """Apply the script; the plans that were approved are in `approved`."""
        self.approved: list[Plan] = []
        given = {"final": "allow", **more}
        return self.session().apply(self.script_path, approve=self.approve, parameters=parameters, **given)

    def approve(self, plan: Plan) -> str:
        """Say yes, and remember to what."""
        self.approved = [*getattr(self, "approved", []), plan]
        return "test"

    def destroy(self, *, selection: Selection | None = None) -> RunHistory:
        """Remove everything."""
        return self.session().destroy(self.target(), approve=self.approve, selection=selection or Selection())

    def resume(self, run: str = "") -> RunHistory:
        """Go on in a new session."""
        return self.session().resume(self.target() if not run else Target(run=run), approve=self.approve)

    def undo(self, run: str = "") -> RunHistory:
        """Take a run back; the last one if none is named."""
        return self.session().undo(self.target() if not run else Target(run=run), approve=self.approve, final="allow")

    def store(self) -> Store:
        """The project's store."""
        return self.session()._store_of(self.target())

    def state(self, stack: str = "main/dev") -> State:
        """What is recorded."""
        store = self.store()
        try:
            return store.load(stack)
        finally:
            store.close()

    def records(self, run: str) -> list[Record]:
        """A run's records."""
        store = self.store()
        try:
            return store.records(run)
        finally:
            store.close()

    def require_sound(self) -> None:
        """The record contradicts neither itself nor its journal, and nothing is in doubt."""
        store = self.store()
        try:
            state = store.load("main/dev")
            assert violations(state) == []
            assert store.verify() == []
            assert state.in_doubt == {}
        finally:
            store.close()


def actions(plan: Plan) -> dict[str, str]:
    """What happens to each node, by its name."""
    return {change.address.rpartition("::")[2]: change.action for change in plan.changes}


def names(plan: Plan) -> list[str]:
    """The operations in their order, as ``verb name``."""
    return [f"{item.verb} {item.address.rpartition('::')[2]}" for item in (*plan.operations, *plan.deletions)]
