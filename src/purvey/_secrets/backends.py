"""Where secrets are read from: one function for each scheme of ``scheme:path``.

    env:NAME    a variable of the environment that purvey was started with
    file:PATH   a file, relative to the script's folder; others must not be able to read it

Invariant: an error names the source and never holds the value.
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from purvey._base.value import Secret, SecretRef
from purvey.errors import ProviderError, PurveyError, ScriptError

Read = Callable[[str, Path], bytes | str]
"""Reads the secret at a path; gets what stands after the colon, and the folder that relative paths begin at.

MUST raise `ScriptError` when the secret is not there or cannot be read, and MUST NOT put the value in an error.
"""

Version = Callable[[str, Path], str]
"""The version that `Read` would read now; empty where the backend keeps no versions."""


class Problem(NamedTuple):
    """A secret that cannot be read: its source, what is wrong, and what to do."""

    source: str
    problem: str
    fix: str


class Backends:
    """The backends by scheme."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[Read, Version]] = {}

    def register(self, scheme: str, read: Read, *, version: Version | None = None) -> None:
        """Make ``scheme:…`` readable; a later registration of a scheme replaces the earlier one.

        Args:
            scheme: What stands before the colon.
            read: Reads a secret.
            version: Tells a secret's version; None where the backend keeps none.
        """
        self._found[scheme] = (read, version or _no_version)

    def get(self, source: str) -> tuple[Read, Version, str]:
        """The functions for `source`, and its path.

        Raises:
            ScriptError: ``secret.unknown_backend``.
        """
        scheme, colon, path = source.partition(":")
        if not colon or not path or scheme not in self._found:
            import difflib  # noqa: PLC0415 - only who mistypes a scheme needs it.

            close = difflib.get_close_matches(scheme, self._found, n=1)
            known = ", ".join(f"{name}:…" for name in sorted(self._found))
            did_you_mean = f"Did you mean {close[0]}:{path}?" if close and path else ""
            raise ScriptError(
                "secret.unknown_backend",
                "A secret's source is not one that purvey can read",
                detail=f"{source!r} is not of the form backend:path with one of the backends {known}.",
                hint=did_you_mean or "Write secret('env:NAME') or secret('file:PATH').",
            )
        read, version = self._found[scheme]
        return read, version, path


class Reader:
    """Reads secrets, each at most once in a run, so that one run works with one version of each.

    Args:
        root: The folder that relative paths begin at: the script's.
        backends: The backends; those of this module by default.
    """

    def __init__(self, root: Path, backends: Backends | None = None) -> None:
        self._root = root
        self._backends = backends or BACKENDS
        self._read: dict[str, Secret] = {}

    def read(self, source: str) -> Secret:
        """The secret at `source`, with its reference as origin.

        Args:
            source: ``backend:path``.

        Raises:
            ScriptError: ``secret.not_found``, ``secret.unreadable`` or ``secret.unknown_backend``.
            ProviderError: When the backend itself fails.
        """
        if source not in self._read:
            self._read[source] = Secret(self._fetch(source), SecretRef(source))
        return self._read[source]

    def version(self, source: str) -> str:
        """The version of the secret at `source`; empty where its backend keeps none."""
        _, version, path = self._backends.get(source)
        return version(path, self._root)

    def problems(self, sources: Iterable[str]) -> list[Problem]:
        """Every one of `sources` that cannot be read, once, in order; the others are then read already."""
        found: list[Problem] = []
        for source in dict.fromkeys(sources):
            try:
                self.read(source)
            except PurveyError as error:
                found.append(Problem(source, error.detail or error.summary, error.hint))
        return found

    def _fetch(self, source: str) -> str:
        read, _, path = self._backends.get(source)
        try:
            value = read(path, self._root)
            text = value.decode() if isinstance(value, bytes) else value
        except PurveyError:
            raise
        except UnicodeDecodeError:
            raise _unreadable(source, "its content is not text in UTF-8", "Store binary data in base64.") from None
        except Exception as error:  # noqa: BLE001 - any backend's own error may quote the value, so none goes through.
            raise ProviderError(
                "unavailable",
                "A secret backend failed",
                detail=f"{source}: {type(error).__name__}",
                hint="See whether the backend answers and your credentials for it are valid.",
            ) from None
        if not text:
            raise _unreadable(source, "it is empty", "Put the secret there.")
        return text


def _how_to_make(path: Path) -> str:
    folder, file = shlex.quote(str(path.parent)), shlex.quote(str(path))
    return f"Put it in a file that only you can read:\n\n    umask 077; mkdir -p {folder}; printf %s VALUE > {file}"


def _not_found(source: str, problem: str, fix: str) -> ScriptError:
    return ScriptError("secret.not_found", "A secret is not there", detail=f"{source}: {problem}.", hint=fix)


def _unreadable(source: str, problem: str, fix: str) -> ScriptError:
    return ScriptError("secret.unreadable", "A secret cannot be read", detail=f"{source}: {problem}.", hint=fix)


def _no_version(path: str, root: Path) -> str:  # noqa: ARG001 - the signature is that of `Version`.
    """Of a backend that keeps only the newest."""
    return ""


def _read_variable(name: str, root: Path) -> str:  # noqa: ARG001 - the signature is that of `Read`.
    """``env:NAME``."""
    value = os.environ.get(name)
    if value is None:
        raise _not_found(f"env:{name}", f"the variable {name} is not set", f"Set it:\n\n    export {name}=…")
    return value


def _read_file(name: str, root: Path) -> bytes:
    """``file:PATH``, without the newline that editors put at the end."""
    path = root / Path(name).expanduser()
    source = f"file:{name}"
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # A pipe is refused, not waited for.
    except FileNotFoundError:
        raise _not_found(source, f"there is no file {path}", _how_to_make(path)) from None
    except OSError as error:
        raise _unreadable(source, f"{path}: {error.strerror}", "Let the user who runs purvey read it.") from None
    try:
        _require_private_file(source, path, descriptor)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read()
    finally:
        os.close(descriptor)
    return content.removesuffix(b"\n").removesuffix(b"\r")


def _require_private_file(source: str, path: Path, descriptor: int) -> None:
    """Refuse a secret that others can read, except where nobody could mend it.

    Container platforms mount secrets read-only with their own modes; there the mode is the platform's decision.
    """
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        raise _unreadable(source, f"{path} is not a regular file", "Give the path of a file.")
    if stat.S_IMODE(mode) & 0o077 and not os.fstatvfs(descriptor).f_flag & os.ST_RDONLY:
        problem = f"{path} has mode {stat.S_IMODE(mode):04o}, so other users of this machine can read it"
        raise _unreadable(source, problem, f"Take the rights away:\n\n    chmod 600 {path}")


BACKENDS: Final = Backends()
"""The backends that every run has; others are added with `Backends.register`."""

BACKENDS.register("env", _read_variable)
BACKENDS.register("file", _read_file)
