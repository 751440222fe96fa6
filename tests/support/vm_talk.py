"""Talking with QEMU and with the agent in its guest: lines of JSON through sockets of this machine."""

from __future__ import annotations

import base64
import json
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Final

from purvey._base.clock import SystemClock

_MONITOR_S: Final = 300.0
_LOOK_S: Final = 0.02
_ANSWERS: Final = 0xFF


class _Line:
    """A connection, made when something is said."""

    def __init__(self, path: Path, patience_s: float) -> None:
        self._path = path
        self._patience_s = patience_s
        self._socket: socket.socket | None = None
        self._lines: IO[bytes] | None = None

    def close(self) -> None:
        """Hang up."""
        if self._lines is not None:
            self._lines.close()
        if self._socket is not None:
            self._socket.close()
        self._socket = self._lines = None

    def open(self) -> bool:
        """Connect; returns whether it was not connected before."""
        if self._socket is not None:
            return False
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(self._patience_s)
        self._socket.connect(str(self._path))
        self._lines = self._socket.makefile("rb")
        return True

    def say(self, command: str, arguments: dict[str, Any]) -> None:
        """Say something."""
        assert self._socket is not None  # It is open.
        self._socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def hear(self) -> Iterator[dict[str, Any]]:
        """What is said."""
        assert self._lines is not None  # It is open.
        for line in self._lines:
            yield json.loads(line.lstrip(bytes([_ANSWERS])))

    def ask(self, command: str, **arguments: Any) -> Any:
        """The answer to what is said; news on the way are passed over."""
        self.say(command, arguments)
        for told in self.hear():
            if "return" in told:
                return told["return"]
            assert "error" not in told, told["error"]
        raise RuntimeError("QEMU has ended.")


class Monitor(_Line):
    """QEMU itself.

    Args:
        path: Of its socket.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, _MONITOR_S)

    def person(self, line: str) -> None:
        """Say what a person would say to its monitor."""
        if self.open():
            self.ask("qmp_capabilities")
        said = self.ask("human-monitor-command", **{"command-line": line})
        assert not said, said


class Agent(_Line):
    """The agent in the guest, which is there when the guest has started.

    Args:
        path: Of its socket.
        patience_s: How long it may take to answer, and a program to end.
    """

    def run(self, argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Run a program.

        Raises:
            TimeoutError: if the guest does not answer.
        """
        if self.open():
            self._agree()
        program, *arguments = argv
        pid = self.ask("guest-exec", path=program, arg=arguments, **{"capture-output": True})["pid"]
        clock = SystemClock()
        deadline = clock.monotonic() + self._patience_s
        while not (told := self.ask("guest-exec-status", pid=pid))["exited"]:
            assert clock.monotonic() < deadline, f"{' '.join(argv)} does not end"
            time.sleep(_LOOK_S)
        out, errors = (base64.b64decode(told.get(name, "")).decode(errors="replace") for name in ("out-data", "err-data"))
        return subprocess.CompletedProcess(argv, told.get("exitcode", -told.get("signal", 0)), out, errors)

    def _agree(self) -> None:
        """Pass over what was said to somebody else."""
        number = secrets.randbelow(1 << 31)
        assert self._socket is not None
        self._socket.sendall(bytes([_ANSWERS]))
        self.say("guest-sync-delimited", {"id": number})
        for told in self.hear():
            if told.get("return") == number:
                return
