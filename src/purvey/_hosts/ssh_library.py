"""Load asyncssh without two parts that we never use and that cost a sixth of its import (55 of 350 ms of processor time).

X.509 certificates are no part of OpenSSH, and UMAC needs a C library that is sought by starting programs. asyncssh does without
either where it is not installed, and that is how it is told here.
"""

from __future__ import annotations

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


with _withheld(UNUSED):
    import asyncssh

__all__ = ["asyncssh"]
