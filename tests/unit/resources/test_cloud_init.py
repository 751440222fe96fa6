"""Waiting for a new machine."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from purvey._hosts.connector import Connector
from purvey._hosts.fact import Answers, Fact
from purvey.resources import host
from purvey.resources._probe import Failed
from purvey.resources.host import cloud_init
from purvey.testing import PlainCall, view


class Busy:
    """A machine that never gets round to an answer."""

    async def ask(self, facts: Sequence[Fact]) -> Answers:
        """Nothing."""
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_machine_that_is_too_busy_to_answer_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """No answer in time is one look that saw nothing, and not the end of the wait."""
    monkeypatch.setattr(cloud_init, "ANSWER_S", 0.01)
    call = PlainCall("/var/lib/purvey/objects/x", host=cast("Connector", Busy()))

    seen = await cloud_init.CloudInitProvider().attempt(call, view(host.CloudInit))

    assert isinstance(seen, Failed)
    assert "did not answer within" in str(seen)
