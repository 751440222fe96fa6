"""Whether the world is the one that the environment expects (`expect` in purvey.toml): asked before the first write.

A provider tells what its objects are in: an account, a machine. What is expected and told must agree; where it cannot be told,
the answer is no. Every object that would be touched is asked about, since each may be in a place of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from purvey._apply.attempt import answered
from purvey._base.limits import PARALLEL_DEFAULT
from purvey._gate.expected import refuse_strangers
from purvey.errors import InternalError, PurveyError
from purvey.providers import Call, Finding, NotKnownError, Provider

if TYPE_CHECKING:
    from purvey._apply.parts import Parts
    from purvey._graph import Node
    from purvey._plan.plan import Plan
    from purvey._state.resource import ResourceState
    from purvey.providers import Kind


_CLOSE: Final = 0.85
"""How alike two names are of which one is taken for a slip: one letter of seven. ``region`` and ``version`` are not."""


class _Asked(NamedTuple):
    kind: Kind
    container: str
    address: str
    source: str
    call: Callable[[], Call]
    view: Callable[[], Any]


async def strangers(
    parts: Parts, expect: Mapping[str, str], plan: Plan, call: Callable[[Node], Call], view: Callable[[Node], Any]
) -> tuple[Finding, ...]:  # fmt: skip
    """What the plan would touch elsewhere than it is expected."""
    if not expect:
        return ()
    wanted: list[_Asked] = []
    for change in (change for change in plan.changes if change.touches):
        node, record = plan.nodes.get(change.address), parts.state.resources.get((change.address, change.generation))
        if node is not None:
            wanted.append(_of_node(parts, node, call, view))
        elif record is not None:
            wanted.append(_of_record(parts, record))
    return await _strangers(parts, expect, wanted)


async def require_expected(parts: Parts, expect: Mapping[str, str], records: Iterable[ResourceState]) -> None:
    """Stop before objects are touched elsewhere than they are expected; one whose container is gone is nowhere.

    Raises:
        RefusedError: ``refused.unexpected_world``.
    """
    if expect:
        there = [record for record in records if not record.container or parts.state.latest(record.container) is not None]
        refuse_strangers(await _strangers(parts, expect, [_of_record(parts, record) for record in there]))


def _of_node(parts: Parts, node: Node, call: Callable[[Node], Call], view: Callable[[Node], Any]) -> _Asked:
    kind = parts.kinds.get(node.kind)
    return _Asked(kind, node.container, node.address, node.source, lambda: call(node), lambda: view(node))


def _of_record(parts: Parts, record: ResourceState) -> _Asked:
    def call() -> Call:
        return parts.call(record.address, record.name, record, object_id=record.id)

    kind = parts.kinds.get(record.kind)
    return _Asked(kind, record.container, record.address, record.source, call, lambda: parts.record_view(record))


async def _strangers(parts: Parts, expect: Mapping[str, str], wanted: Iterable[_Asked]) -> tuple[Finding, ...]:
    """What is wrong with the places of objects; where several of one kind and container say the same, one tells it."""
    able = [asked for asked in wanted if type(asked.kind.provider).identity is not Provider.identity]
    turns = asyncio.Semaphore(PARALLEL_DEFAULT)
    told = await asyncio.gather(*(_told(parts, asked, turns) for asked in able))
    heard = {what for place in told if not isinstance(place, PurveyError) for what in place}
    found: dict[tuple[str, str, str], Finding] = {}
    for asked, place in zip(able, told, strict=True):
        for problem in _problems(expect, place, heard):
            finding = Finding(asked.address, problem, source=asked.source)
            found.setdefault((asked.kind.name, asked.container, problem), finding)
    return tuple(found.values())


async def _told(parts: Parts, asked: _Asked, turns: asyncio.Semaphore) -> Mapping[str, str] | PurveyError:
    """What an object is in; the error where that cannot be told."""
    try:
        async with turns:
            call, view, provider = asked.call(), asked.view(), asked.kind.provider
            return await answered(lambda: provider.identity(call, view), parts.clock, provider)
    except NotKnownError:  # It is in what the run makes first, and that was asked about.
        return {}
    except InternalError:
        raise
    except PurveyError as error:
        return error


def _problems(expect: Mapping[str, str], place: Mapping[str, str] | PurveyError, heard: set[str]) -> Iterator[str]:
    """How the place of an object is not the expected one."""
    if isinstance(place, PurveyError):
        yield f"what it is in cannot be told: {place.summary} {place.detail}".rstrip()
        return
    for what, name in expect.items():
        if what in place and place[what] != name:
            yield f"its {what} is {place[what]!r}, and the environment expects {name!r}"
    yield from _slips(expect, place, heard)


def _slips(expect: Mapping[str, str], place: Mapping[str, str], heard: set[str]) -> Iterator[str]:
    """Expectations that nothing tells about, called nearly as something that is told: misspelt, they would protect nothing."""
    unheard = [what for what in expect if what not in heard]
    if unheard:
        from difflib import get_close_matches  # noqa: PLC0415 - only a slip pays for it.

        for what in unheard:
            for meant in get_close_matches(what, [name for name in place if name not in expect], n=1, cutoff=_CLOSE):
                yield f"the environment expects a {what!r}, which nothing tells; did you mean {meant!r}?"
