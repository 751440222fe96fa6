"""The process of a worker: how it starts without a database, what it logs, and how it stops."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from page import Settings
from routes import Shop
from store import SCHEMA_REVISION, Store
from web import Server

PASSWORD = "correct-horse"
SETTINGS = 'name = "Shop"\ngreeting = "Hello"\ncurrency = "EUR"\npage_size = 12\ndatabase_host = "127.0.0.1"\n'
WITHIN_S = 10


class SlowStore(Store):
    """A store that is asked and does not answer before the test lets it."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.answer = threading.Event()

    def revision(self) -> str | None:
        """The revision, as soon as the test lets it."""
        self.asked.set()
        self.answer.wait(WITHIN_S)
        return SCHEMA_REVISION


def get(port: int, path: str, *, method: str = "GET", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body of an answer, over a connection of its own."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)) as connection:
        connection.request(method, path, headers=headers or {})
        with closing(connection.getresponse()) as answer:
            return answer.status, answer.read()


def environment(folder: Path, *, url: str) -> dict[str, str]:
    """What a worker is given."""
    path = folder / "shop.toml"
    path.write_text(SETTINGS, encoding="utf-8")
    return {"PATH": os.defpath, "DATABASE_URL": url, "PGPASSWORD": PASSWORD, "SHOP_CONFIG": str(path)}


@contextmanager
def worker(shop_folder: Path, env: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A worker and its port; it has ended with the block whatever happens."""
    command = [sys.executable, str(shop_folder / "app" / "web.py"), "--port", "0"]
    with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout
            yield process, int(process.stdout.readline().rpartition(":")[2])
        finally:
            process.kill()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port of the loopback interface that is taken and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def test_a_worker_runs_and_stops_without_its_database(shop_folder: Path, tmp_path: Path, closed_port: int) -> None:
    """It answers 503 with the reason, logs a line for each request, ends with 0 in time, and never tells its password."""
    env = environment(tmp_path, url=f"postgresql://app@127.0.0.1:{closed_port}/shop")
    with worker(shop_folder, env) as (process, port):
        status, body = get(port, "/healthz?verbose=1")
        page_status, _ = get(port, "/")
        process.terminate()
        assert process.stdout
        log = process.stdout.read()
        code = process.wait(2)

    assert (status, page_status, code) == (503, 503, 0)
    assert f"port {closed_port} failed" in json.loads(body)["reason"]
    *asked, last = [line.split()[1:4] for line in log.splitlines()]
    assert sorted(asked) == [["GET", "/", "503"], ["GET", "/healthz", "503"]]  # Each is told when it has been answered.
    assert last == ["stopped"]
    assert PASSWORD not in log


@pytest.mark.parametrize(
    ("url", "said"),
    [
        (f"postgresql://app:{PASSWORD}@127.0.0.1/shop", "without a password"),
        (f"postgresql://app:{PASSWORD}@[", "not a libpq URL"),
        ("", "must name the database"),
    ],
)
def test_a_wrong_database_url_is_refused_untold(shop_folder: Path, tmp_path: Path, url: str, said: str) -> None:
    """One line says what to set; the URL itself, which may hold a password, is not in it."""
    command = [sys.executable, str(shop_folder / "app" / "web.py"), "--port", "0"]
    env = environment(tmp_path, url=url)
    ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=WITHIN_S, check=False)

    assert ended.returncode == 1
    assert said in ended.stderr
    assert PASSWORD not in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


@pytest.fixture
def slow() -> Iterator[tuple[Server, SlowStore]]:
    """A server in this process whose health takes as long as the test wants."""
    store = SlowStore()
    server = Server("127.0.0.1", 0)
    server.start(Shop(Settings("n", "g", "EUR", 1, "h"), store, server.worker))
    yield server, store
    store.answer.set()
    server.stop()


def test_stopping_lets_requests_finish(slow: tuple[Server, SlowStore]) -> None:
    """A request under way when the worker is told to stop is still answered, and its connection then closed."""
    server, store = slow
    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(get, server.server_port, "/healthz")
        assert store.asked.wait(WITHIN_S)
        stopped = pool.submit(server.stop)
        store.answer.set()

        assert answer.result()[0] == 200
        stopped.result(2)
    with pytest.raises(ConnectionRefusedError):
        get(server.server_port, "/healthz")


def test_a_connection_is_kept_for_the_next_request(slow: tuple[Server, SlowStore]) -> None:
    """Requests follow one another on one connection, one without a body among them."""
    server, store = slow
    store.answer.set()
    with closing(http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=WITHIN_S)) as connection:
        connection.connect()
        first = connection.sock
        for method, status in (("GET", 200), ("HEAD", 200), ("POST", 405), ("GET", 200)):
            connection.request(method, "/healthz")
            answer = connection.getresponse()
            body = answer.read()
            assert (answer.status, bool(body)) == (status, method != "HEAD")
            assert connection.sock is first


@pytest.mark.parametrize("headers", [{"Content-Length": "65537"}, {"Content-Length": "-1"}, {"Transfer-Encoding": "chunked"}])
def test_a_body_out_of_bounds_is_refused_unread(slow: tuple[Server, SlowStore], headers: dict[str, str]) -> None:
    """413, and the connection ends, because what follows on it cannot be told from a request."""
    server, _ = slow

    assert get(server.server_port, "/api/orders", method="POST", headers=headers)[0] == 413
