"""A container that makes room for its replacement, and what lives in it."""

from __future__ import annotations

from typing import Any

from purvey import Input, Output, Resource
from tests.support.kinds import TaggedProvider, ThingProvider


class Cabinet(Resource, kind="test.Cabinet", provider=ThingProvider, delete_first=True):
    """A container of which only one can be there at a time."""

    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)


class TrayProvider(TaggedProvider):
    """Lives in a cabinet."""

    def fields(self, want: Any) -> dict[str, Any]:
        """With the cabinet that it is in."""
        return {**super().fields(want), "shelf": want.cabinet.key}


class Tray(Resource, kind="test.Tray", provider=TrayProvider):
    """Lives in a cabinet, and is found again by its tag."""

    cabinet: Cabinet = Input(container=True)
    color: str = Input(default="red", immutable=True)
    key: str = Output(stable=True)
