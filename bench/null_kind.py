"""A kind whose provider does nothing, so that what a run costs is the engine's own work.

Copied beside each measured script, as a user's own kind would lie there. It answers like an API with a list call: one read
tells about many objects, and knows nothing of them but that they are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from purvey import Input, Output, Resource
from purvey.providers import Call, Done, Observed, Present, Provider


class NullProvider(Provider["Null"]):
    """Makes, changes and removes nothing, at once."""

    async def read_many(self, call: Call, ids: Sequence[str]) -> Mapping[str, Observed]:
        """See `Provider.read_many`: all of them are there."""
        return {object_id: Present(object_id, {}) for object_id in ids}

    async def create(self, call: Call, want: Null) -> Done:
        """See `Provider.create`; the id is one that nobody can know before, as an API's would be."""
        return Done(call.token, {"id": call.token})

    async def update(self, call: Call, have: Null, want: Null) -> Done:
        """See `Provider.update`."""
        return Done(call.id, {"id": call.id})

    async def delete(self, call: Call, have: Null) -> None:
        """See `Provider.delete`."""


class Null(Resource, kind="bench.Null", provider=NullProvider):
    """An object that exists in the record only."""

    value: str = Input(doc="Any text.")
    id: str = Output(stable=True, doc="Chosen when it is made; never changes.")
