"""Programs that a machine must have: asked for before the first write, and named with the package that brings them. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from purvey._hosts.fact import Answers, Ask
from purvey.errors import ProviderError
from purvey.providers import Finding


def program(name: str) -> Ask:
    """Whether a machine has a program."""
    return Ask(("sh", "-c", 'command -v "$1"', "sh", name))


def missing(address: str, needed: Iterable[tuple[str, str]], answers: Answers) -> list[Finding]:
    """What is missing of programs, given with their packages; another node may install it before it is needed."""
    return [
        Finding(address, f"the machine has no program {name}", f"Install it:\n  apt install {package}", certain=False)
        for name, package in needed
        if answers[program(name)].returncode
    ]


def not_installed(error: ProviderError, name: str, package: str) -> ProviderError:
    """The error of a command that is not there, as one that says so; any other one as it is."""
    if "No such file or directory" not in error.detail or "failed to run command" not in error.detail:
        return error
    return ProviderError(
        "not_found", "A program is missing on a machine", detail=error.detail, hint=f"Install {name}:\n  apt install {package}"
    )
