"""The verbs, for the command line and for Python programs alike.

from purvey import Session

session = Session()
plan = session.plan(Path("shop.py"), env="dev")
run = session.apply(Path("shop.py"), env="dev", approve=lambda plan: "me")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._apply.request import Approve
from purvey._base.event import Message
from purvey._graph import ALL, OnFailure, Selection
from purvey._plan.effects import effects
from purvey._plan.guard import OnFinal
from purvey._script.load import check_parameters, load_script
from purvey._session import recorded, saved
from purvey._session.editing import Editing
from purvey._session.keeping import Keeping
from purvey._session.reading import Reading
from purvey._session.settings import given_values
from purvey._session.target import Target
from purvey._session.workshop import stack_key
from purvey._state.history import RunHistory, history

_OVER: Final[Mapping[str, str]] = {"undone": "was taken back already", "refused": "was refused and changed nothing"}
"""How runs have ended of which nothing may be left to take back."""


class Session(Reading, Editing, Keeping):
    """The verbs of purvey on one project; see `Project` for how it is made."""

    def apply(
        self, script: Path, *, approve: Approve, env: str = "dev", function: str = "",
        parameters: Mapping[str, Any] | None = None, selection: Selection = ALL, on_failure: OnFailure | None = None,
        parallel: int | None = None, refresh: bool = True, check_all: bool = False, wait: bool = False,
        standing: str = "", max_deletes: int | None = None, final: OnFinal = "refuse",
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
            max_deletes: How many objects the run may delete and replace; the environment's own bound holds as well.
            final: Whether data may be lost that nothing restores: ``allow``, ``refuse`` unless the environment allows it, or
                ``ask`` where `approve` has that said in so many words.

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
            max_deletes=max_deletes, final=final,
        )  # fmt: skip
        drive = self._drive(settings, stack_key(loaded.stack.name, env), loaded.root)
        return drive.apply(request, approve, wait=wait)

    def destroy(
        self,
        target: Target,
        *,
        approve: Approve,
        selection: Selection = ALL,
        parallel: int | None = None,
        wait: bool = False,
        standing: str = "",
        max_deletes: int | None = None,
    ) -> RunHistory:
        """Remove everything that a stack has in the world; what is protected refuses.

        Needs the state, its key and the kinds, not the script; kinds that a script defines come from its archived copy.
        """
        with self._resolve(target) as (_, stack, root):
            settings = self.settings(target.script)
        env = stack.rpartition("/")[2]
        request = self._request(
            settings,
            env,
            None,
            {},
            selection=selection,
            parallel=parallel,
            verb="destroy",
            standing=standing,
            max_deletes=max_deletes,
        )
        return self._drive(settings, stack, root).apply(request, approve, wait=wait)

    def resume(
        self, target: Target, *, approve: Approve, parallel: int | None = None, wait: bool = False, final: OnFinal = "refuse"
    ) -> RunHistory:  # fmt: skip
        """Go on with a run that was killed, interrupted, parked or kept; forward, or with its undo if it had begun to undo.

        Raises:
            StateError: ``state.nothing_to_resume``.
        """
        with self._resolve(target) as (store, stack, root):
            settings = self.settings(target.script)
            return self._drive(settings, stack, root).resume(
                store, target.run, approve, self._nonce(), parallel, wait=wait, final=final
            )

    def undo(
        self, target: Target, *, approve: Approve, parallel: int | None = None, wait: bool = False, only: Sequence[str] = (),
        final: OnFinal = "refuse",
    ) -> RunHistory:  # fmt: skip
        """Take back what a run did: the run named, or the stack's last one that changed something.

        Args:
            target: The run, or a stack.
            approve: Gets the plan of the undo; returns who said yes, or None.
            parallel: Operations in flight, 1 to 1,000.
            wait: Whether to queue for a busy stack instead of stopping.
            only: Addresses; where there are any, only what the run did there is taken back, and what it built on that.
            final: As in `apply`: what is deleted again may hold data by now.

        Raises:
            RefusedError: ``refused.not_in_run`` if the run has nothing to take back at one of `only`;
                ``refused.touched_since`` if a later run changed one of its objects; ``refused.handed_over`` if it went from
                one stack to another; ``refused.deletions_done``; ``refused.cannot_undo``.
        """
        with self._resolve(target) as (store, stack, root):
            row = recorded.meant(store, stack, target.run)
            if row.result in _OVER and not effects(records := store.records(row.id)):
                text = f"Run {row.id} {_OVER[row.result]}; nothing is done."
                self._observer.on(Message(at=self._clock.now(), run=row.id, level="info", text=text))
                return history(row.id, stack, records)
            settings = self.settings(target.script)
            return self._drive(settings, stack, root).undo(store, row, approve, parallel, wait=wait, only=only, final=final)

    def apply_plan(
        self, path: Path, *, approve: Approve, parallel: int | None = None, wait: bool = False,
        on_failure: OnFailure | None = None, check_all: bool = False, max_deletes: int | None = None,
        final: OnFinal = "refuse",
    ) -> RunHistory:  # fmt: skip
        """Perform exactly a saved plan, or less; the arguments are those of `apply` that a plan leaves open.

        Raises:
            RefusedError: ``refused.plan_outdated`` if the world would now need more than the plan says.
        """
        settings = self.settings(path)
        return saved.perform(
            self._drive(settings, "", path.parent), path, approve, self._nonce(), parallel, wait=wait, on_failure=on_failure,
            check_all=check_all, max_deletes=max_deletes, final=final,
        )  # fmt: skip

    # Stopping.

    def interrupt(self) -> int:
        """Note a Ctrl-C: after the first nothing new is started.

        Returns:
            How many there were.
        """
        self._interrupts += 1
        self._stop.ask()
        return self._interrupts
