"""Files that the user named for purvey to write."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from purvey.errors import ScriptError


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A place to write `path` in, or what is in it: when that fails, the error is the user's to mend.

    Args:
        path: What the user named.

    Raises:
        ScriptError: ``script.not_writable``.
    """
    try:
        yield
    except OSError as error:
        raise ScriptError(
            "script.not_writable",
            "What you named cannot be written",
            detail=f"{path}: {error.strerror or type(error).__name__}.",
            hint="Name a place in a folder that exists and that you may write to.",
        ) from None


def require_place(path: Path) -> None:
    """Refuse a file whose folder is not there, or not writable, before any work is done for it.

    Raises:
        ScriptError: ``script.not_writable``.
    """
    with writing(path):
        if not path.parent.is_dir():
            raise FileNotFoundError(None, f"there is no folder {path.parent}")
        if not os.access(path.parent, os.W_OK):
            raise PermissionError(None, f"the folder {path.parent} is not yours to write to")
