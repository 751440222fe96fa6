"""What a script says of the packages that it wants: their names, each with the version that it must have, or with none."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from purvey._base.value import Value
from purvey._script.recorder import current
from purvey.providers import NotKnownError
from purvey.resources._given import require
from purvey.resources._inputs import refused

_VERSION: Final = re.compile(r"([^\s-](\S*[^\s-])?)?")
"""A hyphen at its end would tell apt to remove the package."""

_VERSION_SAYS: Final = "Write the version alone, as the package manager shows it."
_ANY: Final = "*"
"""Ends a version of which the beginning alone must fit."""


def by_name(given: Any, name: re.Pattern[str], separator: str = "=") -> dict[str, Any]:
    """The versions that are wanted, by name; an empty one is any.

    Args:
        given: What the script passed: names, each with its version or without, or a mapping.
        name: What a name looks like to the package manager; anything else may be an order to it.
        separator: What stands between a name and its version.

    Raises:
        ScriptError: ``script.bad_package``.
    """
    if isinstance(given, Mapping):
        pairs = [(key, "" if version is None else version) for key, version in given.items()]
    elif isinstance(given, list | tuple) and all(isinstance(item, str) for item in given):
        pairs = [(head.strip(), version.strip()) for head, _, version in (item.partition(separator) for item in given)]
    else:
        raise _bad(
            "`names` is not a list of texts that is known now", f'Write it down:\n\n    names=["curl", "demo{separator}1.2"]'
        )
    if not pairs:
        raise _bad("`names` is empty", "Name a package.")
    found: dict[str, Any] = {}
    for key, version in pairs:
        if not isinstance(key, str) or not name.fullmatch(key):
            raise _bad(f"{key!r} is no name of a package", "Write names alone; patterns, files and options are none.")
        if found.setdefault(key, version) != version:
            raise _bad(f"{key} is wanted in two versions", "Name it once.")
        if isinstance(version, str) and current().nonce not in version and not _VERSION.fullmatch(version):
            raise _bad(f"{version!r} is no version of {key}", _VERSION_SAYS)
    return found


def required_versions(names: Mapping[str, Value]) -> None:
    """Refuse versions that are known only now, and could be something else to a package manager.

    Raises:
        ProviderError: ``invalid``.
    """
    for name, version in names.items():
        require(str(version), _VERSION, f"The version of {name}", _VERSION_SAYS)


def _bad(problem: str, hint: str) -> Exception:
    return refused("script.bad_package", "A package is not named in a way that is understood", f"{problem}.", hint)


def fits(version: str, wanted: Value) -> bool:
    """Whether an installed version is what is wanted: any, that one, or one that begins so.

    Raises:
        NotKnownError: while it is not known what is wanted.
    """
    if not isinstance(wanted, str):
        raise NotKnownError("names")
    return wanted in ("", version) or (wanted.endswith(_ANY) and version.startswith(wanted[:-1]))
