"""A kind that is found by its tag and takes its time, with a point in each look."""

from __future__ import annotations

from typing import Any

from purvey import Input, Output, Resource
from purvey.providers import Call, Outcome
from tests.support import points
from tests.support.kinds import SlowProvider, TaggedProvider


class KilnProvider(SlowProvider, TaggedProvider):
    """Is ready after as many looks as its size says."""

    async def ready(self, call: Call, want: Any) -> Outcome:
        """Count the looks."""
        points.called("in a look")
        return await super().ready(call, want)


class Kiln(Resource, kind="test.Kiln", provider=KilnProvider):
    """Is hot after a while."""

    size: int = Input(default=2)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()
