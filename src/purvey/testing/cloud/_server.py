"""The cloud's network: HTTP/1.1 on the loopback interface, each connection in a thread, the model behind one lock.

    POST   /token                       a credential, for the header `Authorization: Bearer`
    POST   /v1/KIND                     create; `Idempotency-Key` makes a repetition harmless
    GET    /v1/KIND?name=&TAG=          list
    GET    /v1/KIND/ID                  read
    PATCH  /v1/KIND/ID                  update
    DELETE /v1/KIND/ID                  delete
    POST   /_order/NAME                 what only a test asks for: faults, the ledger, time

A fault can kill the process that asked, whose id it tells in `Purvey-Pid`, at exactly one request.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from purvey._base.clock import SystemClock
from purvey.testing.cloud._model import Model
from purvey.testing.cloud._wire import Answer, Reaction, RefusedError, Request

BODY_BYTES_MAX: Final = 64 * 1024 * 1024
"""A restored state is the largest body."""


class CloudServer(ThreadingHTTPServer):
    """A cloud at a port of the loopback interface.

    Args:
        port: The port; 0 takes a free one.
        seed: Of all chance.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.model = Model(SystemClock(), seed)
        self.lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a caller that was killed, which is what this cloud is for; show any other error."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: CloudServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing; the ledger tells what matters."""

    def do_POST(self) -> None:
        """See the module."""
        self._answer()

    do_GET = do_PATCH = do_DELETE = do_POST  # noqa: N815 - the library's names.

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > BODY_BYTES_MAX:
            self._send(Answer(413, {"error": "invalid", "message": "The body is too large"}))
            return
        content = self.rfile.read(length)
        if len(content) < length:  # Who sent it died on the way; half a request is none.
            self._cut()
            return
        body = json.loads(content or b"{}")
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/")[1:]]
        with self.server.lock:
            reaction = self._react(parts, body)
            if reaction.kills:  # Inside the lock: nobody sees the effect before the caller is gone.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(self.headers["Purvey-Pid"]), signal.SIGKILL)
        if reaction.wait_s:
            threading.Event().wait(reaction.wait_s)
        if reaction.answer is None:
            self._cut()
        else:
            self._send(reaction.answer)

    def _react(self, parts: list[str], body: dict[str, Any]) -> Reaction:
        model = self.server.model
        if parts[0] == "_order":
            return Reaction(answer=self._order(parts[1], body))
        if parts == ["token"]:
            return Reaction(answer=model.credential())
        version, kind, object_id = [*parts, "", ""][:3]
        if version != "v1" or not kind:
            return Reaction(answer=Answer(404, {"error": "not_found", "message": "There is nothing here"}))
        query = dict(parse_qsl(urlsplit(self.path).query))
        headers = {name.lower(): value for name, value in self.headers.items()}
        return model.serve(Request(
            method=self.command, kind=kind, id=object_id, query=query, body=body, headers=headers,
        ))  # fmt: skip

    def _order(self, name: str, arguments: dict[str, Any]) -> Answer:
        try:
            return Answer(200, {"result": self.server.model.order(name, arguments)})
        except RefusedError as refused:
            return refused.answer
        except (KeyError, TypeError, ValueError) as error:
            return Answer(400, {"error": "invalid", "message": f"{type(error).__name__}: {error}"})

    def _cut(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _send(self, answer: Answer) -> None:
        data = json.dumps(answer.body).encode()
        try:
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            if answer.retry_after_s is not None:
                self.send_header("Retry-After", f"{answer.retry_after_s:g}")
            self.end_headers()
            self.wfile.write(data)
        except OSError:  # The caller has gone, which is its own business.
            self.close_connection = True
