"""The TLS front, run as the program that it is, before small servers of the test's own."""

from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import json
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from front import Balancer

WITHIN_S = 10


class Backend(ThreadingHTTPServer):
    """A backend that answers with its own port, as soon as `gate` is open."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.gate = threading.Event()
        self.gate.set()
        self.asked = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.server_port}"

    def end(self) -> None:
        """Listen no more."""
        self.shutdown()
        self.server_close()


class Answer(BaseHTTPRequestHandler):
    """One connection of a backend."""

    protocol_version = "HTTP/1.1"
    server: Backend

    def do_GET(self) -> None:
        """Answer once the gate is open."""
        self.server.asked.set()
        self.server.gate.wait(WITHIN_S)
        body = self.server.address.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Front:
    """The front as a process, with its folder of certificates."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.port = int(self.line().split(" for ")[0].rpartition(":")[2])

    def line(self) -> str:
        """The next line of its log."""
        assert self.process.stdout
        return self.process.stdout.readline()

    def line_with(self, text: str) -> str:
        """The next line of its log that contains `text`."""
        while text not in (line := self.line()):
            assert line, f"the log ended without {text!r}"
        return line

    def connect(self) -> closing[http.client.HTTPSConnection]:
        """A connection that trusts only the certificate which is in the folder now."""
        context = ssl.create_default_context(cafile=self.folder / "web.pem")
        return closing(http.client.HTTPSConnection("127.0.0.1", self.port, context=context, timeout=WITHIN_S))

    def get(self) -> tuple[int, str]:
        """Status and body of an answer, over a connection of its own."""
        with self.connect() as connection:
            return ask(connection)


def ask(connection: http.client.HTTPSConnection) -> tuple[int, str]:
    """Status and body of an answer."""
    connection.request("GET", "/")
    with closing(connection.getresponse()) as answer:
        return answer.status, answer.read().decode()


def write_certificate(folder: Path) -> None:
    """Write a new self-signed certificate and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "front")])
    loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([loopback]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pkcs8, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "web.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "web.key").write_bytes(key.private_bytes(serialization.Encoding.PEM, pkcs8, plain))


@contextmanager
def running(shop_folder: Path, folder: Path, backends: list[Backend]) -> Iterator[Front]:
    """A front before `backends`, ended with the block whatever happens."""
    write_certificate(folder)
    config = {"host": "127.0.0.1", "port": 0, "certificate": "web.pem", "key": "web.key"}
    (folder / "front.json").write_text(json.dumps(config | {"backends": [backend.address for backend in backends]}))
    command = [sys.executable, str(shop_folder / "app" / "front.py"), "--config", str(folder / "front.json")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield Front(process, folder)
        finally:
            process.kill()


@pytest.fixture
def backends() -> Iterator[list[Backend]]:
    """Two backends."""
    with ExitStack() as stack:
        made = [Backend(), Backend()]
        for backend in made:
            stack.callback(backend.end)
        yield made


@pytest.fixture
def front(shop_folder: Path, tmp_path: Path, backends: list[Backend]) -> Iterator[Front]:
    """A front before both of them."""
    with running(shop_folder, tmp_path, backends) as made:
        yield made


def test_backends_take_turns() -> None:
    """Each connection goes to the next backend."""
    balancer = Balancer(["a", "b", "c"], clock=lambda: 0.0)

    assert [balancer.candidates()[0] for _ in range(4)] == ["a", "b", "c", "a"]


def test_a_backend_that_refused_is_asked_last_for_two_seconds() -> None:
    """It is not lost: while all refuse, all are tried; when its time is over it takes its turn again."""
    now_s = 100.0
    balancer = Balancer(["a", "b"], clock=lambda: now_s)
    balancer.refused("a")

    assert [balancer.candidates() for _ in range(2)] == [["b", "a"], ["b", "a"]]
    now_s = 102.0
    assert [balancer.candidates() for _ in range(2)] == [["a", "b"], ["b", "a"]]


def test_connections_are_spread_and_kept(front: Front, backends: list[Backend]) -> None:
    """New connections take turns over TLS; one that is kept alive stays where it is."""
    addresses = {backend.address for backend in backends}

    assert {front.get() for _ in range(4)} == {(200, address) for address in addresses}
    with front.connect() as connection:
        assert len({ask(connection) for _ in range(4)}) == 1


def test_a_dead_backend_costs_no_request(front: Front, backends: list[Backend]) -> None:
    """Every request is answered by the other."""
    backends[0].end()

    assert {front.get() for _ in range(6)} == {(200, backends[1].address)}


def test_without_backends_the_front_says_so(front: Front, backends: list[Backend]) -> None:
    """502, with a sentence for the customer, and the cause in the log."""
    for backend in backends:
        backend.end()

    status, body = front.get()

    assert (status, body) == (502, "No worker of the shop answers just now. Please try again in a moment.\n")
    assert backends[0].address in front.line_with("takes no connection")


def test_a_new_certificate_is_taken_up(front: Front) -> None:
    """After SIGHUP, new connections get the certificate that is in the file now; those that are open live on."""
    with front.connect() as connection:
        ask(connection)
        write_certificate(front.folder)
        front.process.send_signal(signal.SIGHUP)
        front.line_with("certificate reloaded")

        assert front.get()[0] == 200
        assert ask(connection)[0] == 200


def test_a_certificate_that_does_not_fit_is_not_taken_up(front: Front) -> None:
    """The old one stays, and the log says why."""
    good = (front.folder / "web.pem").read_bytes()
    write_certificate(front.folder)
    (front.folder / "web.pem").write_bytes(good)
    front.process.send_signal(signal.SIGHUP)

    assert "the old one stays" in front.line_with("not reloaded")
    assert front.get()[0] == 200


def test_stopping_does_not_wait_for_idle_connections(front: Front) -> None:
    """A connection that is kept alive but waits for nothing is closed, and the front ends with 0."""
    with front.connect() as connection:
        ask(connection)
        front.process.terminate()

        assert front.process.wait(1.4) == 0


def test_stopping_lets_answers_finish(front: Front, backends: list[Backend]) -> None:
    """A request under way when the front is told to stop is still answered."""
    for backend in backends:
        backend.gate.clear()
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(front.get)
        assert backends[0].asked.wait(WITHIN_S)
        front.process.terminate()
        for backend in backends:
            backend.gate.set()

        assert answer.result()[0] == 200
    assert front.process.wait(WITHIN_S) == 0


def test_a_front_that_cannot_start_says_why(shop_folder: Path, tmp_path: Path) -> None:
    """One line names the configuration and the cause; no traceback."""
    command = [sys.executable, str(shop_folder / "app" / "front.py"), "--config", str(tmp_path / "none.json")]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=WITHIN_S, check=False)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"The front cannot start from {tmp_path / 'none.json'}: FileNotFoundError")
    assert "Traceback" not in ended.stderr
