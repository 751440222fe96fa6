"""A relay that makes the way to servers longer: whatever it is sent, it passes on later, in both directions.

    python -m purvey.testing.hosts.relay 50 198.18.1.1=192.0.2.11 198.18.1.2=192.0.2.12

adds 50 ms to each round trip to port 22 of two hosts. It says when it listens, and ends when nobody holds its standard input.
Only time is added: what is sent quickly arrives quickly, and in order.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import sys
from typing import Final

from purvey._base.clock import Clock, SystemClock

_PORT: Final = 22
_CHUNK_BYTES: Final = 65_536
_CHUNKS_MAX: Final = 1024
"""On the way in one direction; a sender faster than that waits, as it does for a full window."""


class Relay:
    """Listens on one address, and passes on to another.

    Args:
        clock: The time.
        one_way_s: How long a packet is on its way.
        target: The address of the server.
        port: Its port.
    """

    def __init__(self, clock: Clock, one_way_s: float, target: str, port: int = _PORT) -> None:
        self._clock = clock
        self._one_way_s = one_way_s
        self._target = target
        self._port = port

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection until both sides have closed it, or one broke it; then the other finds it broken, too."""
        with contextlib.ExitStack() as stack:
            stack.callback(writer.close)
            try:
                await self._carry(reader, writer, stack)
            except* OSError:
                writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, stack: contextlib.ExitStack) -> None:
        # The caller is told at once that it is connected. What it sends from then on counts from when it would have known,
        # and the server hears of the connection when the last packet of its making would have come.
        await self._clock.sleep(2 * self._one_way_s)
        there, here = _Way(self._clock, self._one_way_s), _Way(self._clock, self._one_way_s)
        async with asyncio.TaskGroup() as group:
            group.create_task(there.collect(reader))
            await self._clock.sleep(self._one_way_s)
            far_reader, far_writer = await asyncio.open_connection(self._target, self._port)
            stack.callback(far_writer.close)
            for part in (there.deliver(far_writer), here.collect(far_reader), here.deliver(writer)):
                group.create_task(part)


class _Way:
    """One direction of a connection: chunks with the time at which they arrive, then None."""

    def __init__(self, clock: Clock, one_way_s: float) -> None:
        self._clock = clock
        self._one_way_s = one_way_s
        self._chunks: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_CHUNKS_MAX)

    async def collect(self, reader: asyncio.StreamReader) -> None:
        """Take what is sent; the last chunk is empty."""
        chunk = b"-"
        while chunk:
            chunk = await reader.read(_CHUNK_BYTES)
            await self._chunks.put((self._clock.monotonic() + self._one_way_s, chunk))

    async def deliver(self, writer: asyncio.StreamWriter) -> None:
        """Pass on what has arrived."""
        while True:
            due, chunk = await self._chunks.get()
            await self._clock.sleep(max(0.0, due - self._clock.monotonic()))
            if not chunk:
                writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()


async def _run(round_trip_ms: float, pairs: list[str]) -> None:
    clock = SystemClock()
    servers = []
    for pair in pairs:
        address, _, target = pair.partition("=")
        servers.append(await asyncio.start_server(Relay(clock, round_trip_ms / 2000, target).serve, address, _PORT))
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, os.read, sys.stdin.fileno(), 1)


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(prog="python -m purvey.testing.hosts.relay", description="A longer way to servers.")
    parser.add_argument("round_trip_ms", type=float, help="how much longer, there and back")
    parser.add_argument("pairs", nargs="+", metavar="ADDRESS=SERVER", help="where it listens, and for whom")
    options = parser.parse_args()
    asyncio.run(_run(options.round_trip_ms, options.pairs))


if __name__ == "__main__":
    main()
