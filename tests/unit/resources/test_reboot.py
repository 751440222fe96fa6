"""Waiting for a machine that was restarted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import pytest

from purvey._hosts.connector import Connector
from purvey._hosts.fact import Answers, Fact
from purvey.errors import HostError
from purvey.providers import Pending
from purvey.resources import host
from purvey.testing import PlainCall, view
from tests.unit.resources.life import provider


class Shut:
    """A machine that answers every question with an error.

    Args:
        code: The error's.
    """

    def __init__(self, code: str) -> None:
        self._code: Any = code

    async def ask(self, facts: Sequence[Fact]) -> Answers:
        """The error."""
        raise HostError(self._code, "A host does not let us in")


@pytest.mark.parametrize(
    ("code", "progress"), [("unavailable", "it does not answer yet"), ("denied", "it does not let us in yet")]
)
async def test_a_machine_that_is_not_back_is_waited_for(code: str, progress: str) -> None:
    """While systemd starts all the rest, sshd lets in nobody but root; a run that was killed comes back at any moment."""
    want = view(host.Reboot, when="two")
    call = PlainCall("/var/lib/purvey/objects/x", host=cast("Connector", Shut(code)))

    for waiting in (await provider(want).ready(call, want), await provider(want).update(call, want, want)):
        assert isinstance(waiting, Pending)
        assert waiting.progress == progress


async def test_a_machine_that_is_another_one_is_not_waited_for() -> None:
    """A key that does not fit is told at once."""
    want = view(host.Reboot, when="two")
    call = PlainCall("/var/lib/purvey/objects/x", host=cast("Connector", Shut("invalid")))

    with pytest.raises(HostError, match="does not let us in"):
        await provider(want).ready(call, want)
