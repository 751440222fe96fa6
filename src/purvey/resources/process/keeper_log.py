"""A part of the keeper's program: what the service prints, in a bounded number of files of a bounded size."""

# Ruff's PTH rules: pathlib would cost every keeper a megabyte.
# ruff: noqa: PTH104, PTH108, PTH110

from __future__ import annotations

import os


class Log:
    """At most `files` files (mode 0600) of at most `bytes_max` bytes: `path`, then `path`.1, .2 and so on, ever older.

    A line is cut only where it is longer than a file, or where a file ends inside a line that came in pieces. When the
    disk is full the output is dropped and counted, because a service must not stop for its log.
    """

    def __init__(self, path: str, bytes_max: int, files: int) -> None:
        self.path = path
        self.bytes_max = bytes_max
        self.files = files
        self.lost_bytes = 0
        self.at_line_start = True
        self._open()

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
        self.file = os.open(self.path, flags, 0o600)
        self.size = os.fstat(self.file).st_size

    def _rotate(self) -> None:
        full = self.file
        names = [self.path, *(f"{self.path}.{n}" for n in range(1, self.files))]
        for older, newer in zip(reversed(names), reversed(names[:-1]), strict=False):
            if os.path.exists(newer):
                os.rename(newer, older)
        if len(names) == 1:
            os.unlink(self.path)
        self._open()
        os.close(full)

    def write(self, data: bytes) -> None:
        """Append output; never raises for a full or broken disk."""
        try:
            if self.lost_bytes:
                self._append(b"[purvey] %d bytes of output were lost: the log could not be written\n" % self.lost_bytes)
                self.lost_bytes = 0
            self._append(data)
        except OSError:
            self.lost_bytes += len(data)

    def note(self, text: str) -> None:
        """Append a line of the keeper's own."""
        start = b"" if self.at_line_start else b"\n"
        self.write(start + f"[purvey] {text}\n".encode())

    def _append(self, data: bytes) -> None:
        while data:
            count = self._fitting(data)
            if count == 0:
                self._rotate()
                continue
            written = os.write(self.file, data[:count])
            self.size += written
            self.at_line_start = data[written - 1 : written] == b"\n"
            data = data[written:]

    def _fitting(self, data: bytes) -> int:
        """How many bytes of `data` go into the current file: whole lines if possible."""
        room = max(0, self.bytes_max - self.size)
        if len(data) <= room:
            return len(data)
        whole_lines = data.rfind(b"\n", 0, room) + 1
        starts_a_file = self.size == 0
        return whole_lines if whole_lines or (self.at_line_start and not starts_a_file) else room
