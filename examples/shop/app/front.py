"""The shop's front: one TLS address for any number of web processes.

It ends TLS and joins each connection to the next backend in turn, blind to what flows through. Health is learnt in
passing: a backend that refused is asked last for two seconds, so a dead one costs no request, and one that is back
needs no probe. When all refuse, the front answers 502. SIGHUP reads the certificate and key again, for new connections;
SIGTERM stops listening, closes at once what is idle, and leaves 1.5 seconds to answers under way.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

SKIP_S = 2.0
CONNECT_S = 1.0
GRACE_S = 1.5
QUIET_S = 0.2
CHUNK_BYTES = 64 * 1024

_BAD_GATEWAY = (
    b"HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nConnection: close\r\nRetry-After: 2\r\n\r\n"
    b"No worker of the shop answers just now. Please try again in a moment.\n"
)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def _log(message: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%S%z"), message, flush=True)


@dataclass(frozen=True, slots=True)
class Config:
    """Where the front listens, its certificate and key (PEM files), and its backends (each ``host:port``)."""

    host: str
    port: int
    certificate: Path
    key: Path
    backends: tuple[str, ...]

    @classmethod
    def load(cls, path: Path) -> Config:
        """The configuration in the JSON file `path`; OSError, KeyError, TypeError or ValueError if it is not one."""
        data = json.loads(path.read_text(encoding="utf-8"))
        backends = tuple(data["backends"])
        if not backends or not all(address.rpartition(":")[2].isdecimal() for address in backends):
            raise ValueError(f"backends are {backends!r}, and must be one host:port or more")
        folder = path.parent
        return cls(data["host"], int(data["port"]), folder / data["certificate"], folder / data["key"], backends)

    def tls_context(self) -> ssl.SSLContext:
        """A server's context with the certificate and key as the files are now; OSError if they do not fit."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Balancer:
    """Whom to ask next: backends in turn, those that refused within the last two seconds after the others."""

    def __init__(self, backends: Sequence[str], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._backends = tuple(backends)
        self._clock = clock
        self._skipped_until_s: dict[str, float] = {}
        self._turn = -1

    def candidates(self) -> list[str]:
        """All backends in the order to ask them; a skipped one stays as the last resort."""
        self._turn = (self._turn + 1) % len(self._backends)
        now_s = self._clock()
        in_turn = self._backends[self._turn :] + self._backends[: self._turn]
        return sorted(in_turn, key=lambda backend: self._skipped_until_s.get(backend, now_s) > now_s)

    def refused(self, backend: str) -> None:
        """Remember that `backend` did not take a connection."""
        self._skipped_until_s[backend] = self._clock() + SKIP_S


class _Relay:
    """A client's connection joined to a backend's until either ends: TLS has no half-closed connections."""

    def __init__(self, client: Streams, backend: Streams) -> None:
        self._client = client
        self._backend = backend
        self._client_waits = False
        self._last_s = time.monotonic()

    def is_idle(self) -> bool:
        """Whether nobody waits for anything: the last to speak was the backend, and it has finished."""
        return not self._client_waits and time.monotonic() - self._last_s > QUIET_S

    async def run(self) -> None:
        up = asyncio.create_task(self._pump(self._client[0], self._backend[1], client_waits=True))
        down = asyncio.create_task(self._pump(self._backend[0], self._client[1], client_waits=False))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            up.cancel()
            down.cancel()
            self._backend[1].close()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, client_waits: bool) -> None:
        while data := await source.read(CHUNK_BYTES):
            self._client_waits, self._last_s = client_waits, time.monotonic()
            sink.write(data)
            await sink.drain()


class Front:
    """The front of one configuration; OSError if its certificate and key do not fit."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._context = config.tls_context()
        self._balancer = Balancer(config.backends)
        self._relays: dict[_Relay, asyncio.Task[None]] = {}

    def reload(self) -> None:
        """Use the certificate and key as the files are now; if they do not fit, say so and keep the old ones."""
        try:
            self._config.tls_context()  # Tried apart: a failed load would leave the live context half changed.
            self._context.load_cert_chain(self._config.certificate, self._config.key)
            _log("certificate reloaded")
        except OSError as error:
            _log(f"certificate not reloaded, the old one stays: {error}")

    async def serve(self, stop: asyncio.Event) -> None:
        """Listen until `stop` is set, then end what is open; OSError if the address cannot be had."""
        server = await asyncio.start_server(self._serve_client, self._config.host, self._config.port, ssl=self._context)
        host, port = server.sockets[0].getsockname()[:2]
        _log(f"listening on https://{host}:{port} for {', '.join(self._config.backends)}")
        await stop.wait()
        server.close()
        deadline_s = time.monotonic() + GRACE_S
        while self._relays:
            for relay, task in self._relays.items():
                if relay.is_idle() or time.monotonic() > deadline_s:
                    task.cancel()
            await asyncio.sleep(0.02)
        _log("stopped")

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            if backend := await self._connect():
                relay = _Relay((reader, writer), backend)
                self._relays[relay] = task = asyncio.create_task(relay.run())
                await asyncio.wait({task})
                del self._relays[relay]
            else:
                await _refuse(reader, writer)

    async def _connect(self) -> Streams | None:
        for backend in self._balancer.candidates():
            host, _, port = backend.rpartition(":")
            try:
                return await asyncio.wait_for(asyncio.open_connection(host, int(port)), CONNECT_S)
            except OSError as error:
                _log(f"{backend} takes no connection and is asked last for {SKIP_S:g} s: {error!r}")
                self._balancer.refused(backend)
        return None


async def _refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):  # A client that is silent or gone is told nothing.
        await asyncio.wait_for(reader.read(CHUNK_BYTES), CONNECT_S)  # Closing on unread data could lose the answer.
        writer.write(_BAD_GATEWAY)


async def _run(config: Config) -> None:
    front, stop = Front(config), asyncio.Event()
    for number, handler in ((signal.SIGTERM, stop.set), (signal.SIGINT, stop.set), (signal.SIGHUP, front.reload)):
        asyncio.get_running_loop().add_signal_handler(number, handler)
    await front.serve(stop)


def main() -> None:
    """Run the front until it is told to stop."""
    parser = argparse.ArgumentParser(description="The TLS front of the shop.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file: host, port, certificate, key, backends")
    path = parser.parse_args().config
    try:
        asyncio.run(_run(Config.load(path)))
    except (AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        sys.exit(f"The front cannot start from {path}: {error!r}. Correct that and start it again.")


if __name__ == "__main__":
    main()
