"""The kit's project: one script, one store, and the engine's verbs on the object of a case.

Every `apply` plans first and is held to the plan; what the journal says was done to the object is compared with it. Everything
that the engine shows (events, plans, ends of runs, errors) is kept as text, because none of it may hold a secret.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from purvey._base.clock import SystemClock
from purvey._base.event import Event
from purvey._plan.plan import Change, Plan
from purvey._session import AwaitsApproval, RunHistory, Session, Target
from purvey._session.pruning import prune_empty
from purvey._session.workshop import data_folder, open_store
from purvey._state.check import violations
from purvey._state.record import Begun, Record, Succeeded
from purvey._state.resource import ResourceState
from purvey._state.store import Store
from purvey.errors import PurveyError
from purvey.testing.conformance import _script
from purvey.testing.conformance._case import NAME, Case, CheckCase
from purvey.testing.conformance._child import DYING

STACK: Final = "conformance/dev"
CHILD_TIMEOUT_S: Final = 300
EFFECTS: Final = ("create", "update", "delete")


class NotConformingError(AssertionError):
    """The kind does not do what a behaviour promises; the text says what was expected and what was seen."""


def require(promise: bool, otherwise: str, *seen: object) -> None:  # noqa: FBT001 - the promise is the argument.
    """Hold the kind to a promise.

    Raises:
        NotConformingError: `otherwise`, with what was `seen` instead.
    """
    if not promise:
        raise NotConformingError(": ".join([otherwise, *map(str, seen)]))


def look_away(event: Event) -> None:
    """Do nothing about an event."""
    del event


class Project:
    """The project in a folder.

    Args:
        folder: An empty folder that everybody may enter.
        case: What the verbs are about; assigned anew for each case.
    """

    def __init__(self, folder: Path, case: Case | CheckCase) -> None:
        self.folder = folder
        self.case = case
        self.script = folder / "main.py"
        self.script.write_text(_script.TEXT, encoding="utf-8")
        self.react: Callable[[Event], None] = look_away
        self.told: list[bytes] = []
        self.last_plan = Plan(stack=STACK)

    @property
    def address(self) -> str:
        """The address of the node under test."""
        return f"{self.case.kind._kind.name}::{NAME}"  # noqa: SLF001 - the test kit knows it.

    # What the engine tells.

    def on(self, event: Event, /) -> None:
        """Keep an event, and react to it."""
        self._keep(event)
        self.react(event)

    def _keep(self, thing: Any) -> None:
        self.told.append(msgspec.json.encode(thing, enc_hook=repr))

    def _approve(self, plan: Plan) -> str:
        self._keep(plan)
        self.last_plan = plan
        return "conformance kit"

    # The verbs.

    def parameters(self, wish: str, options: dict[str, Any]) -> dict[str, Any]:
        """The script's parameters; the empty wish is for nothing but what is around."""
        name = _script.name_of(type(self.case))
        return {"case": name, "folder": str(self.case.folder), "wish": wish, "options": json.dumps(options)}

    def plan(self, wish: str, **options: Any) -> Plan:
        """What an apply would do."""
        with self._heard():
            plan = self._session().plan(self.script, parameters=self.parameters(wish, options))
        self._keep(plan)
        return plan

    def drift(self, wish: str) -> Change | None:
        """How the object differs from its record."""
        with self._heard():
            plan = self._session().drift(self.script, parameters=self.parameters(wish, {}))
        self._keep(plan)
        return self.change(plan)

    def apply(self, wish: str, result: str = "succeeded", **options: Any) -> RunHistory:
        """Apply, ending in `result`; a run that succeeds has done to the object what the plan said."""
        planned = self.plan(wish, **options)
        run = self.attempt(wish, **options)
        require(run.result == result, f"the run ended {run.result} instead of {result}", run.cause, run.cause_detail)
        if result == "succeeded":
            done, said = self.effects(run), _effects_of(planned, self.address)
            require(done == said, f"the plan said {said} and apply did {done}")
            self.require_sound()
        return run

    def attempt(self, wish: str, **options: Any) -> RunHistory:
        """Apply, however it ends."""
        return self._ended(lambda session: session.apply(
            self.script, approve=self._approve, parameters=self.parameters(wish, options),
            final="allow",
        ))  # fmt: skip

    def resume(self) -> RunHistory:
        """Go on in a new session, as a new process would have."""
        return self._ended(lambda session: session.resume(self._target(), approve=self._approve, final="allow"))

    def undo(self) -> RunHistory:
        """Take the last run back."""
        run = self._ended(lambda session: session.undo(self._target(), approve=self._approve, final="allow"))
        require(run.result == "undone", f"the undo ended {run.result}", run.cause, run.cause_detail)
        self.require_sound()
        return run

    def destroy(self) -> RunHistory:
        """Remove everything."""
        return self._ended(lambda session: session.destroy(self._target(), approve=self._approve))

    def settled(self, wish: str) -> None:
        """A further apply changes nothing, in the journal or in the world."""
        before = self.case.identity() if isinstance(self.case, Case) else None
        run = self.apply(wish)
        begun = [f"{item.verb} {item.address}" for item in self.records(run) if isinstance(item, Begun)]
        require(not begun, "the next run, with the same wish, did something", begun)
        after = self.case.identity() if isinstance(self.case, Case) else None
        require(before == after, "the next run, with the same wish, changed the object", before, after)

    def kill(self, wish: str, method: str) -> bool:
        """Apply in another process, which dies as soon as the provider's `method` is done; False if that is never called."""
        parameters = json.dumps(self.parameters(wish, {}))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        child = subprocess.run(
            [sys.executable, "-m", "purvey.testing.conformance._child", str(self.script), parameters, method],
            env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=CHILD_TIMEOUT_S, check=False,
        )  # fmt: skip
        self.told.append((child.stdout + child.stderr).encode())
        died = child.returncode == -signal.SIGKILL
        require(
            not died or child.stdout.endswith(DYING.decode()),
            f"the run that was to be killed in `{method}` was killed before by somebody else, as who has no memory left is",
        )
        require(died or child.returncode == 0, f"the run that was to be killed in `{method}` broke", child.stderr[-1000:])
        return died

    def _session(self) -> Session:
        return Session(self.script, observer=self)

    def _target(self) -> Target:
        return Target(stack="conformance")

    def _ended(self, verb: Callable[[Session], RunHistory]) -> RunHistory:
        with self._heard():
            run = verb(self._session())
        self._keep(run)
        self._learn()
        return run

    @contextlib.contextmanager
    def _heard(self) -> Iterator[None]:
        """Keep the text of an error on its way."""
        try:
            yield
        except PurveyError as error:
            self.told.append(repr((str(error), error.summary, error.detail, error.hint, error.args)).encode())
            raise

    def _learn(self) -> None:
        """Tell the case what is around it, and where the objects are."""
        with self.store() as store:
            self.case.objects = data_folder(self._session().settings(), store.estate, STACK)
        self.case.known = self._session().outputs(self._target(), revealed=True)

    # The record.

    @contextlib.contextmanager
    def store(self) -> Iterator[Store]:
        """The project's store."""
        store = open_store(self._session().settings(), SystemClock(), create=True)
        assert store is not None  # create=True
        with contextlib.closing(store):
            yield store

    def records(self, run: RunHistory) -> Sequence[Record]:
        """A run's records."""
        with self.store() as store:
            return store.records(run.id)

    def effects(self, run: RunHistory) -> list[str]:
        """What the run did to the object: verb and generation, as the journal has it."""
        records = self.records(run)
        begun = {item.operation: item for item in records if isinstance(item, Begun)}
        ended = [begun[item.operation] for item in records if isinstance(item, Succeeded) and item.operation in begun]
        return [f"{item.verb} #{item.generation}" for item in ended if item.address == self.address]

    def recorded(self) -> list[ResourceState]:
        """All objects that the record has at the address."""
        with self.store() as store:
            return [item for item in store.load(STACK).resources.values() if item.address == self.address]

    def require_sound(self) -> None:
        """The record contradicts neither itself nor its journal, and nothing is in doubt."""
        with self.store() as store:
            state = store.load(STACK)
            found = [*violations(state), *store.verify(), *map(str, state.in_doubt)]
        require(not found, "the record is not sound", *found)

    def change(self, plan: Plan) -> Change | None:
        """What a plan says of the object."""
        return next((item for item in plan.changes if item.address == self.address), None)

    def object_folder(self) -> Path:
        """The object's own folder."""
        return self.case.objects.joinpath(*self.address.split("::"))

    # The whole.

    def close(self) -> None:
        """Remove everything that the kit made; the folder itself stays."""
        if not (self.folder / ".purvey" / "state.db").exists():
            return
        run = self.destroy()
        require(run.result == "succeeded", f"the end was {run.result}", run.cause, run.cause_detail)
        objects = self.case.objects
        left = sorted(map(str, objects.rglob("*")))
        shutil.rmtree(objects, ignore_errors=True)
        prune_empty(objects.parent)
        shutil.rmtree(self.folder / ".purvey", ignore_errors=True)
        require(not left, "in the end the objects' folder still holds", *left)


def _effects_of(plan: Plan, address: str) -> list[str]:
    """What a plan does to the object; an adoption changes only what differs."""
    own = [item for item in (*plan.operations, *plan.deletions) if item.address == address]
    verbs = [("update" if item.verb == "adopt" and item.planned else item.verb, item.generation) for item in own]
    return [f"{verb} #{generation}" for verb, generation in verbs if verb in EFFECTS]


__all__ = ["AwaitsApproval", "NotConformingError", "Project", "require"]
