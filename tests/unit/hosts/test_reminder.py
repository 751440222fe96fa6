"""People are told what is waited for: in turn, however many wait, and no more once there is an answer."""

from __future__ import annotations

import asyncio
import re

import pytest

from purvey._hosts.reminder import Reminder


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """People begin to wonder at once."""
    monkeypatch.setattr("purvey._hosts.reminder.FIRST_S", 0.0)
    monkeypatch.setattr("purvey._hosts.reminder.AGAIN_S", 0.0)


async def turns(number: int) -> None:
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_many_who_wait_are_told_as_one() -> None:
    """The timer that is due comes up in each turn of the loop, once."""
    alone: list[str] = []
    with Reminder("web", alone.append).waiting():
        await turns(10)
    said: list[str] = []
    reminder = Reminder("web", said.append)
    with reminder.waiting(), reminder.waiting(), reminder.waiting():
        await turns(10)

    assert alone
    assert len(said) == len(alone)
    assert all(re.fullmatch(r"waiting web: no answer for \d+ s", text) for text in said)


async def test_who_still_waits_is_told_until_there_is_an_answer() -> None:
    """An answer to one says nothing of the others; and it may be told twice that there is one."""
    said: list[str] = []
    reminder = Reminder("web", said.append)
    with reminder.waiting() as first, reminder.waiting() as second:
        first()
        first()
        await turns(5)
        before = len(said)
        second()
        await turns(5)
        after = len(said)
    await turns(5)

    assert before > 0
    assert len(said) == after == before
