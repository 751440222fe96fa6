"""Bounds what is asked of a provider: a world that never answers keeps nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from purvey._base.limits import CALL_DEADLINE_S
from purvey.errors import ProviderError
from purvey.providers import Provider

T = TypeVar("T")


class UnansweredError(ProviderError):
    """Nobody answered within the time of one call; to ask again would take as long."""


async def bounded(question: Awaitable[T], provider: Provider[Any]) -> T:
    """The answer to a question that changes nothing, within the time of one call, unless its kind has long ones.

    Raises:
        UnansweredError: ``timeout``.
        Exception: what the provider raises.
    """
    deadline = asyncio.timeout(None if provider.long_calls else CALL_DEADLINE_S)
    try:
        async with deadline:
            return await question
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise UnansweredError("timeout", f"There was no answer within {CALL_DEADLINE_S:g} s") from error
