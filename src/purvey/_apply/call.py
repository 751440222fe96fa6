"""The gate between a provider and the world: one `EngineCall` for each operation."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from purvey._base.address import full, split

if TYPE_CHECKING:
    from purvey._base.clock import Clock
    from purvey._hosts.connector import Connector

PHYSICAL_NAME_MAX: Final = 63
"""Characters in a physical name: a DNS label, and PostgreSQL's identifiers, end there."""


class EngineCall:
    """See `purvey.providers.Call` for what each means to a provider."""

    __slots__ = (
        "_folder", "_guard", "_host", "_identify", "_progress", "address", "attempt", "clock", "estate", "id", "name", "run",
        "token", "undoes",
    )  # fmt: skip

    def __init__(
        self,
        *,
        address: str,
        clock: Clock,
        folder: Callable[[], str],
        host: Callable[[], Connector],
        name: str,
        run: str,
        estate: str = "",
        object_id: str = "",
        token: str = "",
        undoes: str = "",
        identify: Callable[[str], Awaitable[None]] | None = None,
        progress: Callable[[str], None] | None = None,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        self.address = address
        self.clock = clock
        self._folder = folder
        self._host = host
        self.id = object_id
        self.token = token
        self.attempt = 1
        self.undoes = undoes
        self.name = name
        self.run = run
        self.estate = estate
        self._identify = identify
        self._progress = progress
        self._guard = guard

    @property
    def mark(self) -> str:
        """Whose the object is, for its tags."""
        return f"{self.estate}/{self.address}"

    @property
    def host(self) -> Connector:
        """The machine that the node is `on`, as long as the lease is ours."""
        self._guard()
        return self._host()

    def check_lease(self) -> None:
        """Return if the lease is still ours."""
        self._guard()

    @property
    def folder(self) -> str:
        """Where the object keeps its own files; made up when it is asked for, because most kinds never do."""
        return self._folder()

    async def identified(self, object_id: str) -> None:
        """Record durably that the object exists under `object_id`."""
        if object_id != self.id and self._identify is not None:
            await self._identify(object_id)
        self.id = object_id

    def progress(self, text: str) -> None:
        """Tell the person who watches what happens now."""
        if self._progress is not None:
            self._progress(text)


def physical_name(estate: str, stack: str, address: str, generation: int) -> str:
    """A name for an object in a world that lets us choose: readable, unique in the estate, at most 63 characters.

    It is chosen once and recorded; it is never computed again for a live object.
    """
    suffix = hashlib.sha256(f"{estate}:{full(stack, address)}:{generation}".encode()).hexdigest()[:8]
    readable = re.sub(r"[^a-z0-9]+", "-", f"{stack}-{split(address)[2]}".lower()).strip("-")
    return f"{readable[: PHYSICAL_NAME_MAX - 9].rstrip('-')}-{suffix}"
