"""Looks closer at what is not as it is recorded, so that people see what somebody has changed, and not only that he did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from purvey._apply.redacting import cleaned
from purvey._gate.machines import Inquiry, inquire
from purvey._plan.decision import matches
from purvey.errors import PurveyError
from purvey.providers import Present
from purvey.providers.host import HostProvider, is_asked_together

if TYPE_CHECKING:
    from purvey._apply.parts import Parts
    from purvey._hosts.fact import Answers, Fact
    from purvey._state.resource import ResourceState
    from purvey.providers import Observed
    from purvey.providers.host import Place


async def look_closer(
    parts: Parts, records: Sequence[ResourceState], found: Mapping[tuple[str, int], Observed]
) -> dict[tuple[str, int], Observed]:
    """What is seen of those objects on machines of which more can be told; each machine is asked once, if there are any.

    Whoever ignores drift of an object sees no more of it.
    """
    inquiries: list[Inquiry] = []
    seen: dict[Any, Present] = {}
    for record in records:
        key, provider = (record.address, record.generation), parts.kinds.get(record.kind).provider
        now = found.get(key)
        if type(now) is not Present or not is_asked_together(provider) or record.ignore or matches(now.values, record):
            continue
        seen[key] = now
        call = parts.call(record.address, record.name, record, object_id=record.id)
        inquiries.append(Inquiry(key, call, provider, partial(_asked, provider, now), partial(parts.record_view, record)))
    clearer: dict[tuple[str, int], Observed] = {}
    for key, reply in (await inquire(inquiries)).items():
        try:
            clearer[key] = cleaned(reply.read(partial(_told, reply.provider, seen[key])), parts.redactor)
        except PurveyError:  # What was seen before is still true.
            continue
    return clearer


def _asked(provider: HostProvider[Any], seen: Present, place: Place, have: Any) -> Sequence[Fact]:
    return provider.unclear(place, have, seen)


def _told(provider: HostProvider[Any], seen: Present, place: Place, have: Any, answers: Answers) -> Present:
    return provider.clearer(place, have, seen, answers) if provider.unclear(place, have, seen) else seen
