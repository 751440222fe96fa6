"""A kind that is found by its tag and takes its time, with a point in each look."""

from __future__ import annotations

from typing import Any

from purvey import Input, Output, Resource
from purvey.providers import Call, Done, Outcome, Pending
from tests.support import points
from tests.support.kinds import TaggedProvider
from tests.support.world import here


class KilnProvider(TaggedProvider):
    """Is ready after as many looks as its size says."""

    def outcome(self, key: str) -> Outcome:
        """Pending at first."""
        return Pending(key, 10.0, "heating")

    async def ready(self, call: Call, want: Any) -> Outcome:
        """Count the looks."""
        points.called("in a look")
        with here().edited() as content:
            entry = content["objects"][call.id]
            entry["polls"] = entry.get("polls", 0) + 1
        if entry["polls"] < want.size:
            return Pending(call.id, 10.0, f"{entry['polls']} of {want.size}")
        return Done(call.id, self.outputs(call.id))


class Kiln(Resource, kind="test.Kiln", provider=KilnProvider):
    """Is hot after a while."""

    size: int = Input(default=2)
    key: str = Output(stable=True)
    revision: int = Output()
    label: str = Output()
