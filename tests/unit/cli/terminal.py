"""A terminal for a command: what it shows can be waited for, and keys can be pressed."""

from __future__ import annotations

import os
import pty
import select
import sys
import time
from pathlib import Path

PATIENCE_S = 30.0


class Terminal:
    """A command running in a terminal of its own.

    Args:
        folder: Where it runs.
        words: The words after `purvey`.
    """

    def __init__(self, folder: Path, *words: str) -> None:
        self.shown = ""
        environment = os.environ | {"TERM": "xterm"}
        self._pid, self._screen = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execve(sys.executable, [sys.executable, "-m", "purvey", *words], environment)

    def press(self, keys: str) -> None:
        """Press keys."""
        os.write(self._screen, keys.encode())

    def wait_for(self, text: str) -> None:
        """Wait until `text` was shown."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.shown:
            assert time.monotonic() < deadline, f"{text!r} was not shown; this was:\n{self.shown}"
            assert self._read(0.1), f"it ended without showing {text!r}; it showed:\n{self.shown}"

    def end(self) -> int:
        """Wait for the end, and return the exit code."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(0.1):
            assert time.monotonic() < deadline, f"it does not end; this was shown:\n{self.shown}"
        _, status = os.waitpid(self._pid, 0)
        os.close(self._screen)
        return os.waitstatus_to_exitcode(status)

    def _read(self, within_s: float) -> bool:
        """Take in what was shown meanwhile; False once the command has ended."""
        ready, _, _ = select.select([self._screen], [], [], within_s)
        if not ready:
            return True
        try:
            data = os.read(self._screen, 65_536)
        except OSError:  # Linux's way to say that the other side was closed.
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)
