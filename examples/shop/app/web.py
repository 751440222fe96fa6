"""The shop's web service: the process of one worker, which listens, answers and stops.

Workers share nothing but the database, so any number may run. A worker starts without its database too, and says on
/healthz what it lacks. The environment gives DATABASE_URL (without a password), PGPASSWORD and SHOP_CONFIG (a TOML
file). SIGTERM stops listening, leaves 1.5 seconds to the requests under way, and closes the database connections.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qsl, quote

import psycopg
from page import Settings
from psycopg.conninfo import conninfo_to_dict
from routes import Reply, Request, Shop, refusal
from store import Store

STOP_S = 1.5
IDLE_S = 30.0
BODY_BYTES_MAX = 64 * 1024
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
}


def _log(message: str) -> None:
    print(time.strftime("%Y-%m-%dT%H:%M:%S%z"), message, flush=True)


class Handler(BaseHTTPRequestHandler):
    """One connection: reads requests, has them answered, and logs a line for each."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "shop", ""
    disable_nagle_algorithm = True
    timeout: ClassVar[float | None] = IDLE_S

    @property
    def _server(self) -> Server:
        assert isinstance(self.server, Server)
        return self.server

    def do_GET(self) -> None:
        """Answer a request of any method."""
        began_s = time.perf_counter()
        with self._server.under_way():
            reply = self._answer()
            self._send(reply)
        took_ms = (time.perf_counter() - began_s) * 1000
        path = quote(self.path.partition("?")[0])
        _log(f"{self.command} {path} {reply.status:d} {took_ms:.1f} ms {reply.cause}".rstrip())

    do_HEAD = do_POST = do_GET  # noqa: N815 - The base class finds them by these names.

    def _answer(self) -> Reply:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self.close_connection = True  # What follows on this connection is a body that nobody will read.
            why = f"Send at most {BODY_BYTES_MAX} bytes, and a Content-Length."
            return refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
        path, _, query = self.path.partition("?")
        method = "GET" if self.command == "HEAD" else self.command
        return self._server.shop.answer(Request(method, path, dict(parse_qsl(query)), self.rfile.read(int(length))))

    def _send(self, reply: Reply) -> None:
        body = reply.body.encode()
        self.close_connection |= self._server.stopping
        self.send_response(reply.status)
        about = {"Content-Type": reply.content_type, "Content-Length": str(len(body)), "X-Worker": self._server.worker}
        for name, value in {**HEADERS, **about, **reply.headers}.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: a request is logged once, when it has been answered."""


class Server(ThreadingHTTPServer):
    """The socket side of the shop; it counts the requests under way, so that stopping need cut none of them."""

    shop: Shop
    request_queue_size = 128

    def __init__(self, host: str, port: int) -> None:
        super().__init__((host, port), Handler)
        self.worker = f"{host}:{self.server_port}"
        self.stopping = False
        self._under_way = 0
        self._changed = threading.Condition()

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request while it is answered."""
        with self._changed:
            self._under_way += 1
        try:
            yield
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def start(self, shop: Shop) -> None:
        """Answer for `shop`, in threads of their own."""
        self.shop = shop
        threading.Thread(target=self.serve_forever, args=(0.1,), daemon=True).start()

    def stop(self) -> None:
        """Take no more connections, and wait for the requests under way, at most 1.5 seconds."""
        self.stopping = True
        self.shutdown()
        self.server_close()
        with self._changed:
            self._changed.wait_for(lambda: not self._under_way, STOP_S)

    def handlerefusal(self, request: object, client_address: object) -> None:
        """Show the traceback of a fault of ours; a client that went away is none."""
        if not isinstance(sys.exception(), ConnectionError):
            traceback.print_exc()


def _database_url() -> str:
    url = os.environ.get("DATABASE_URL", "")
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        raise ValueError("DATABASE_URL is not a libpq URL such as postgresql://app@127.0.0.1:5432/shop") from None
    if not parts or "password" in parts:
        raise ValueError("DATABASE_URL must name the database without a password, which belongs in PGPASSWORD")
    return url


def main() -> None:
    """Serve until told to stop."""
    parser = argparse.ArgumentParser(description="A worker of the shop.")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=os.environ.get("PORT", "8080"), help="port to listen on; 0 is any")
    arguments = parser.parse_args()
    stops = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, stops)  # Before any thread starts, so that sigwait below gets them.
    try:
        store = Store(_database_url())
        settings = Settings.load(Path(os.environ["SHOP_CONFIG"]))
        server = Server(arguments.host, arguments.port)
    except (KeyError, OSError, TypeError, ValueError) as error:
        sys.exit(f"The worker cannot start: {error!r}. Correct that and start it again.")
    server.start(Shop(settings, store, server.worker))
    _log(f"listening on http://{server.worker}")
    signal.sigwait(stops)
    server.stop()
    store.close()
    _log("stopped")


if __name__ == "__main__":
    main()
