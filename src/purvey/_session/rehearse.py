"""A rehearsal: plans as an apply would, and lets the rehearsal of that plan fail in a private folder that is removed again."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from purvey._apply.stage import observed, prepare
from purvey._gate.preflight import refuse
from purvey._rehearse.kinds import LookingKinds
from purvey._rehearse.play import Start
from purvey._rehearse.rehearse import rehearse, unwatched
from purvey._session import recorded
from purvey._session.loop import run_with
from purvey._session.workshop import parts_to_look
from purvey._state.record import LookedUp

if TYPE_CHECKING:
    from purvey._apply.parts import Parts
    from purvey._apply.request import Request
    from purvey._base.clock import Clock
    from purvey._base.event import Observer
    from purvey._rehearse.finding import Rehearsal
    from purvey._rehearse.rehearse import Progress
    from purvey._session.settings import Settings
    from purvey._state.store import Store
    from purvey.providers import Observed

_KEY_BYTES = 32
_MEMORY = Path("/dev/shm")  # noqa: S108 - the folder in it is private.


def rehearsal(
    settings: Settings, stack: str, request: Request, *, clock: Clock, observer: Observer, progress: Progress | None = None
) -> Rehearsal:
    """What the undo of an apply would not restore, whichever of its operations were the last.

    Args:
        settings: The project's settings.
        stack: ``name/environment``.
        request: What is asked; it has a script.
        clock: Time and chance.
        observer: Sees the phases of the plan.
        progress: Told how far it is.

    Raises:
        RefusedError: where preflight or a guard would refuse the apply.
    """
    assert request.script is not None  # Only scripts are rehearsed.
    with parts_to_look(settings, stack, request.script.root, clock=clock, observer=observer) as (store, parts):
        state = parts.state
        looking = LookingKinds(parts.kinds)
        real, parts.kinds = parts.kinds, looking
        seen, looked_up = _look(parts, request, store)
        parts.kinds = real
        lookups = {**request.lookups, **looked_up}
        request = msgspec.structs.replace(request, on_failure="undo", parallel=1, final="allow", lookups=lookups)
        key = store.ring.key if store is not None else clock.entropy(_KEY_BYTES)
        # Made with mode 0700; in memory where there is such a place, because every record is made durable before its effect.
        with tempfile.TemporaryDirectory(prefix="purvey-rehearsal-", dir=_memory()) as folder:
            start = Start(parts, request, state, seen, looking.found, recorded.outputs_of(store), key, Path(folder))
            return rehearse(start, progress or unwatched)


def _memory() -> Path | None:
    """The folder that Linux keeps in memory; None where there is none that may be written to."""
    return _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None


def _look(parts: Parts, request: Request, store: Store | None) -> tuple[dict[tuple[str, int], Observed], dict[str, object]]:
    """Observe and plan as an apply would, and return what was seen and looked up."""
    found: list[tuple[dict[tuple[str, int], Observed], dict[str, object]]] = []

    async def work() -> None:
        """It returns nothing, because asyncio.run formats what a task returns, however large."""
        seen = await observed(parts, request)
        ready = await prepare(parts, request, seen, recorded.outputs_of(store))
        refuse(ready.findings)
        found.append((seen, {record.name: record.value for record in ready.records if isinstance(record, LookedUp)}))

    run_with(parts, work())
    return found[0]
