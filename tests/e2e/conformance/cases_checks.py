"""Cases for the checks that need no database."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from purvey.resources import command, tcp
from purvey.resources import http as http_kinds
from purvey.testing.conformance import NAME, CheckCase, CheckWish
from tests.e2e.conformance import machine

if TYPE_CHECKING:
    from purvey import Options, Resource


class Answer(http.server.BaseHTTPRequestHandler):
    """Answers what a case wants, counts what is asked, and repeats the password in an error, as careless servers do."""

    status: ClassVar[int] = 200
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer."""
        type(self).asked.append(self.command)
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(f"it is {self.status} for {self.headers.get('X-Password')}".encode("latin-1"))

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class Listening(CheckCase):
    """A web server of the case's own, on one port."""

    servers: ClassVar[dict[int, http.server.HTTPServer]] = {}

    def listen(self) -> None:
        """Begin to answer."""
        port = machine.free_port(self.folder)
        if port not in self.servers:
            self.servers[port] = http.server.ThreadingHTTPServer(("127.0.0.1", port), Answer)
            threading.Thread(target=self.servers[port].serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def hang_up(self) -> None:
        """Listen no more."""
        server = self.servers.pop(machine.free_port(self.folder), None)
        if server is not None:
            server.shutdown()
            server.server_close()


class HttpCheckCase(Listening):
    """`http.Check`: a status that is not the expected one; an address that is none."""

    kind = http_kinds.Check
    evidence = "answered 503 instead of 200"

    def declare(self, wish: CheckWish, opts: Options) -> Resource:
        """See `CheckCase.declare`."""
        port = machine.free_port(self.folder)
        url = "gopher://127.0.0.1/" if wish == "impossible" else f"http://127.0.0.1:{port}/healthz"
        headers = {"X-Password": self.secret("password")}
        return http_kinds.Check(
            NAME, url=url, headers=headers, within_s=1.0 if wish == "failing" else 20.0, every_s=0.1, opts=opts
        )

    def prepare(self, wish: CheckWish) -> None:
        """See `CheckCase.prepare`."""
        self.listen()
        Answer.status = 200 if wish == "passing" else 503

    def look(self) -> Any:
        """See `CheckCase.look`: which methods it was asked with; only looking is harmless."""
        return sorted({*Answer.asked, "GET"})


class TcpCheckCase(Listening):
    """`tcp.Check`: a port on which nobody listens."""

    kind = tcp.Check
    evidence = "refused"
    inapplicable: ClassVar[Mapping[str, str]] = {
        "impossible": "a port that is none is refused where it is declared; any other may be listened on some day"
    }

    def declare(self, wish: CheckWish, opts: Options) -> Resource:
        """See `CheckCase.declare`."""
        within_s = 1.0 if wish == "failing" else 20.0
        return tcp.Check(NAME, host="127.0.0.1", port=machine.free_port(self.folder), within_s=within_s, every_s=0.1, opts=opts)

    def prepare(self, wish: CheckWish) -> None:
        """See `CheckCase.prepare`."""
        self.hang_up()
        if wish == "passing":
            self.listen()

    def look(self) -> Any:
        """See `CheckCase.look`: there is nothing that connecting could change."""
        return sorted(self.servers)


class CommandCheckCase(CheckCase):
    """`command.Check`: a file that must exist; a program that does not."""

    kind = command.Check
    evidence = "ended with code 3 instead of 0"

    def declare(self, wish: CheckWish, opts: Options) -> Resource:
        """See `CheckCase.declare`; the program tells its password to everybody."""
        program = self.folder / "look.py"
        program.write_text(f"import os, pathlib\nprint(os.environ['PASSWORD'])\nraise SystemExit(0 if {self._sign()} else 3)\n")
        words = ["/no/such/program"] if wish == "impossible" else ["python3", str(program)]
        return command.Check(
            NAME, command=words, env={"PASSWORD": self.secret("password")}, within_s=1.0 if wish == "failing" else 20.0,
            every_s=0.1, opts=opts,
        )  # fmt: skip

    def _sign(self) -> str:
        return f"pathlib.Path({str(self.folder / 'sign')!r}).exists()"

    def prepare(self, wish: CheckWish) -> None:
        """See `CheckCase.prepare`."""
        sign = self.folder / "sign"
        if wish == "passing":
            sign.touch()
        else:
            sign.unlink(missing_ok=True)

    def look(self) -> Any:
        """See `CheckCase.look`."""
        hidden = (".secrets", "look.py")
        return sorted(path.name for path in Path(self.folder).iterdir() if path.name not in hidden)
