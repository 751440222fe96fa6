"""Single looks through checks: before the first write, and once more after deletions. Nothing is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from purvey._apply.attempt import answered
from purvey._apply.outcome import as_provider_error
from purvey._apply.parts import Parts
from purvey._apply.redacting import clean_error
from purvey._graph import Node
from purvey._plan.plan import Plan
from purvey.providers import Done


async def probe(parts: Parts, checks: Sequence[Node]) -> dict[str, str]:
    """Look through each check once, with the values of now.

    Returns:
        What those that do not pass saw, by address.
    """

    def view(node: Node) -> Callable[[], Any]:
        """The check with its values, made when it is looked through."""
        return lambda: parts.view(parts.kinds.get(node.kind), node.address, parts.opened_inputs(node))

    return await _look(parts, {node.address: (node, view(node)) for node in checks})


async def failing_already(parts: Parts, plan: Plan) -> frozenset[str]:
    """Checks that gate this plan, have passed in an earlier run, and fail now, before anything was touched.

    Such a failure is not the plan's doing, so it never leads to an undo. They look at what was recorded, not planned.
    """
    known = {
        record.address: (plan.nodes[operation.address], partial(parts.record_view, record))
        for operation in plan.operations
        if operation.verb == "check"
        and (record := parts.state.latest(operation.address)) is not None
        and record.digest == plan.nodes[operation.address].digest
    }
    return frozenset(await _look(parts, known))


async def _look(parts: Parts, views: Mapping[str, tuple[Node, Callable[[], Any]]]) -> dict[str, str]:
    found: dict[str, str] = {}

    async def look(address: str, node: Node, view: Callable[[], Any]) -> None:
        call = parts.call(address, address, node)
        try:
            provider = parts.kinds.get(node.kind).provider
            outcome = await answered(lambda: provider.create(call, view()), parts.clock, provider)
        except Exception as error:  # noqa: BLE001 - whatever a probe raises, it did not pass.
            failure = clean_error(as_provider_error(error), parts.redactor)
            found[address] = failure.detail or failure.summary
            return
        if not isinstance(outcome, Done):
            found[address] = parts.redactor.clean(outcome.progress)

    await asyncio.gather(*(look(address, node, view) for address, (node, view) in views.items()))
    return found
