"""Load asyncssh without what we never use and what costs a quarter of its import (90 of 350 ms of processor time).

X.509 certificates are no part of OpenSSH. UMAC and sntrup761 need C libraries that are sought by starting a compiler and a
linker; messages are authenticated by other codes, and keys that withstand quantum computers agreed on by ML-KEM, which
cryptography has. asyncssh does without all three where they are not installed, and that is how it is told here.
"""

from __future__ import annotations

import ctypes.util
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

UNUSED: Final = ("asyncssh.crypto.x509", "asyncssh.crypto.umac")


@contextmanager
def _withheld(names: tuple[str, ...]) -> Iterator[None]:
    """Let the import of these modules fail, as the language has it for an entry that is None."""
    modules = cast("dict[str, Any]", sys.modules)
    absent = [name for name in names if name not in modules]
    modules.update(dict.fromkeys(absent))
    try:
        yield
    finally:
        for name in absent:
            del modules[name]


@contextmanager
def _unsought() -> Iterator[None]:
    """Let this thread find no C library, and start no program to look for one."""
    seek, thread = ctypes.util.find_library, threading.get_ident()

    def find(name: str) -> str | None:
        """See `ctypes.util.find_library`."""
        return None if threading.get_ident() == thread else seek(name)

    ctypes.util.find_library = find
    try:
        yield
    finally:
        ctypes.util.find_library = seek


with _withheld(UNUSED), _unsought():
    import asyncssh

__all__ = ["asyncssh"]
