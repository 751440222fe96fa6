"""One command over SSH: what it writes is taken when it is asked for, what it reads is sent when there is room."""

from __future__ import annotations

import asyncio
import signal as signals
from collections import deque
from collections.abc import Callable
from typing import Final

from purvey._base.limits import EVIDENCE_BYTES_MAX
from purvey._hosts import ssh_errors as errors
from purvey._hosts.ssh_hop import Hop
from purvey._hosts.ssh_library import asyncssh
from purvey.errors import HostError

CHUNK_BYTES: Final = 65_536
"""At most this many bytes come from one `receive`, and go to the link before we look whether there is room."""

HELD_BYTES: Final = 262_144
"""More than this that nobody has taken, and the command is held up: a few packets ahead of whoever takes them."""

WINDOW_BYTES: Final = 1_048_576
"""What the machine may send before we have taken it: 10 MB/s over a link of 100 ms."""


class SshPipes(asyncssh.SSHClientSession[bytes]):
    """See `purvey._hosts.shell.Pipes` for what each method does.

    Args:
        where: The machine, for errors.
        ended: Called when the command's channel is closed, or it begins to wait for more to do.
    """

    def __init__(self, where: Callable[[], Hop], ended: Callable[[], None]) -> None:
        self._where = where
        self._ended = ended
        self._channel: asyncssh.SSHClientChannel[bytes] | None = None
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._complaints = bytearray()
        self._returncode: int | None = None
        self._at_end = False
        self._closed = False
        self._rests = False
        self._lost: Exception | None = None
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def send(self, data: bytes) -> None:
        """See `Pipes.send`; what an ended command did not read is nobody's."""
        for start in range(0, len(data), CHUNK_BYTES):
            if self._closed or self._channel is None:
                break
            self._channel.write(data[start : start + CHUNK_BYTES])
            await self._room.wait()
        if self._closed and self._returncode is None:
            raise self._gone()

    async def end(self) -> None:
        """See `Pipes.end`."""
        if self._channel is not None and not self._closed:
            self._channel.write_eof()

    async def receive(self) -> bytes:
        """See `Pipes.receive`."""
        while not self._chunks:
            if self._at_end:
                return b""
            if self._closed:
                raise self._gone()
            await self._change()
        chunk = self._chunks.popleft()
        if len(chunk) > CHUNK_BYTES:
            self._chunks.appendleft(chunk[CHUNK_BYTES:])
            chunk = chunk[:CHUNK_BYTES]
        self._held -= len(chunk)
        if self._channel is not None and self._held <= HELD_BYTES:
            self._channel.resume_reading()
        return chunk

    async def wait(self) -> int:
        """See `Pipes.wait`."""
        while self._returncode is None:
            if self._closed:
                raise self._gone()
            await self._change()
        return self._returncode

    def complaints(self) -> bytes:
        """See `Pipes.complaints`."""
        return bytes(self._complaints)

    async def close(self) -> None:
        """See `Pipes.close`."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    def rest(self) -> bool:
        """The command waits for more to do, and counts no more; false if it has ended."""
        if self._closed:
            return False
        self._rests = True
        self._ended()
        return True

    def wake(self) -> bool:
        """It gets more to do; false if it has ended."""
        self._rests = False
        return not self._closed

    def connection_made(self, chan: asyncssh.SSHClientChannel[bytes]) -> None:
        """See `asyncssh.SSHClientSession`."""
        self._channel = chan

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """See `asyncssh.SSHClientSession`."""
        if datatype == asyncssh.EXTENDED_DATA_STDERR:
            self._complaints = (self._complaints + data)[-EVIDENCE_BYTES_MAX:]
            return
        self._chunks.append(data)
        self._held += len(data)
        if self._held > HELD_BYTES and self._channel is not None:
            self._channel.pause_reading()
        self._changed.set()

    def eof_received(self) -> bool:
        """See `asyncssh.SSHClientSession`; true, because what is written says nothing about what is read."""
        self._at_end = True
        self._changed.set()
        return True

    def exit_status_received(self, status: int) -> None:
        """See `asyncssh.SSHClientSession`."""
        self._returncode = status
        self._changed.set()

    def exit_signal_received(self, signal: str, core_dumped: bool, msg: str, lang: str) -> None:  # noqa: FBT001 - as inherited.
        """See `asyncssh.SSHClientSession`."""
        self._returncode = -getattr(signals, f"SIG{signal}", signals.SIGKILL)
        self._changed.set()

    def pause_writing(self) -> None:
        """See `asyncssh.SSHClientSession`."""
        self._room.clear()

    def resume_writing(self) -> None:
        """See `asyncssh.SSHClientSession`."""
        self._room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncssh.SSHClientSession`; also when the command has ended, or never began. Only the first time counts."""
        if self._closed:
            return
        self._closed, self._lost = True, exc
        self._at_end = self._at_end or self._returncode is not None
        self._room.set()
        self._changed.set()
        if not self._rests:
            self._ended()

    def _gone(self) -> HostError:
        return errors.lost(self._where(), self._lost)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()
