"""A project's settings: ``purvey.toml``, found upwards from the script.

    store = ".purvey"             # where state is kept, relative to this file; or the address of a server
    parallel = 16                 # operations in flight

    [env.prod]
    on_failure = "keep"           # undo (default), keep or continue
    max_deletes = 0               # refuse plans that delete or replace more
    allow_final = false           # whether --yes is enough to lose data that nothing restores

    [env.prod.expect]
    account = "1234"              # what kinds must tell of the world that they are in

Beside a script ``shop.py``, ``shop.prod.toml`` holds its parameters for the environment ``prod``.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from purvey._base.address import require_environment
from purvey._base.limits import PARALLEL_DEFAULT, PARALLEL_MAX
from purvey._graph import OnFailure
from purvey._script.parameters import Given
from purvey._state.open import has_password, is_server
from purvey.errors import ScriptError

FILE = "purvey.toml"

VARIABLE = "PURVEY_STORE"
"""The variable that names the store: a folder, or the address of a server."""

_FOLDER = ".purvey"

_UNKNOWN = re.compile(r"unknown field `(.*?)`(?: - at `(.*)`)?")
"""How msgspec tells of a field that is not known: its name and, unless it is at the top, its place."""


_Parallel = Annotated[int, msgspec.Meta(ge=1, le=PARALLEL_MAX)]


class EnvironmentSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one environment says: see the module's docstring."""

    on_failure: OnFailure = "undo"
    max_deletes: Annotated[int, msgspec.Meta(ge=0)] | None = None
    parallel: _Parallel | None = None
    allow_final: bool = False
    expect: dict[str, str] = {}


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    store: str = _FOLDER
    parallel: _Parallel = PARALLEL_DEFAULT
    env: dict[str, EnvironmentSettings] = {}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """A project's settings.

    Attributes:
        root: The project's folder: where ``purvey.toml`` is, else the script's.
        store: The folder of the store; with a server, of what else is kept on this machine.
        server: The address of the server that has the store; empty if the folder has it.
        parallel: Operations in flight, 1 to 1,000.
        environments: By name.
    """

    root: Path
    store: Path
    server: str = ""
    parallel: int = PARALLEL_DEFAULT
    environments: Mapping[str, EnvironmentSettings] = {}

    def environment(self, name: str) -> EnvironmentSettings:
        """What the environment says; the defaults where it says nothing."""
        return self.environments.get(name, EnvironmentSettings())

    def parallel_in(self, env: str) -> int:
        """Operations in flight in an environment."""
        return self.environment(env).parallel or self.parallel


def load_settings(start: Path) -> Settings:
    """The settings for a script or folder.

    Args:
        start: A file or folder; its folder and those above are searched for ``purvey.toml``.

    Raises:
        ScriptError: ``script.settings`` if the file is not what it must be.
    """
    folder = start.resolve() if start.is_dir() else start.resolve().parent
    for candidate in (folder, *folder.parents):
        path = candidate / FILE
        if path.is_file():
            found = _read(path)
            store, server = _place(candidate, found.store)
            return Settings(
                root=candidate, store=store, server=server, parallel=found.parallel, environments=found.env
            )  # fmt: skip
    store, server = _place(folder, _FOLDER)
    return Settings(root=folder, store=store, server=server)


def _place(root: Path, said: str) -> tuple[Path, str]:
    """The folder and the server of the store; the environment wins over what the file says."""
    named = os.environ.get(VARIABLE, "")
    place = named or said
    if is_server(place):
        return root / _FOLDER, place
    return (Path(named).expanduser().absolute() if named else root / said), ""


def _read(path: Path) -> _File:
    try:
        found = msgspec.convert(tomllib.loads(path.read_text()), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise ScriptError(
            "script.settings", "The project's settings cannot be read", detail=f"{path.name}: {error}", source=str(path),
            hint=_known(str(error)),
        ) from None  # fmt: skip
    if is_server(found.store) and has_password(found.store):
        raise ScriptError(
            "script.settings", "The project's settings hold a password",
            detail=f"`store` in {path.name} has a password in it, and the file is shared with whoever sees the project.",
            source=str(path),
            hint=f"Take it out there. Give it in ~/.pgpass, or give the whole address in the environment ({VARIABLE}).",
        )  # fmt: skip
    return found


def _known(problem: str) -> str:
    """What a field that is not known could have been; empty for another problem."""
    unknown = _UNKNOWN.search(problem)
    if unknown is None:
        return ""
    names = (EnvironmentSettings if unknown[2] else _File).__struct_fields__
    close = difflib.get_close_matches(unknown[1], names, n=1)
    meant = f"Did you mean `{close[0]}`? " if close else ""
    return f"{meant}There can be{' in an environment' if unknown[2] else ''}: {', '.join(names)}."


def given_values(script: Path, env: str, command_line: Mapping[str, Any]) -> dict[str, Given]:
    """What the outside gives for a script's parameters; the command line wins over the environment, that over the file.

    Args:
        script: The script.
        env: The environment.
        command_line: By parameter name; a `Given` says itself where it came from.

    Raises:
        ScriptError: ``script.settings`` for a file that is not TOML, ``script.bad_name`` for an environment that cannot be.
    """
    found: dict[str, Given] = {}
    path = script.with_name(f"{script.stem}.{require_environment(env)}.toml")
    if path.is_file():
        try:
            data = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ScriptError(
                "script.settings", "An environment's file cannot be read", detail=f"{path.name}: {error}", source=str(path)
            ) from None
        found |= {name.replace("-", "_"): Given(value, path.name) for name, value in data.items()}
    for name, text in os.environ.items():
        if name.startswith("PURVEY_PARAM_"):
            found[name.removeprefix("PURVEY_PARAM_").lower()] = Given(text, name)
    found |= {name.replace("-", "_"): _given(name, value) for name, value in command_line.items()}
    return found


def _given(name: str, value: Any) -> Given:
    return value if isinstance(value, Given) else Given(value, f"--{name.replace('_', '-')}")


def least(*bounds: int | None) -> int | None:
    """The smallest of several bounds; None where there is none."""
    return min((bound for bound in bounds if bound is not None), default=None)
