"""What dpkg says of packages: one question for any number of them, and the words it answers with. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from purvey._hosts.fact import Answers, Ask
from purvey.errors import HostError
from purvey.resources.packages._provider import MISSING, Installed

NAME: Final = re.compile(r"[a-z0-9][a-z0-9.+-]*[a-z0-9+.](:[a-z0-9-]+)?")
"""A package's name (Debian Policy 5.6.1), with an architecture or without. None ends with a minus: to apt that is an order."""

_FIELDS: Final = (
    "Package", "Architecture", "db:Status-Want", "db:Status-Status", "db:Status-Eflag", "Version",
)  # fmt: skip
_FORMAT: Final = " ".join(f"${{{field}}}" for field in _FIELDS) + "\n"

_THERE: Final = frozenset({"installed", "triggers-awaited", "triggers-pending"})
"""What counts as installed: a package that waits for a trigger does its work."""

_HALF: Final = frozenset({"unpacked", "half-installed", "half-configured"})
_UNKNOWN_NAME: Final = 1
"""What dpkg-query ends with where it does not know one of the names; it tells of the others."""


def query(names: Sequence[str]) -> Ask:
    """The question what dpkg has of these."""
    return Ask(("dpkg-query", "-W", "-f", _FORMAT, *names))


def installed(names: Sequence[str], answers: Answers) -> dict[str, Installed]:
    """What dpkg has of these; a package of which only the configuration is left has no version.

    Raises:
        HostError: if dpkg cannot be asked.
    """
    said = answers[query(names)]
    if said.returncode == MISSING:
        raise HostError("not_found", "The machine has no dpkg", detail="It is no Debian, or one of those made from it.")
    if said.returncode not in (0, _UNKNOWN_NAME):
        raise HostError("failed", "dpkg does not tell its packages", detail=f"dpkg-query ended with code {said.returncode}.")
    found: dict[str, Installed] = {}
    for line in said.text().splitlines():
        words = line.split(" ")
        if len(words) != len(_FIELDS):
            raise HostError("failed", "dpkg does not tell its packages", detail=f"dpkg-query said: {line}")
        for name in names:
            if _names(name, words[0], words[1]) and (state := _state(*words[2:])) is not None and not _known(found, name):
                found[name] = state
    return found


def _known(found: dict[str, Installed], name: str) -> bool:
    """Whether one architecture has told already that it is there."""
    return name in found and bool(found[name].version) and found[name].whole


def _names(name: str, package: str, architecture: str) -> bool:
    base, _, wanted = name.partition(":")
    return base == package and wanted in ("", "any", architecture)


def _state(want: str, status: str, flag: str, version: str) -> Installed | None:
    """What a package's words mean; None where nothing is there."""
    if status in _THERE or status in _HALF:
        return Installed(version, want == "hold", whole=status in _THERE and flag == "ok")
    if status == "config-files":
        return Installed("")
    if status == "not-installed":
        return None
    raise HostError("failed", "dpkg does not tell its packages", detail=f"A package is {status!r}, which is no known state.")
