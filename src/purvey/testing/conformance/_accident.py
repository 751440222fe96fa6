"""Accidents: the kind's own method has its effect, and then something goes wrong on the way back.

Each wraps one method of the kind's one provider instance, for the node under test only, for the length of a ``with`` block.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from purvey.errors import ProviderError
from purvey.providers import Absent, Done, Pending, Present

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from purvey.providers import Observed, Outcome, Provider
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


def lagging(case: Case) -> AbstractContextManager[None]:
    """What is made is not to be seen for half the time that its kind says it may not."""
    provider = _provider(case)
    read, find, ready, read_many = provider.read, provider.find, provider.ready, provider.read_many
    shown_at: dict[str, float] = {}

    def unseen(call: Any, object_id: str) -> bool:
        now = call.clock.now()
        return bool(now < shown_at.setdefault(object_id, now + provider.seen_within_s / 2))

    async def look(call: Any, have: Any) -> Observed:
        """Read, and see nothing yet."""
        seen = await read(call, have)
        return Absent() if isinstance(seen, Present) and _is_subject(call) and unseen(call, seen.id) else seen

    async def search(call: Any, want: Any) -> Observed:
        """Find, and see nothing yet."""
        seen = await find(call, want)
        return Absent() if isinstance(seen, Present) and _is_subject(call) and unseen(call, seen.id) else seen

    async def wait(call: Any, want: Any) -> Outcome:
        """Ask whether it is ready, and be told that it is not there."""
        if _is_subject(call) and unseen(call, call.id):
            raise ProviderError("not_found", "It is not to be seen yet", detail="by the conformance kit")
        return await ready(call, want)

    async def look_at_many(call: Any, ids: Sequence[str]) -> Mapping[str, Observed]:
        """Read many, and see nothing yet of what is new."""
        assert read_many is not None  # Only then it is put in its place.
        seen: Mapping[str, Observed] = await read_many(call, ids)
        return {object_id: item for object_id, item in seen.items() if not unseen(call, object_id)}

    batch = {"read_many": look_at_many} if read_many is not None else {}
    return replaced(provider, read=look, find=search, ready=wait, **batch)


def _held(call: Any, outcome: Outcome) -> Outcome:
    if _is_subject(call) and isinstance(outcome, Done):
        return Pending(outcome.id, 0.01, "held back by the conformance kit")
    return outcome
