"""What every verb begins with: the project's settings, its store, and the stack that a target means."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from purvey._apply.executor import Stop
from purvey._apply.request import Request
from purvey._base.clock import Clock, SystemClock, ulid
from purvey._base.event import Observer, Silent
from purvey._graph import ALL, OnFailure, Selection
from purvey._plan.guard import OnFinal
from purvey._script.load import Script, load_script
from purvey._session import recorded
from purvey._session.drive import Drive
from purvey._session.settings import VARIABLE, Settings, least, load_settings
from purvey._session.target import Target
from purvey._session.workshop import open_store, stack_key
from purvey._state.store import Store
from purvey.errors import ScriptError, StateError


def _nowhere(settings: Settings) -> str:
    """Where there is no store; the address of a server is not shown, because there may be a password in it."""
    if settings.server:
        return f"There is no store in the database that {VARIABLE} or `store` in purvey.toml names."
    return f"There is no store in {settings.store}."


class Project:
    """A project, as a session sees it.

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

    def settings(self, script: Path | None = None) -> Settings:
        """The settings of the project that `script` (or this session) belongs to."""
        return load_settings(script or self._start or Path.cwd())

    def _request(
        self, settings: Settings, env: str, script: Script | None, given: Mapping[str, Any], *, selection: Selection = ALL,
        on_failure: OnFailure | None = None, parallel: int | None = None, refresh: bool = True, check_all: bool = False,
        verb: str = "apply", standing: str = "", max_deletes: int | None = None, final: OnFinal = "refuse",
    ) -> Request:  # fmt: skip
        own = settings.environment(env)
        return Request(
            verb=verb, script=script, given=given, env=env, nonce=self._nonce(), selection=selection,
            on_failure=on_failure or own.on_failure, parallel=parallel or settings.parallel_in(env), refresh=refresh,
            check_all=check_all, deletes_max=least(own.max_deletes, max_deletes), standing=standing,
            final="allow" if own.allow_final else final, expect=own.expect,
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
                detail=_nowhere(self.settings(target.script)),
                hint="Run the command in the project's folder, or apply first:\n\n    purvey apply SCRIPT",
            )
        return store

    @contextmanager
    def _resolve(self, target: Target) -> Iterator[tuple[Store, str, Path]]:
        """The store, as long as it is used, and the stack and the folder that a target means."""
        with closing(self._store_of(target)) as store:
            yield store, *self._stack_of(store, target)

    def _stack_of(self, store: Store, target: Target) -> tuple[str, Path]:
        if target.run:
            return store.run(target.run).stack, self.settings(target.script).root
        if target.script is not None:
            loaded = load_script(target.script, target.function)
            stack, root = stack_key(loaded.stack.name, target.env), loaded.root
        elif target.stack:
            stack, root = stack_key(target.stack, target.env), self.settings().root
        else:
            hint = "Give a run's id, SCRIPT -e ENV, or --stack NAME -e ENV."
            raise ScriptError("script.no_target", "Nothing was named", hint=hint)
        recorded.require_stack(store, stack)
        return stack, root
