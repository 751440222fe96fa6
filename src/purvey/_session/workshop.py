"""Puts the parts of a run together: store, key, secrets, kinds, the local machine."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from purvey._apply.parts import Parts
from purvey._base.address import require_environment, require_name
from purvey._base.event import Message
from purvey._plan.effects import effects
from purvey._secrets.backends import Reader
from purvey._secrets.key import KeyRing
from purvey._secrets.sealing import Sealer
from purvey._session.recorded import load_kinds, objects
from purvey._session.settings import Settings
from purvey._state.open import find_at, open_at
from purvey._state.state import State
from purvey.providers import registry

if TYPE_CHECKING:
    from purvey._base.clock import Clock
    from purvey._base.event import Observer
    from purvey._hosts.connector import Connector
    from purvey._state.store import Store

ROOT_DATA = Path("/var/lib/purvey")
"""Where objects keep their files when purvey is root: the unprivileged users of its services must reach them."""


def open_store(settings: Settings, clock: Clock, *, create: bool) -> Store | None:
    """The project's store; None if there is none yet and none shall be made."""
    place = settings.server or settings.store
    keys = KeyRing(os.environ, clock=clock)
    return open_at(place, keys=keys, clock=clock) if create else find_at(place, keys=keys, clock=clock)


def stack_key(name: str, env: str) -> str:
    """``name/environment``, checked.

    Raises:
        ScriptError: ``script.bad_name``.
    """
    return f"{require_name(name, 'The stack')}/{require_environment(env)}"


def data_folder(settings: Settings, estate: str, stack: str) -> Path:
    """Where the objects of a stack keep their own files on this machine."""
    base = ROOT_DATA / estate if os.geteuid() == 0 else settings.store / "objects"
    return base / stack


def make_parts(
    *, stack: str, run: str, state: State, store: Store | None, settings: Settings, root: Path, clock: Clock,
    observer: Observer,
) -> Parts:  # fmt: skip
    """The tools of one run; the kinds of what is recorded are known afterwards, if any script of the stack defined them.

    Args:
        stack: ``name/environment``.
        run: The run's id; empty for a plan.
        state: What is recorded.
        store: The store; None if there is none yet.
        settings: The project's settings.
        root: The folder in which secret files are looked for.
        clock: Time and chance.
        observer: Sees every event.
    """
    from purvey._apply.hosts import Hosts  # noqa: PLC0415 - as below.
    from purvey._hosts.local_log import LocalLog  # noqa: PLC0415 - asyncio is loaded only where something runs.

    def local() -> Connector:
        from purvey._hosts.local import LocalConnector  # noqa: PLC0415 - who works on other machines alone does without it.

        return LocalConnector(log)

    if store is not None:
        load_kinds(store, stack, objects(state, effects(store.records(run)) if run else ()), run=run, is_loaded=True)
    estate = store.estate if store is not None else ""
    sealer = Sealer(*store.ring) if store is not None else Sealer(clock.entropy(32))
    folder = data_folder(settings, estate, stack)
    log = LocalLog(folder / ".work")
    hosts = Hosts(local, clock, f"{estate}/{stack}/.work", forget=log.forget)
    parts = Parts(
        stack=stack, run=run, state=state, kinds=registry, hosts=hosts, reader=Reader(root), sealer=sealer,
        clock=clock, observer=observer, folder=folder, estate=estate,
        other_stacks=lambda: {name: store.load(name) for name in store.stacks() if name != stack} if store is not None else {},
    )  # fmt: skip
    shown = parts.observer  # Not the parts: they hold the store, which would stay open until cycles are looked for.
    hosts.tell = lambda text: shown.on(Message(at=clock.now(), run=run, level="info", text=text))
    return parts


@contextmanager
def parts_to_look(
    settings: Settings, stack: str, root: Path, *, clock: Clock, observer: Observer
) -> Iterator[tuple[Store | None, Parts]]:
    """The tools of what only looks, with the store as long as it does so; None if nothing was applied yet."""
    store = open_store(settings, clock, create=False)
    with nullcontext() if store is None else closing(store):
        state = store.load(stack) if store is not None else State()
        yield store, make_parts(
            stack=stack, run="", state=state, store=store, settings=settings, root=root, clock=clock, observer=observer
        )  # fmt: skip


def user_name() -> str:
    """Who runs this, for people."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
