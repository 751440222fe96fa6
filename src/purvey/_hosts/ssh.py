"""A shell over OpenSSH's protocol: many commands at once over the one connection to a machine.

No command is ever sent twice: what was lost before it was sent is tried again, what was lost after is the caller's to judge.
"""

from __future__ import annotations

import asyncio
from typing import Final

from purvey._base.limits import ATTEMPTS_MAX
from purvey._hosts import ssh_errors as errors
from purvey._hosts.ssh_hop import Hop
from purvey._hosts.ssh_library import asyncssh
from purvey._hosts.ssh_link import Link
from purvey._hosts.ssh_pipes import WINDOW_BYTES, SshPipes

COMMANDS_MAX: Final = 1_000
"""Commands at once on one machine until it refuses one: most take 10 (MaxSessions), and there is no way to ask."""


class SshShell:
    """See `purvey._hosts.shell.Shell`.

    Args:
        link: The connection to the machine.
    """

    def __init__(self, link: Link) -> None:
        self._link = link
        self._most = COMMANDS_MAX
        self._freed = asyncio.Event()

    async def start(self, command: str) -> SshPipes:
        """See `Shell.start`."""
        for last in [*[False] * (ATTEMPTS_MAX - 1), True]:
            await self._turn()
            try:
                return await self._begun(command)
            except asyncssh.ChannelOpenError as error:
                if last or (self._link.is_connected() and not self._link.users):
                    raise errors.no_session(self._link.where(), error) from error
                if self._link.is_connected():
                    self._most = self._link.users
        raise AssertionError

    async def close(self) -> None:
        """See `Shell.close`."""
        await self._link.close()

    async def _turn(self) -> None:
        """Return when the machine takes one more command, as far as we know."""
        while self._link.users >= self._most:
            self._freed.clear()
            await self._freed.wait()

    async def _begun(self, command: str) -> SshPipes:
        self._link.begin()
        pipes = SshPipes(self._link.where, self._ended)
        try:
            await _open(await self._link.connection(), pipes, command, self._link.where())
        except BaseException as error:
            pipes.connection_lost(error if isinstance(error, Exception) else None)
            raise
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
    try:
        await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(_abandon)
        raise
    except asyncssh.ChannelOpenError as error:
        if error.code != asyncssh.OPEN_REQUEST_SESSION_FAILED:
            raise
        raise errors.lost(at, None) if connection.is_closed() else errors.no_session(at, error) from error
    except (asyncssh.DisconnectError, OSError) as error:
        raise errors.lost(at, error) from error


def _abandon(opening: asyncio.Future[tuple[asyncssh.SSHClientChannel[bytes], asyncssh.SSHClientSession[bytes]]]) -> None:
    """Close what was opened for somebody who is gone; it would count against MaxSessions."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].close()
