"""What lives on a machine: a provider whose objects are where the node is `on`, and says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from purvey.providers import Call, Provider

R = TypeVar("R")


class MachineProvider(Provider[R]):
    """The base of the providers of files, processes and servers on a machine."""

    async def identity(self, call: Call, want: R) -> Mapping[str, str]:
        """The machine, by what names it and no other."""
        return {"machine": await call.host.identity()}
