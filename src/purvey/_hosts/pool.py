"""The one way to each machine of a run: equal routes share a shell, whatever carries it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from purvey._base.clock import Clock
from purvey._hosts.route import ChrootRoute, NamespaceRoute, Route, SshRoute
from purvey._hosts.shell import Shell

if TYPE_CHECKING:
    from purvey._hosts.ssh_link import Links

OPENING_MAX: Final = 32
"""Connections that are being made at once: a login takes 3 ms of our processor time and up to a second of waiting, so that more
would not be much faster, and what many of them share (a bastion, the name service) drops what comes in a burst."""


class Pool:
    """The shells of one run.

    Args:
        clock: For back-off.
        at_once: Connections that may be in the making at once.
    """

    def __init__(self, clock: Clock, *, at_once: int = OPENING_MAX) -> None:
        self._clock = clock
        self._at_once = at_once
        self._shells: dict[Route, Shell] = {}
        self._links: Links | None = None

    def shell(self, route: Route) -> Shell:
        """The shell of a route; nothing is connected before its first command."""
        if route not in self._shells:
            self._shells[route] = self._made(route)
        return self._shells[route]

    async def close(self) -> None:
        """Give up all ways; commands that run are let go of."""
        for shell in self._shells.values():
            await shell.close()
        self._shells.clear()
        if self._links is not None:
            await self._links.close()

    def _made(self, route: Route) -> Shell:
        match route:
            case SshRoute():
                from purvey._hosts.ssh import SshShell  # noqa: PLC0415 - asyncssh costs 300 ms: only who needs it pays.
                from purvey._hosts.ssh_link import Links  # noqa: PLC0415 - as above.

                self._links = self._links or Links(self._clock, asyncio.Semaphore(self._at_once))
                return SshShell(self._links.link(route))
            case ChrootRoute() | NamespaceRoute():
                from purvey._hosts.enter import EnteredShell  # noqa: PLC0415 - as above; it loads the event loop.

                return EnteredShell(route)
