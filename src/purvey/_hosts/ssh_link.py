"""One connection to each machine, made when it is first needed and made again after it was lost; bastions are shared.

A machine that drops new connections before the login has too many at once, so we come back later; all else is told at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

from purvey._base.clock import Clock
from purvey._base.limits import ATTEMPTS_MAX, BACKOFF_S, BACKOFF_S_MAX
from purvey._hosts import ssh_errors as errors
from purvey._hosts.route import SshRoute
from purvey._hosts.ssh_hop import CHEAP_CIPHER, KEEPALIVE_COUNT, KEEPALIVE_S, LOGIN_S, Hop, has_configuration, hop, target
from purvey._hosts.ssh_keys import Keyring
from purvey._hosts.ssh_library import asyncssh
from purvey._hosts.ssh_login import Login
from purvey._hosts.ssh_trust import Trust
from purvey.errors import HostError

CONNECTIONS_MAX: Final = 400
"""Machines connected to at once: each costs a file, and the usual limit is 1,024. For more, the one idle longest is left."""


class Links:
    """The connections of one run.

    Args:
        clock: For back-off.
        opening: Bounds how many connections are being made at once.
    """

    def __init__(self, clock: Clock, opening: asyncio.Semaphore) -> None:
        self.clock = clock
        self.opening = opening
        self.keyring = Keyring()
        self._hops: dict[SshRoute, Hop] = {}
        self._links: dict[SshRoute, Link] = {}
        self._freed = asyncio.Event()

    def link(self, route: SshRoute) -> Link:
        """The one connection of a route."""
        if route not in self._links:
            self._links[route] = Link(route, self)
        return self._links[route]

    async def hop(self, route: SshRoute) -> Hop:
        """Where a route leads, read once; a configuration in a thread, because it can run programs (Match exec)."""
        if route not in self._hops:
            reading = partial(hop, route, self._hops)
            self._hops[route] = await asyncio.to_thread(reading) if has_configuration(route) else reading()
        return self._hops[route]

    async def room(self) -> None:
        """Return when one more machine may be connected to; bastions do not count, as others wait behind them."""
        while (
            len(connected := [link for link in self._links.values() if link.is_connected() and not link.bastion])
            >= CONNECTIONS_MAX
        ):
            idle = min((link for link in connected if not link.users), key=lambda link: link.used, default=None)
            if idle is None:
                self._freed.clear()
                await self._freed.wait()
            else:
                await idle.close()

    def freed(self) -> None:
        """A machine is used less than before."""
        self._freed.set()

    async def close(self) -> None:
        """Give up every connection, those behind bastions first."""
        for link in sorted(self._links.values(), key=lambda link: link.bastion):
            await link.close()
        await self.keyring.close()


class Link:
    """The connection to one machine.

    Args:
        route: How to get in.
        links: What it shares with the others.

    Attributes:
        users: Commands that run over it.
        used: When one was begun last.
        bastion: Whether it leads on to others.
        is_queued: Whether it waits until others are connected to.
    """

    def __init__(self, route: SshRoute, links: Links) -> None:
        self.users = 0
        self.used = 0.0
        self.bastion = False
        self.is_queued = False
        self._hop: Hop | None = None
        self._route = route
        self._links = links
        self._making: asyncio.Task[asyncssh.SSHClientConnection] | None = None

    def where(self) -> Hop:
        """Where it leads; known since the first attempt."""
        assert self._hop is not None
        return self._hop

    async def connection(self) -> asyncssh.SSHClientConnection:
        """The connection; made if there is none.

        Raises:
            HostError: See `Shell.start`.
        """
        if self._making is None or (self._making.done() and not self.is_connected()):
            self._making = asyncio.get_running_loop().create_task(self._made())
            self._making.add_done_callback(_heard)
        return await asyncio.shield(self._making)

    def is_connected(self) -> bool:
        """Whether there is a connection that was not lost."""
        made = self._making
        return made is not None and made.done() and _failure(made) is None and not made.result().is_closed()

    async def close(self) -> None:
        """Give up the connection; the next command makes another."""
        made, self._making = self._making, None
        if made is None:
            return
        made.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            connection = await made
            connection.close()
            await connection.wait_closed()

    def begin(self) -> None:
        """Count a command."""
        self.users += 1
        self.used = self._links.clock.monotonic()

    def end(self) -> None:
        """Count it no more."""
        self.users -= 1
        self._links.freed()

    async def pause(self, attempt: int) -> None:
        """Wait before the next attempt: longer each time, and for a chance part of it, so that many come back apart."""
        clock = self._links.clock
        await clock.sleep(min(BACKOFF_S_MAX, BACKOFF_S * 2 ** (attempt - 1)) * clock.random())

    async def _made(self) -> asyncssh.SSHClientConnection:
        self._hop = await self._links.hop(self._route)
        for attempt in range(ATTEMPTS_MAX):
            if attempt:
                await self.pause(attempt)
            with contextlib.suppress(errors.DroppedError):
                return await self._attempt(self._hop)
        raise errors.dropped(self._hop, ATTEMPTS_MAX)

    async def _attempt(self, at: Hop) -> asyncssh.SSHClientConnection:
        tunnel = await self._bastion(at.via) if at.via else None
        async with self._turn():
            trust = Trust(at)
            connection = await _connected(at, trust, self._links.keyring, tunnel)
        try:
            trust.record()
        except HostError:
            connection.abort()
            raise
        return connection

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """The time in which this machine is connected to."""
        self.is_queued = True
        try:
            if not self.bastion:
                await self._links.room()
            async with self._links.opening:
                self.is_queued = False
                yield
        finally:
            self.is_queued = False

    async def _bastion(self, via: Hop) -> asyncssh.SSHClientConnection:
        link = self._links.link(via.route)
        link.bastion = True
        return await link.connection()


async def _connected(
    at: Hop, trust: Trust, keyring: Keyring, tunnel: asyncssh.SSHClientConnection | None
) -> asyncssh.SSHClientConnection:
    """One attempt; the time to answer is bounded, and from then on the time to let us in."""
    loop = asyncio.get_running_loop()
    patience = asyncio.timeout(at.connect_s)
    login = Login(at, trust, keyring, answered=lambda: patience.reschedule(loop.time() + LOGIN_S))
    try:
        async with patience:
            return await asyncssh.connect(
                **target(at.route), **_ways(at), **trust.options(), options=at.options, config=None, tunnel=tunnel,
                client_factory=lambda: login, login_timeout=0,
            )  # fmt: skip
    except (OSError, ValueError, asyncssh.Error) as error:
        raise errors.not_connected(error, at, login, trust) from error


def _ways(at: Hop) -> dict[str, Any]:
    """What we prefer where the configuration is silent."""
    return {
        "keepalive_interval": at.setting("ServerAliveInterval") or KEEPALIVE_S,
        "keepalive_count_max": at.setting("ServerAliveCountMax") or KEEPALIVE_COUNT,
        **({} if at.setting("Ciphers") else {"encryption_algs": CHEAP_CIPHER}),
    }


def _heard(made: asyncio.Task[asyncssh.SSHClientConnection]) -> None:
    """Take notice of a failure, although whoever waited for it may be gone."""
    _failure(made)


def _failure(made: asyncio.Task[asyncssh.SSHClientConnection]) -> BaseException | None:
    return asyncio.CancelledError() if made.cancelled() else made.exception()
