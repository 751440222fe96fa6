"""What this machine remembers of the steps that must not be done twice: for each one a file, made before and replaced after.

A command here does not outlive the run that began it. So it is known of each, also after a kill, that it was never begun, or
how it ended, or that it was cut off: then nobody knows what it has done. Everything else may be done again, and is not
remembered.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from typing import cast

import msgspec

from purvey._hosts import local_stage
from purvey._hosts.local_errors import explained
from purvey._hosts.step import Broken, Ended, Interrupted, Step
from purvey.errors import Code, HostError


class _Ended(msgspec.Struct, tag="ended"):
    """See `Ended`; what is asked afterwards is asked again."""

    out: bytes
    err: bytes
    returncode: int


class _Broken(msgspec.Struct, tag="broken"):
    """See `Broken`."""

    code: Code
    summary: str
    detail: str
    hint: str


class _Begun(msgspec.Struct, tag="begun"):
    """It has not ended, as far as is known."""


class LocalLog:
    """The steps of one stack on this machine.

    Args:
        folder: Where it is kept; closed to others.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def known(self, step: Step) -> Ended | Broken | Interrupted | None:
        """How a step ended that was begun before, what it is asked afterwards left out; None if it never was begun."""
        try:
            found = msgspec.json.decode(self._path(step).read_bytes(), type=_Ended | _Broken | _Begun)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, msgspec.MsgspecError):  # Whoever spoilt it, it was begun.
            return Interrupted()
        if isinstance(found, _Ended):
            return Ended(found.out, found.err, returncode=found.returncode)
        if isinstance(found, _Broken):
            return Broken(HostError(found.code, found.summary, detail=found.detail, hint=found.hint))
        return Interrupted()

    def remembers(self, token: str) -> bool:
        """Whether a step was begun."""
        return (self._folder / token).exists()

    def begin(self, step: Step) -> None:
        """Write down that a step begins, so that it survives a power failure.

        Raises:
            HostError: if it cannot be written down; then it must not begin.
        """
        with explained(str(self._folder), "made"):
            self._folder.mkdir(0o700, parents=True, exist_ok=True)
        self._write(step, _Begun())

    def end(self, step: Step, ending: Ended | Broken) -> None:
        """Write down how it ended.

        Raises:
            HostError: if it cannot be written down; then it is known as begun.
        """
        try:
            self._end(step, ending)
        except HostError as error:
            error.may_exist = True
            raise

    def _end(self, step: Step, ending: Ended | Broken) -> None:
        if isinstance(ending, Ended):
            self._write(step, _Ended(ending.out, ending.err, ending.returncode))
        else:
            error = ending.error
            self._write(step, _Broken(cast("Code", error.code), error.summary, error.detail, error.hint))

    def forget(self) -> None:
        """Forget everything, because all that was begun is settled."""
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(self._folder)

    def _write(self, step: Step, end: _Ended | _Broken | _Begun) -> None:
        path = str(self._path(step))
        local_stage.commit(local_stage.stage(path, msgspec.json.encode(end), mode=0o600, owner=None, group=None))

    def _path(self, step: Step) -> Path:
        return self._folder / step.token
