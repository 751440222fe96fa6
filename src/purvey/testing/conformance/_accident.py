"""Accidents: the kind's own method has its effect, and then something goes wrong on the way back.

Each wraps one method of the kind's one provider instance, for the node under test only, for the length of a ``with`` block.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from purvey.errors import ProviderError
from purvey.providers import Done, Pending

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from purvey.providers import Outcome, Provider
    from purvey.testing.conformance._case import Case

Method = Callable[..., Awaitable[Any]]


@contextmanager
def replaced(provider: Provider[Any], **methods: Method) -> Iterator[None]:
    """Put `methods` in the place of the provider's own."""
    for name, method in methods.items():
        setattr(provider, name, method)
    try:
        yield
    finally:
        for name in methods:
            delattr(provider, name)


def _provider(case: Case) -> Provider[Any]:
    return case.kind._kind.provider  # noqa: SLF001 - the test kit knows it.


def _is_subject(call: Any) -> bool:
    return bool(call.address.endswith("::subject"))


def twice(case: Case) -> AbstractContextManager[None]:
    """Each create is performed two times, with the same token and name."""
    create = _provider(case).create

    async def again(call: Any, want: Any) -> Outcome:
        """Create, and once more."""
        if _is_subject(call):
            await create(call, want)
        return await create(call, want)

    return replaced(_provider(case), create=again)


def lost_answer(case: Case) -> AbstractContextManager[None]:
    """The first create has its effect, and nobody hears of it: it ends in a timeout."""
    create = _provider(case).create
    lost: list[str] = []

    async def unheard(call: Any, want: Any) -> Outcome:
        """Create, and the first time fail all the same."""
        outcome = await create(call, want)
        if not _is_subject(call) or lost:
            return outcome
        lost.append(call.token)
        raise ProviderError("timeout", "The answer was lost", detail="by the conformance kit", may_exist=True)

    return replaced(_provider(case), create=unheard)


def endless(case: Case) -> AbstractContextManager[None]:
    """What is made is never seen as complete."""
    create, ready = _provider(case).create, _provider(case).ready

    async def begin(call: Any, want: Any) -> Outcome:
        """Create, and call it incomplete."""
        return _held(call, await create(call, want))

    async def wait(call: Any, want: Any) -> Outcome:
        """Call it incomplete."""
        return Pending(call.id, 0.01, "held back by the conformance kit") if _is_subject(call) else await ready(call, want)

    return replaced(_provider(case), create=begin, ready=wait)


def _held(call: Any, outcome: Outcome) -> Outcome:
    if _is_subject(call) and isinstance(outcome, Done):
        return Pending(outcome.id, 0.01, "held back by the conformance kit")
    return outcome
