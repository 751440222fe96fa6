"""The example shop in a folder of its own, driven through the command line as a user would."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"
PASSWORD = "correct-horse-battery-staple"
TIMEOUT_S = 120


def free_ports(count: int) -> int:
    """The first of `count` neighbouring free ports on the loopback interface; each test process has its own range."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 12_000 + worker * 500
    for start in range(first, first + 500 - count, count):
        with ExitStack() as stack:
            try:
                for port in range(start, start + count):
                    stack.enter_context(closing(socket.socket())).bind(("127.0.0.1", port))
            except OSError:
                continue
            return start
    raise AssertionError("no free ports")


class Shop:
    """A copy of the example, with its own store, key, ports and secret."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(EXAMPLE, folder / "shop", ignore=shutil.ignore_patterns(".*", "__pycache__"))
        self.folder = folder / "shop"
        self.script = self.folder / "shop.py"
        self.port = free_ports(6)
        secrets = self.folder / ".secrets"
        secrets.mkdir(mode=0o700)
        descriptor = os.open(secrets / "app-password", os.O_WRONLY | os.O_CREAT, 0o600)
        os.write(descriptor, PASSWORD.encode())
        os.close(descriptor)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "NO_COLOR": "1",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a command, in a session of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "purvey", *arguments], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip

    def run(self, *arguments: str, expect: int = 0) -> str:
        """What a command prints; it must end with `expect`."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode == expect, f"{arguments}: exit {process.returncode}\n{output}"
        return output

    def apply(self, *arguments: str, expect: int = 0, env: str = "dev") -> str:
        """Apply, with the shop's own port."""
        return self.run("apply", str(self.script), "-e", env, "--port", str(self.port), "--yes", *arguments, expect=expect)

    def document(self, *arguments: str, expect: int = 0) -> Any:
        """What a command prints with ``--json``, standard output only."""
        result = subprocess.run(
            [sys.executable, "-m", "purvey", *arguments, "--json"], cwd=self.folder, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        assert result.returncode == expect, f"{arguments}: exit {result.returncode}\n{result.stdout}{result.stderr}"
        return json.loads(result.stdout)

    def last_run(self) -> dict[str, Any]:
        """The newest run, in full."""
        newest = self.document("runs")[0]["id"]
        found: dict[str, Any] = self.document("show", newest)
        return found

    def effects(self) -> set[str]:
        """``action address`` of everything that the newest run did to the world; checks are no effect."""
        skipped = ("check", "refreshed", "forgotten")
        return {f"{item['action']} {item['address']}" for item in self.last_run()["changes"] if item["action"] not in skipped}

    def get(self, path: str = "/", env: str = "dev") -> str:
        """What the shop answers over TLS, verified against its own authority."""
        context = ssl.create_default_context(cafile=str(self.folder / f".shop-{env}" / "ca.crt"))
        with urllib.request.urlopen(f"https://127.0.0.1:{self.port}{path}", context=context, timeout=10) as answer:
            text: str = answer.read().decode()
            return text

    def post(self, path: str, document: Mapping[str, Any]) -> int:
        """The status with which the shop answers an order."""
        context = ssl.create_default_context(cafile=str(self.folder / ".shop-dev" / "ca.crt"))
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}{path}", data=json.dumps(document).encode(), method="POST",
            headers={"Content-Type": "application/json"},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, context=context, timeout=30) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as error:
            return error.code

    def processes(self) -> dict[str, int]:
        """The shop's own services by what they are (``web 20001``, ``front``, ``postgres``), with their process ids."""
        found: dict[str, int] = {}
        for pid, command in commands():
            if str(self.folder) in command and "web.py" in command and "keeper" not in command:
                port = re.search(r"--port (\d+)", command)
                found[f"web {port[1] if port else '?'}"] = pid
            elif str(self.folder) in command and "front.py" in command:
                found["front"] = pid
        for pid in self._servers():
            found["postgres"] = pid
        return found

    def _servers(self) -> Iterator[int]:
        estate = self.estate()
        for pid, command in commands():
            if "postgres" in command and "-D" in command and (estate in command or str(self.folder) in command):
                yield pid

    def estate(self) -> str:
        """The id of the store, which is in the path of everything that belongs to it."""
        keys = list((Path(self.environment["HOME"]) / ".local/share/purvey/keys").glob("*.key"))
        return keys[0].stem if keys else "(no store yet)"

    def leftovers(self) -> list[str]:
        """Everything of the shop that is still on the machine: processes, files, folders."""
        found = [f"process {name} {pid}" for name, pid in self.processes().items()]
        found += [f"process {pid} {text}" for pid, text in commands() if self.estate() in text]
        found += [str(path) for path in self.folder.glob(".shop-*")]
        found += [str(path) for path in Path("/var/lib/purvey").glob(f"{self.estate()}/**/*")]
        found += [str(path) for path in (self.folder / ".purvey").glob("objects/**/*")]
        return found

    def remove(self) -> None:
        """Take the shop down, whatever state it is in, and leave no process of it behind."""
        for env in ("dev", "prod"):
            self.start("destroy", str(self.script), "-e", env, "--yes").communicate(timeout=TIMEOUT_S)
        for pid, text in commands():
            if str(self.folder) in text or self.estate() in text:
                os.kill(pid, signal.SIGKILL)
        shutil.rmtree(Path("/var/lib/purvey") / self.estate(), ignore_errors=True)


def commands() -> list[tuple[int, str]]:
    """Every process on the machine with its command line."""
    found: list[tuple[int, str]] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                found.append((int(entry.name), (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")))
            except OSError:
                continue
    return found
