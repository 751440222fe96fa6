"""Asks machines what many objects need to know, each machine once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from purvey._base.limits import CALL_DEADLINE_S, HOSTS_AT_ONCE
from purvey._gate.question import UnansweredError
from purvey._hosts.fact import Answers
from purvey.errors import PurveyError
from purvey.providers import Call, NotKnownError
from purvey.providers.host import HostProvider, Place, place_of

if TYPE_CHECKING:
    from purvey._hosts.connector import Connector
    from purvey._hosts.fact import Fact

    Told = dict[Connector, Answers | Exception]
    """What machines have answered so far, or why one has not."""


PLANNED: Final = "planned"
"""The token of operations that nobody performs yet: with one, kinds say what they ask in order to change something."""


class Inquiry(NamedTuple):
    """What one object needs to know.

    Attributes:
        key: Tells it from the others.
        call: Its gate.
        provider: Its kind's provider.
        facts: Says what is asked, for a place and the object.
        subject: Makes the object; raises NotKnownError while it cannot be made.
    """

    key: Any
    call: Call
    provider: HostProvider[Any]
    facts: Callable[[Place, Any], Sequence[Fact]]
    subject: Callable[[], Any]


class Reply(NamedTuple):
    """What came of an inquiry: answers, or why there are none."""

    provider: HostProvider[Any]
    place: Place
    subject: Any
    answers: Answers | Exception

    def read(self, see: Callable[[Place, Any, Answers], Any]) -> Any:
        """What one of the provider's methods sees in the answers.

        Raises:
            PurveyError: why there are none.
        """
        if isinstance(self.answers, Exception):
            raise self.answers
        return see(self.place, self.subject, self.answers)


def to_change(provider: HostProvider[Any], place: Place, subject: Any) -> Sequence[Fact]:
    """What must be known to tell what is done to an object, and what would make that fail."""
    planned = msgspec.structs.replace(place, token=PLANNED)
    return [*provider.hazards(place, subject), *provider.facts(planned, subject)]


async def inquire(inquiries: Iterable[Inquiry], told: Told | None = None) -> dict[Any, Reply]:
    """The replies by key; an inquiry that cannot be made, because it needs what is not known yet, has none.

    Args:
        inquiries: What is asked.
        told: What was answered a moment ago, which is not asked again; what is answered now is added.
    """
    told = {} if told is None else told
    asked: dict[Any, tuple[Connector, Sequence[Fact], Reply]] = {}
    replies: dict[Any, Reply] = {}
    for item in inquiries:
        empty = Answers({})
        try:
            place, subject = place_of(item.call), item.subject()
            facts = item.facts(place, subject)
            asked[item.key] = (item.call.host, facts, Reply(item.provider, place, subject, empty))
        except NotKnownError:
            continue
        except PurveyError as error:
            replies[item.key] = Reply(item.provider, Place(), None, error)
    await _ask_all([(host, facts) for host, facts, _ in asked.values() if facts], told)
    for key, (host, _, reply) in asked.items():
        replies[key] = reply._replace(answers=told.get(host, reply.answers))
    return replies


async def _ask_all(asked: Iterable[tuple[Connector, Sequence[Fact]]], told: Told) -> None:
    """Ask each machine everything at once that it has not told yet; one that could not be asked is not tried again."""
    questions: dict[Connector, dict[Fact, None]] = {}
    for host, facts in asked:
        before = told.setdefault(host, Answers({}))
        if not isinstance(before, Exception):
            questions.setdefault(host, {}).update(dict.fromkeys(fact for fact in facts if fact not in before))
    turns = asyncio.Semaphore(HOSTS_AT_ONCE)

    async def ask(host: Connector, facts: Sequence[Fact]) -> Answers | Exception:
        """Ask one machine."""
        try:
            async with turns, asyncio.timeout(CALL_DEADLINE_S):
                return await host.ask(facts)
        except TimeoutError:
            return UnansweredError("timeout", f"There was no answer within {CALL_DEADLINE_S:g} s")
        except PurveyError as error:
            return error

    wanted = {host: tuple(facts) for host, facts in questions.items() if facts}
    answers = await asyncio.gather(*(ask(host, facts) for host, facts in wanted.items()))
    for host, answer in zip(wanted, answers, strict=True):
        before = told[host]
        known = before.known if isinstance(before, Answers) else {}
        told[host] = Answers({**known, **answer.known}) if isinstance(answer, Answers) else answer
