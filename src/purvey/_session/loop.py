"""Runs asynchronous work on an event loop of its own, and gives up every way to a machine at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from purvey._apply.parts import Parts

T = TypeVar("T")


def run_with(parts: Parts, work: Awaitable[T]) -> T:
    """What `work` returns; connections live as long as their loop."""
    return asyncio.run(closing_ways(parts, work))


async def closing_ways(parts: Parts, work: Awaitable[T]) -> T:
    """What `work` returns, with every way to a machine given up."""
    try:
        return await work
    finally:
        await parts.hosts.close()
