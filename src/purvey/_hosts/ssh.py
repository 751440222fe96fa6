"""A shell over OpenSSH's protocol: many commands at once over the one connection to a machine.

No command is ever sent twice: what was lost before it was sent is tried again, what was lost after is the caller's to judge.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from purvey._base.limits import ATTEMPTS_MAX
from purvey._hosts import ssh_errors as errors
from purvey._hosts.ssh_hop import Hop
from purvey._hosts.ssh_library import asyncssh
from purvey._hosts.ssh_link import Link
from purvey._hosts.ssh_pipes import WINDOW_BYTES, SshPipes

if TYPE_CHECKING:
    from purvey._hosts.shell import Pipes

COMMANDS_MAX: Final = 1_000
"""Commands at once on one machine until it refuses one: most take 10 (MaxSessions), and there is no way to ask."""


class SshShell:
    """See `purvey._hosts.shell.Shell`.

    Args:
        link: The connection to the machine.
    """

    lasts = True

    def __init__(self, link: Link) -> None:
        self._link = link
        self._parked: list[SshPipes] = []
        self._most = COMMANDS_MAX
        self._freed = asyncio.Event()
        self._queued = 0

    def is_queued(self, waiting: int) -> bool:
        """See `Shell.is_queued`."""
        return self._link.is_queued or self._queued >= waiting

    async def start(self, command: str) -> SshPipes:
        """See `Shell.start`."""
        attempt = 1
        while True:
            await self._turn()
            try:
                return await self._begun(command)
            except asyncssh.ChannelOpenError as error:
                if self._link.is_connected() and self._takes_no_more():
                    continue
                if attempt == ATTEMPTS_MAX:
                    raise errors.no_session(self._link.where(), error) from error
            if self._link.is_connected():  # One that we have let go of may still hold its place.
                await self._link.pause(attempt)
            attempt += 1

    async def park(self, pipes: Pipes) -> None:
        """See `Shell.park`."""
        assert isinstance(pipes, SshPipes)
        if pipes.rest():
            self._parked.append(pipes)

    def resume(self, pipes: Pipes) -> bool:
        """See `Shell.resume`."""
        assert isinstance(pipes, SshPipes)
        if pipes not in self._parked:
            return False
        self._parked.remove(pipes)
        return self._woken(pipes)

    async def close(self) -> None:
        """See `Shell.close`."""
        self._parked.clear()
        await self._link.close()

    async def _turn(self) -> None:
        """Return when the machine takes one more command, as far as we know; what waits for more to do makes room."""
        while self._link.users + len(self._parked) >= self._most:
            self._freed.clear()
            if self._parked:
                pipes = self._parked.pop(0)
                self._woken(pipes)  # It counts until it has ended, as the server counts it.
                await pipes.close()
            else:
                self._queued += 1
                try:
                    await self._freed.wait()
                finally:
                    self._queued -= 1

    def _woken(self, pipes: SshPipes) -> bool:
        is_there = pipes.wake()
        if is_there:
            self._link.begin()
        return is_there

    def _takes_no_more(self) -> bool:
        """Whether it refused one because of others of ours, whose number is what it takes: then it is no failure to wait."""
        if open_now := self._link.users + len(self._parked):
            self._most = open_now
        return open_now > 0

    async def _begun(self, command: str) -> SshPipes:
        self._link.begin()
        pipes = SshPipes(self._link.where, self._ended)
        try:
            connection = await self._link.connection()
        except BaseException:
            pipes.connection_lost(None)
            raise
        await _open(connection, pipes, command, self._link.where())
        return pipes

    def _ended(self) -> None:
        self._link.end()
        self._freed.set()


async def _open(connection: asyncssh.SSHClientConnection, pipes: SshPipes, command: str, at: Hop) -> None:
    """Send the command.

    Raises:
        ChannelOpenError: if it was not sent, because the machine takes no more of them or the connection was lost.
        HostError: if it was sent, and lost or refused.
    """
    opening = asyncio.ensure_future(connection.create_session(lambda: pipes, command, window=WINDOW_BYTES))
    opening.add_done_callback(lambda _: pipes.connection_lost(None) if _failed(opening) else None)
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        # What was opened for somebody who is gone is closed, and counts until then, as the server counts it.
        opening.add_done_callback(lambda _: None if _failed(opening) else opening.result()[0].close())
        raise
    except asyncssh.ChannelOpenError as error:
        if error.code != asyncssh.OPEN_REQUEST_SESSION_FAILED:
            raise
        raise errors.lost(at, None) if connection.is_closed() else errors.no_session(at, error) from error
    except (asyncssh.DisconnectError, OSError) as error:
        raise errors.lost(at, error) from error


def _failed(opening: asyncio.Future[Any]) -> bool:
    return opening.cancelled() or opening.exception() is not None
