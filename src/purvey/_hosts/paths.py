"""Paths on a machine, as text: which are refused, what is above one, where its successor is built. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import PurePosixPath
from typing import Final

from purvey.errors import HostError

OWN_FOLDER: Final = "@purvey"
"""Begins a path in the folder where purvey keeps its own things on the machine, which the machine alone knows."""

PATHS_MAX: Final = 4096
"""Paths that are remembered with what is above and beside them: each is looked at several times between plan and work."""

NAME_BYTES_MAX: Final = 240
"""A longer name, with what is put around it, would exceed the 255 bytes that file systems allow."""


def refusal(path: str) -> HostError | None:
    """Why a path cannot be asked about or changed; None if it can.

    A line end in a name would tear what a machine's programs print, and the end of text none of them can be given.
    """
    if not path.startswith(("/", OWN_FOLDER)):
        return _refused(path, "It is not absolute, so it would depend on where a command happens to stand.")
    if "\n" in path or "\0" in path:
        return _refused(path, "It has a line end or a zero byte in it, which a machine's programs cannot be told.")
    return None


def require_sound(path: str) -> str:
    """The path itself.

    Raises:
        HostError: ``invalid`` if it cannot be asked about or changed.
    """
    if (error := refusal(path)) is not None:
        raise error
    return path


def parent(path: str) -> str:
    """The folder that a path is in."""
    return _split(path)[0]


@lru_cache(PATHS_MAX)
def _split(path: str) -> tuple[str, str]:
    """The folder and the name in it, as `PurePosixPath` has them, which takes ten times as long."""
    if path.endswith(("/", "/.")) or "//" in path or "/./" in path:
        path = str(PurePosixPath(path))
    above, _, name = path.rpartition("/")
    return above or ("/" if path.startswith("/") else "."), name


def is_in(path: str, places: Iterable[str]) -> bool:
    """Whether a path is one of the places, or below one."""
    return any(place in ("/", path) or path.startswith(f"{place}/") for place in places)


@lru_cache(PATHS_MAX)
def beside(path: str) -> str:
    """The one name under which a successor of `path` is built.

    Raises:
        HostError: ``invalid`` for the root, which has no successor.
    """
    above, name = _split(path)
    if not name:
        raise _refused(path, "It is the root of everything.")
    if len(name.encode(errors="surrogateescape")) > NAME_BYTES_MAX:
        name = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()
    before = "" if above == "." else f"{above.rstrip('/')}/"
    return f"{before}.{name}.purvey"


def _refused(path: str, why: str) -> HostError:
    return HostError("invalid", "A path cannot be used on a machine", detail=f"{path!r} was given. {why}")
