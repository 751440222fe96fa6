"""A plan, or a drift, without a run: no lease, no writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from purvey._apply.request import Request
from purvey._apply.stage import observed, prepare, refusals
from purvey._gate.notes import notes
from purvey._gate.tags import tagged
from purvey._plan.drift import drift_plan
from purvey._session import recorded
from purvey._session.loop import run_with
from purvey._session.workshop import make_parts, parts_to_look

if TYPE_CHECKING:
    from pathlib import Path

    from purvey._base.clock import Clock
    from purvey._base.event import Observer
    from purvey._graph import Graph
    from purvey._plan.plan import Plan
    from purvey._session.settings import Settings
    from purvey._state.store import Store


def preview(settings: Settings, stack: str, request: Request, *, clock: Clock, observer: Observer) -> tuple[Plan, Graph]:
    """What an apply would do, with everything that preflight found as a warning, and the graph behind it.

    Args:
        settings: The project's settings.
        stack: ``name/environment``.
        request: What is asked; it has a script.
        clock: Time and chance.
        observer: Sees the phases.
    """
    assert request.script is not None  # Only scripts are previewed.
    with parts_to_look(settings, stack, request.script.root, clock=clock, observer=observer) as (store, parts):
        state = parts.state

        found: list[tuple[Plan, Graph]] = []

        async def work() -> None:
            """Observe and plan. It returns nothing, because asyncio.run formats what a task returns, however large."""
            ready = await prepare(parts, request, await observed(parts, request), recorded.outputs_of(store))
            doubts = tuple(
                f"{item.begun.address}: its {item.begun.verb} has begun and not ended: a run is at it, or the next settles it."
                for item in state.in_doubt.values()
            )
            tags = tuple(f"{told}." for told in tagged(ready.plan, store.tags(stack))) if store is not None else ()
            warnings = (*ready.plan.warnings, *notes(ready.findings), *doubts, *tags)
            no = refusals(ready, request.deletes_max)
            if any(item.certain for item in ready.findings) or tags:
                no = (*no, "What is warned of above stops it before the first write.")
            found.append((msgspec.structs.replace(ready.plan, warnings=warnings, refusals=no), ready.graph))

        run_with(parts, work())
    return found[0]


def drift(settings: Settings, stack: str, root: Path, store: Store, *, clock: Clock, observer: Observer) -> Plan:
    """What differs in the world from what is recorded.

    Args:
        settings: The project's settings.
        stack: ``name/environment``.
        root: The script's folder.
        store: The store.
        clock: Time and chance.
        observer: Sees the phases.
    """
    state = store.load(stack)
    parts = make_parts(
        stack=stack, run="", state=state, store=store, settings=settings, root=root, clock=clock, observer=observer
    )  # fmt: skip
    env = stack.rpartition("/")[2]
    seen = run_with(parts, observed(parts, Request(verb="drift", env=env, parallel=settings.parallel_in(env))))
    return drift_plan(stack, state, seen, parts.kinds)
