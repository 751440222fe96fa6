"""The verbs, for the command line and for Python programs alike.

from purvey import Session

session = Session()
plan = session.plan(Path("shop.py"), env="dev")
run = session.apply(Path("shop.py"), env="dev", approve=lambda plan: "me")
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from purvey._apply.executor import Stop
from purvey._apply.request import Approve, Request
from purvey._base.clock import Clock, SystemClock, ulid
from purvey._base.event import Observer, Silent
from purvey._base.value import Value, reveal
from purvey._graph import ALL, Graph, OnFailure, Selection
from purvey._plan.plan import Plan
from purvey._script.load import Script, check_parameters, load_script
from purvey._session import edit, saved
from purvey._session import records as edits
from purvey._session.drive import Drive
from purvey._session.preview import preview
from purvey._session.settings import Settings, given_values, load_settings
from purvey._session.signature import StackSignature
from purvey._session.target import Target
from purvey._session.workshop import make_parts, open_store, stack_key
from purvey._state.history import RunHistory, history
from purvey._state.record import ResourceState, thawed
from purvey._state.state import State
from purvey._state.store import Store
from purvey.errors import ScriptError, StateError


class Session:
    """The verbs of purvey on one project.

    Args:
        start: A file or folder in the project; each verb with a script finds its own project otherwise.
        observer: Sees every event of every run.
        clock: Time and chance.
    """

    def __init__(self, start: Path | None = None, *, observer: Observer | None = None, clock: Clock | None = None) -> None:
        self._start = start
        self._observer = observer or Silent()
        self._clock = clock or SystemClock()
        self._stop = Stop()
        self._interrupts = 0

    # Reading.

    def settings(self, script: Path | None = None) -> Settings:
        """The settings of the project that `script` (or this session) belongs to."""
        return load_settings(script or self._start or Path.cwd())

    def signature(self, script: Path, *, function: str = "") -> StackSignature:
        """The interface of a script's stack.

        Raises:
            ScriptError: if the script cannot be loaded.
        """
        found = load_script(script, function)
        return StackSignature(found.stack.name, found.stack.__doc__ or "", tuple(found.parameters))

    def plan(
        self, script: Path, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None,
        selection: Selection = ALL, refresh: bool = True, check_all: bool = False,
    ) -> Plan:  # fmt: skip
        """What an apply would do. Changes nothing, takes no lease, writes nothing.

        Args:
            script: The script.
            env: The environment.
            function: The stack function, where the script has several.
            parameters: By name, as text or data.
            selection: Which nodes it is about.
            refresh: Whether the world is read; otherwise the record is believed.
            check_all: Whether the plan lists checks whose surroundings do not change.

        Raises:
            ScriptError: for what is wrong in the script or its parameters.
            StateError: if the store cannot be read.
        """
        plan, _ = self._planned(script, env, function, parameters, selection, refresh=refresh, check_all=check_all)
        return plan

    def graph(
        self, script: Path, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None
    ) -> tuple[Graph, Plan]:
        """What a script declares, and what an apply would do to it by the record alone."""
        plan, graph = self._planned(script, env, function, parameters, ALL, refresh=False)
        return graph, plan

    def _planned(
        self, script: Path, env: str, function: str, parameters: Mapping[str, Any] | None, selection: Selection, *,
        refresh: bool, verb: str = "apply", check_all: bool = False,
    ) -> tuple[Plan, Graph]:  # fmt: skip
        settings = self.settings(script)
        loaded = load_script(script, function)
        given = given_values(script, env, parameters or {})
        request = self._request(
            settings, env, loaded, given, selection=selection, refresh=refresh, verb=verb, check_all=check_all
        )
        return preview(settings, stack_key(loaded.stack.name, env), request, clock=self._clock, observer=self._observer)

    def drift(self, script: Path, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None) -> Plan:
        """What differs in the world from what is recorded; read-only.

        Returns:
            A plan whose changes are those that come from outside purvey.
        """
        plan, _ = self._planned(script, env, function, parameters, ALL, refresh=True, verb="drift")
        drifted = [
            change
            for change in plan.changes
            if change.cause == "it is gone" or any(field.because == "drift" for field in change.fields)
        ]
        return msgspec.structs.replace(plan, verb="drift", changes=tuple(drifted), operations=(), deletions=())

    def runs(self, *, stack: str = "", env: str = "", limit: int = 20) -> list[RunHistory]:
        """The newest runs first.

        Args:
            stack: Only of this stack.
            env: Only of this environment.
            limit: At most so many.
        """
        store = open_store(self.settings(), self._clock, create=False)
        if store is None:
            return []
        found = [history(row.id, row.stack, store.records(row.id)) for row in store.runs(None, limit if not stack else 1000)]
        return [run for run in found if stack in ("", run.stack) and env in ("", run.env)][:limit]

    def show(self, run: str) -> RunHistory:
        """What a run did.

        Raises:
            StateError: ``state.no_such_run``.
        """
        store = self._store_of(Target(run=run))
        row = store.run(run)
        return history(row.id, row.stack, store.records(row.id))

    def outputs(self, target: Target, *, revealed: bool = False) -> dict[str, Value]:
        """A stack's outputs as of its last successful run.

        Args:
            target: The stack.
            revealed: Whether secrets are opened; masked otherwise.
        """
        store, stack, root = self._resolve(target)
        given = store.outputs(stack)
        values = thawed(given.values) if given is not None else {}
        if not revealed:
            return values
        parts = make_parts(
            stack=stack, run="", state=State(), store=store, settings=self.settings(target.script), root=root,
            clock=self._clock, observer=self._observer,
        )  # fmt: skip
        opened: dict[str, Value] = reveal(parts.opened(values))
        return opened

    # Changing the world.

    def apply(
        self, script: Path, *, approve: Approve, env: str = "dev", function: str = "",
        parameters: Mapping[str, Any] | None = None, selection: Selection = ALL, on_failure: OnFailure | None = None,
        parallel: int | None = None, refresh: bool = True, check_all: bool = False, wait: bool = False,
        standing: str = "",
    ) -> RunHistory:  # fmt: skip
        """Plan, ask, apply, check, and undo if it fails.

        Args:
            script: The script.
            approve: Gets the plan of each stage; returns who said yes, or None.
            env: The environment.
            function: The stack function, where the script has several.
            parameters: By name, as text or data.
            selection: Which nodes it is about.
            on_failure: ``undo``, ``keep`` or ``continue``; by default as the environment says.
            parallel: Operations in flight, 1 to 1,000.
            refresh: Whether the world is read first.
            check_all: Whether all checks run, also those whose surroundings did not change.
            wait: Whether to queue for a busy stack instead of stopping.
            standing: Who approves every stage beforehand, so that a resume of the run need not ask.

        Raises:
            ScriptError: for what is wrong in the script.
            RefusedError: when preflight or a guard says no.
            StateError: when the stack is busy or the store is broken.
            AwaitsApproval: when nobody said yes.
        """
        settings = self.settings(script)
        loaded = load_script(script, function)
        given = given_values(script, env, parameters or {})
        check_parameters(loaded, given, env)
        request = self._request(
            settings, env, loaded, given, selection=selection, on_failure=on_failure,
            parallel=parallel, refresh=refresh, check_all=check_all, standing=standing,
        )  # fmt: skip
        drive = self._drive(settings, stack_key(loaded.stack.name, env), loaded.root)
        return drive.apply(request, approve, wait=wait, display=str(script))

    def destroy(
        self,
        target: Target,
        *,
        approve: Approve,
        selection: Selection = ALL,
        parallel: int | None = None,
        wait: bool = False,
        standing: str = "",
    ) -> RunHistory:
        """Remove everything that a stack has in the world; what is protected refuses.

        Needs the state, its key and the kinds, not the script; kinds that a script defines come from its archived copy.
        """
        store, stack, root = self._resolve(target)
        settings = self.settings(target.script)
        edits.load_kinds(store, stack)
        edits.refuse_read_by_others(store, stack)
        env = stack.rpartition("/")[2]
        request = self._request(
            settings, env, None, {}, selection=selection, parallel=parallel, verb="destroy", standing=standing
        )
        return self._drive(settings, stack, root).apply(request, approve, wait=wait, display="")

    def destroy_plan(self, target: Target, *, selection: Selection = ALL) -> Plan:
        """What `destroy` would remove."""
        store, stack, _ = self._resolve(target)
        edits.load_kinds(store, stack)
        return edits.removal_plan(store.load(stack), stack, selection)

    def resume(self, target: Target, *, approve: Approve, parallel: int | None = None, wait: bool = False) -> RunHistory:
        """Go on with a run that was killed, interrupted, parked or kept; forward, or with its undo if it had begun to undo.

        Raises:
            StateError: ``state.nothing_to_resume``.
        """
        store, stack, root = self._resolve(target)
        settings = self.settings(target.script)
        return self._drive(settings, stack, root).resume(store, target.run, approve, self._nonce(), parallel, wait=wait)

    def undo(self, target: Target, *, approve: Approve, parallel: int | None = None, wait: bool = False) -> RunHistory:
        """Take back what a run did: the run named, or the stack's last one.

        Raises:
            RefusedError: ``refused.touched_since`` if a later run changed one of its objects; ``refused.deletions_done``.
        """
        store, stack, root = self._resolve(target)
        settings = self.settings(target.script)
        return self._drive(settings, stack, root).undo(store, target.run, approve, parallel, wait=wait)

    def undo_plan(self, target: Target) -> Plan:
        """What `undo` would do."""
        store, stack, _ = self._resolve(target)
        edits.load_kinds(store, stack)
        return edits.undo_plan_of(store, stack, target.run)

    def interrupt(self) -> int:
        """Note a Ctrl-C: after the first nothing new is started.

        Returns:
            How many there were.
        """
        self._interrupts += 1
        self._stop.ask()
        return self._interrupts

    # The record.

    def state_list(self, target: Target) -> list[ResourceState]:
        """Every object that a stack has, by address."""
        store, stack, _ = self._resolve(target)
        return sorted(store.load(stack).resources.values(), key=lambda item: (item.address, item.generation))

    def state_show(self, target: Target, address: str) -> ResourceState:
        """One object's record, secrets masked.

        Raises:
            StateError: ``state.no_such_object``.
        """
        store, stack, _ = self._resolve(target)
        return edits.find(store.load(stack), address)

    def state_move(self, target: Target, address: str, to: str) -> ResourceState:
        """Give an object another address, so that renaming its node is no replacement."""
        store, stack, root = self._resolve(target)
        return edit.move(self._drive(self.settings(target.script), stack, root), store, address, to)

    def state_remove(self, target: Target, address: str) -> ResourceState:
        """Forget an object and leave it in the world."""
        store, stack, root = self._resolve(target)
        return edit.forget(self._drive(self.settings(target.script), stack, root), store, address)

    def state_settle(self, target: Target, address: str, *, happened: bool) -> None:
        """Say how an interrupted operation ended that purvey cannot find out by itself."""
        store, stack, root = self._resolve(target)
        edit.settle(self._drive(self.settings(target.script), stack, root), store, address, happened=happened)

    def state_import(
        self, script: Path, address: str, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None
    ) -> ResourceState:
        """Record an object that exists already under a node that the script declares.

        Raises:
            ScriptError: ``script.unknown_address`` if the script does not declare it.
            ProviderError: ``not_found`` if nothing is there under its identity.
        """
        settings = self.settings(script)
        loaded = load_script(script, function)
        request = self._request(settings, env, loaded, given_values(script, env, parameters or {}))
        return edit.adopt(self._drive(settings, stack_key(loaded.stack.name, env), loaded.root), request, address)

    # Saved plans.

    def save_plan(
        self, path: Path, script: Path, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None,
        selection: Selection = ALL, refresh: bool = True,
    ) -> Plan:  # fmt: skip
        """Plan, and write the plan to a file, sealed and signed with the store's key; `apply_plan` performs exactly it."""
        settings = self.settings(script)
        loaded = load_script(script, function)
        request = self._request(
            settings, env, loaded, given_values(script, env, parameters or {}), selection=selection, refresh=refresh
        )
        return saved.save(self._drive(settings, stack_key(loaded.stack.name, env), loaded.root), request, path)

    def load_plan(self, path: Path) -> Plan:
        """The plan in a file.

        Raises:
            ScriptError: ``script.plan_file`` if it is damaged, expired or from another store.
        """
        settings = self.settings(path)
        return saved.read(self._drive(settings, "", path.parent), path).saved.plan

    def apply_plan(self, path: Path, *, approve: Approve, parallel: int | None = None, wait: bool = False) -> RunHistory:
        """Perform exactly a saved plan, or less.

        Raises:
            RefusedError: ``refused.plan_outdated`` if the world would now need more than the plan says.
        """
        settings = self.settings(path)
        return saved.perform(self._drive(settings, "", path.parent), path, approve, self._nonce(), parallel, wait=wait)

    # Finding things.

    def _request(
        self, settings: Settings, env: str, script: Script | None, given: Mapping[str, Any], *, selection: Selection = ALL,
        on_failure: OnFailure | None = None, parallel: int | None = None, refresh: bool = True, check_all: bool = False,
        verb: str = "apply", standing: str = "",
    ) -> Request:  # fmt: skip
        own = settings.environment(env)
        return Request(
            verb=verb, script=script, given=given, env=env, nonce=self._nonce(), selection=selection,
            on_failure=on_failure or own.on_failure, parallel=parallel or settings.parallel_in(env), refresh=refresh,
            check_all=check_all, deletes_max=own.max_deletes, standing=standing,
        )  # fmt: skip

    def _drive(self, settings: Settings, stack: str, root: Path) -> Drive:
        return Drive(settings, stack, root, clock=self._clock, observer=self._observer, stop=self._stop)

    def _nonce(self) -> str:
        return ulid(self._clock)[-12:].lower()

    def _store_of(self, target: Target) -> Store:
        store = open_store(self.settings(target.script), self._clock, create=False)
        if store is None:
            raise StateError(
                "state.no_store",
                "Nothing was applied here yet",
                detail=f"There is no store in {self.settings(target.script).store}.",
                hint="Run the command in the project's folder, or apply first:\n\n    purvey apply SCRIPT",
            )
        return store

    def _resolve(self, target: Target) -> tuple[Store, str, Path]:
        """The store, the stack and the folder that a target means."""
        store = self._store_of(target)
        if target.run:
            return store, store.run(target.run).stack, self.settings(target.script).root
        if target.script is not None:
            loaded = load_script(target.script, target.function)
            stack, root = stack_key(loaded.stack.name, target.env), loaded.root
        elif target.stack:
            stack, root = stack_key(target.stack, target.env), self.settings().root
        else:
            hint = "Give a run's id, SCRIPT -e ENV, or --stack NAME -e ENV."
            raise ScriptError("script.no_target", "Nothing was named", hint=hint)
        edits.require_stack(store, stack)
        return store, stack, root
