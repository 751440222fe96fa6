"""Load asyncssh without what we never use and what costs a quarter of its import (90 of 350 ms of processor time).

X.509 certificates are no part of OpenSSH. UMAC and sntrup761 need C libraries that are sought by starting a compiler and a
linker; messages are authenticated by other codes, and keys that withstand quantum computers agreed on by ML-KEM, which
cryptography has. asyncssh does without all three where they are not installed, and that is how it is told here.
"""

from __future__ import annotations

import ctypes.util
import sys
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


def _find_none(name: str) -> None:
    """What `ctypes.util.find_library` says of a library that is not there."""
    del name


@contextmanager
def _unsought() -> Iterator[None]:
    """Let no C library be found, and no program be started to look for one."""
    seek = ctypes.util.find_library
    ctypes.util.find_library = _find_none
    try:
        yield
    finally:
        ctypes.util.find_library = seek


with _withheld(UNUSED), _unsought():
    import asyncssh

__all__ = ["asyncssh"]
