"""The case for services: a small web server that tells what it was given."""

from __future__ import annotations

import hashlib
import json
import sys
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from purvey.resources import process
from purvey.testing.conformance import NAME, Case, Wish
from tests.e2e.conformance import machine

if TYPE_CHECKING:
    from purvey import Options, Resource

WEB = """
import hashlib, http.server, json, os, sys
told = {"word": os.environ["WORD"], "password": hashlib.sha256(os.environ["PASSWORD"].encode()).hexdigest()}
if told["word"] == "failing":
    sys.exit("it cannot work with the password " + os.environ["PASSWORD"])
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(told).encode())
    def log_message(self, *arguments):
        pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


class ServiceCase(Case):
    """`process.Service`: every input changes in place, by a restart; two at once cannot have one port, so there is a gap."""

    kind = process.Service
    inapplicable: ClassVar[Mapping[str, str]] = {
        "adopt": "the name of an instance holds the id of the store, so nobody else can have made it"
    }

    def declare(self, wish: Wish, opts: Options) -> Resource:
        """See `Case.declare`."""
        program = self.folder / "web.py"
        program.write_text(WEB)
        port = machine.free_port(self.folder)
        again = msgspec.structs.replace(opts, replace_when=2) if wish == "replaced" else opts
        return process.Service(
            NAME, command=[sys.executable, "-I", "-S", str(program), str(port)], port=port, opts=again,
            env={"WORD": wish, "PASSWORD": self.secret("password")},
        )  # fmt: skip

    def expected(self, wish: Wish) -> Mapping[str, Any]:
        """See `Case.expected`."""
        digest = hashlib.sha256(self.plaintext("password").encode()).hexdigest()
        return {"processes": 1, "word": wish, "password": digest}

    def pids(self) -> list[int]:
        """The service's processes."""
        return machine.processes(str(self.folder / "web.py"))

    def look(self) -> Mapping[str, Any] | None:
        """See `Case.look`; the service itself is asked, so one that only seems to run is none."""
        pids = self.pids()
        if not pids:
            return None
        with urllib.request.urlopen(f"http://127.0.0.1:{machine.free_port(self.folder)}/", timeout=10) as answer:
            return {"processes": len(pids), **json.load(answer)}

    def exists(self) -> bool:
        """See `Case.exists`."""
        return bool(self.pids())

    def identity(self) -> Any:
        """See `Case.identity`: nothing may restart it."""
        return self.look(), self.pids()

    def content(self) -> Any:
        """See `Case.content`: a service that was put back needs a moment until it answers."""
        machine.eventually(self._answers)
        return self.look()

    def _answers(self) -> bool:
        with suppress(OSError):
            self.look()
            return True
        return False

    def lose(self) -> None:
        """See `Case.lose`."""
        for pid in self.pids():
            machine.end_with_keeper(pid)
        machine.clear(self.objects / "process.Service" / NAME)

    def drift(self) -> str:
        """See `Case.drift`: the service is killed, and its keeper sees it."""
        for pid in self.pids():
            machine.end(pid)
        return "running"

    def hidden(self) -> AbstractContextManager[None]:
        """See `Case.hidden`: what the keeper wrote down cannot be read."""
        (record,) = (self.objects / "process.Service" / NAME).glob("*.json")
        return machine.illegible(record)

    def may_hold(self) -> Sequence[Path]:
        """See `Situation.may_hold`: the failing program itself prints its password."""
        return [*self.objects.rglob("*.log")]
