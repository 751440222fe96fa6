"""The verbs that change nothing, neither the world nor the record."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from purvey._base.value import Value, reveal
from purvey._graph import ALL, Graph, Selection
from purvey._plan.plan import Plan
from purvey._rehearse.finding import Rehearsal
from purvey._script.load import check_parameters, load_script
from purvey._session import recorded, saved
from purvey._session.preview import drift, preview
from purvey._session.project import Project
from purvey._session.settings import VARIABLE, given_values
from purvey._session.signature import StackSignature
from purvey._session.target import Target
from purvey._session.workshop import make_parts, open_store, stack_key
from purvey._state.history import RunHistory, history
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey._state.state import State
from purvey._state.tag_out import TagOut

if TYPE_CHECKING:
    from purvey._rehearse.rehearse import Progress


class Reading(Project):
    """Plans, drift, and questions to the record."""

    def signature(self, script: Path, *, function: str = "") -> StackSignature:
        """The interface of a script's stack.

        Raises:
            ScriptError: if the script cannot be loaded.
        """
        found = load_script(script, function)
        return StackSignature(found.stack.name, found.stack.__doc__ or "", tuple(found.parameters))

    def plan(
        self, script: Path, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None,
        selection: Selection = ALL, refresh: bool = True, check_all: bool = False, max_deletes: int | None = None,
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
            max_deletes: How many objects an apply might take away; where it would be more, the plan says so in `refusals`.

        Raises:
            ScriptError: for what is wrong in the script or its parameters.
            StateError: if the store cannot be read.
        """
        plan, _ = self._planned(
            script, env, function, parameters, selection, refresh=refresh, check_all=check_all, max_deletes=max_deletes
        )
        return plan

    def graph(
        self, script: Path, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None
    ) -> tuple[Graph, Plan]:
        """What a script declares, and what an apply would do to it by the record alone."""
        plan, graph = self._planned(script, env, function, parameters, ALL, refresh=False)
        return graph, plan

    def _planned(
        self, script: Path, env: str, function: str, parameters: Mapping[str, Any] | None, selection: Selection, *,
        refresh: bool, verb: str = "apply", check_all: bool = False, max_deletes: int | None = None,
    ) -> tuple[Plan, Graph]:  # fmt: skip
        settings = self.settings(script)
        loaded = load_script(script, function)
        given = given_values(script, env, parameters or {})
        request = self._request(
            settings, env, loaded, given, selection=selection, refresh=refresh, verb=verb, check_all=check_all,
            max_deletes=max_deletes,
        )  # fmt: skip
        return preview(settings, stack_key(loaded.stack.name, env), request, clock=self._clock, observer=self._observer)

    def drift(self, script: Path, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None) -> Plan:
        """What differs in the world from what is recorded, of everything that is recorded of the stack; read-only.

        The script names the stack, and brings the kinds that it defines; what it declares plays no part.

        Returns:
            A plan whose changes are those that come from outside purvey.

        Raises:
            ScriptError: for a parameter that the script does not have.
            StateError: ``state.no_store`` or ``state.no_such_stack`` where nothing is recorded.
        """
        check_parameters(load_script(script, function), given_values(script, env, parameters or {}), env)
        with self._resolve(Target(script=script, env=env, function=function)) as (store, stack, root):
            return drift(self.settings(script), stack, root, store, clock=self._clock, observer=self._observer)

    def rehearse(
        self, script: Path, *, env: str = "dev", function: str = "", parameters: Mapping[str, Any] | None = None,
        selection: Selection = ALL, refresh: bool = True, progress: Progress | None = None,
    ) -> Rehearsal:  # fmt: skip
        """Whether an undo would restore everything, wherever an apply failed. Changes nothing and writes nothing down.

        The engine performs the plan in memory, fails after each operation in turn, and undoes.

        Args:
            script: The script.
            env: The environment.
            function: The stack function, where the script has several.
            parameters: By name, as text or data.
            selection: Which nodes it is about.
            refresh: Whether the world is read first; otherwise the record is believed.
            progress: Told how many operations of how many have been let fail.

        Raises:
            ScriptError: for what is wrong in the script or its parameters.
            RefusedError: when preflight or a guard would refuse the apply.
            StateError: if the store cannot be read.
        """
        from purvey._session.rehearse import rehearsal  # noqa: PLC0415 - every other command would pay for it.

        settings = self.settings(script)
        loaded = load_script(script, function)
        given = given_values(script, env, parameters or {})
        request = self._request(settings, env, loaded, given, selection=selection, refresh=refresh)
        stack = stack_key(loaded.stack.name, env)
        return rehearsal(settings, stack, request, clock=self._clock, observer=self._observer, progress=progress)

    def destroy_plan(self, target: Target, *, selection: Selection = ALL) -> Plan:
        """What `destroy` would remove."""
        with self._resolve(target) as (store, stack, _):
            state = store.load(stack)
            recorded.load_kinds(store, stack, recorded.objects(state))
            return recorded.removal_plan(state, stack, selection)

    def undo_plan(self, target: Target, *, only: Sequence[str] = ()) -> Plan:
        """What `undo` would do; changes nothing, takes no lease."""
        with self._resolve(target) as (store, stack, _):
            return recorded.undo_plan_of(store, recorded.meant(store, stack, target.run), only)

    def load_plan(self, path: Path) -> Plan:
        """The plan in a file.

        Raises:
            ScriptError: ``script.plan_file`` if it is damaged, expired or from another store.
        """
        settings = self.settings(path)
        return saved.read(self._drive(settings, "", path.parent), path).saved.plan

    def runs(self, *, stack: str = "", env: str = "", limit: int = 20) -> list[RunHistory]:
        """The newest runs first.

        Args:
            stack: Only of this stack.
            env: Only of this environment.
            limit: At most so many.

        Raises:
            StateError: ``state.no_such_stack`` if there are runs, but none of this stack or environment was ever;
                ``state.no_store`` if the store that the environment variable names is not there.
        """
        store = open_store(self.settings(), self._clock, create=False)
        if store is None:
            if VARIABLE in os.environ:
                self._store_of(Target())  # Raises: a place that somebody has named is not empty, but mistyped.
            return []
        with closing(store):
            rows = store.runs(None, limit)
            if rows and (stack or env):
                named = [row for name in recorded.stacks_named(store, stack, env) for row in store.runs(name, limit)]
                rows = sorted(named, key=lambda row: row.number, reverse=True)
            return [history(row.id, row.stack, store.records(row.id)) for row in rows[:limit]]

    def show(self, run: str) -> RunHistory:
        """What a run did.

        Raises:
            StateError: ``state.no_such_run``.
        """
        with closing(self._store_of(Target(run=run))) as store:
            row = store.run(run)
            return history(row.id, row.stack, store.records(row.id))

    def outputs(self, target: Target, *, revealed: bool = False) -> dict[str, Value]:
        """A stack's outputs as of its last successful run.

        Args:
            target: The stack.
            revealed: Whether secrets are opened; masked otherwise.
        """
        with self._resolve(target) as (store, stack, root):
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

    def tags(self, target: Target) -> list[TagOut]:
        """The tags that hang on a stack's objects, oldest first."""
        with self._resolve(target) as (store, stack, _):
            return [tag for tag in store.tags(stack) if not tag.released_by]

    def state_list(self, target: Target) -> list[ResourceState]:
        """Every object that a stack has, by address."""
        with self._resolve(target) as (store, stack, _):
            return sorted(store.load(stack).resources.values(), key=lambda item: (item.address, item.generation))

    def state_show(self, target: Target, address: str) -> ResourceState:
        """One object's record, secrets masked.

        Raises:
            StateError: ``state.no_such_object``.
        """
        with self._resolve(target) as (store, stack, _):
            return recorded.find(store.load(stack), address)
