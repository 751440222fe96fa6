"""The behaviour of secrets: what was given in confidence stands in clear nowhere but where it was meant to.

Looked at are the bytes: every file of the project and of the objects, everything the engine told (events, plans, errors, ends
of runs), and the command line of every process of the machine, read again and again while the engine works.
"""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import quote

from purvey.testing.conformance._project import require

if TYPE_CHECKING:
    from collections.abc import Iterator

    from purvey.testing.conformance._case import Case, CheckCase
    from purvey.testing.conformance._project import Project

_LOOK_S: Final = 0.002
"""How often the command lines are read; starting any program takes longer."""


class CommandLines:
    """The command lines of all processes that ran during a ``with`` block, as far as they lived for a few milliseconds."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        """End."""
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(_LOOK_S):
            for entry in Path("/proc").iterdir():
                if entry.name.isdigit():
                    try:
                        self.seen.add((entry / "cmdline").read_bytes())
                    except OSError:  # It has just ended.
                        continue


def secrets(project: Project, case: Case) -> None:
    """A whole life, failures included, leaves no secret in clear in the store, a plan, an event, an error or a command line."""
    wishes = [wish for wish, behaviour in _WISHES if behaviour not in case.inapplicable]
    with CommandLines() as lines:
        for wish in wishes:
            result = "undone" if wish == "failing" else "succeeded"
            project.apply(wish, result=result)
            _require_hidden(project, case, lines)
    require(bool(_plaintexts(case)), "the case declares its object without a secret; use `self.secret(name)`")


_WISHES: Final = (
    ("", ""),
    ("failing", "failure"),
    ("first", ""),
    ("failing", "failed update"),
    ("changed", "update"),
    ("", ""),
)
"""What is wished in turn, and the behaviour without which the wish has no meaning for a kind."""


def secrets_of_check(project: Project, case: CheckCase) -> None:
    """A check that passes and one that fails show no secret in clear, in their evidence least of all."""
    project.apply("")
    with CommandLines() as lines:
        case.prepare("failing")
        project.attempt("failing")
        _require_hidden(project, case, lines)
        case.prepare("passing")
        project.apply("passing")
        _require_hidden(project, case, lines)
    require(bool(_plaintexts(case)), "the case declares its check without a secret; use `self.secret(name)`")


def _require_hidden(project: Project, case: Case | CheckCase, lines: CommandLines) -> None:
    for name, plaintext in _plaintexts(case).items():
        forms = _forms(plaintext)
        for what, data in _sights(project, case, lines):
            found = [form for form, text in forms.items() if text in data]
            require(not found, f"the secret {name!r} stands in {what}", *found)


def _plaintexts(case: Case | CheckCase) -> dict[str, str]:
    return {path.name: path.read_text() for path in (case.folder / ".secrets").glob("*")}


def _forms(plaintext: str) -> dict[str, bytes]:
    """A secret as it is, and as careless code spells it."""
    return {
        "in clear": plaintext.encode(),
        "in base64": base64.b64encode(plaintext.encode()),
        "as a part of a URL": quote(plaintext, safe="").encode(),
        "in JSON": json.dumps(plaintext)[1:-1].encode(),
        "in a Python text": repr(plaintext)[1:-1].encode(),
    }


def _sights(project: Project, case: Case | CheckCase, lines: CommandLines) -> Iterator[tuple[str, bytes]]:
    """Everything that may be read: what it is, and its bytes."""
    yield "what the engine told", b"\n".join(project.told)
    yield "a command line", b"\n".join(lines.seen)
    meant = {*map(str, case.may_hold())}
    for folder in (project.folder, case.objects):
        for path in folder.rglob("*"):
            if path.is_file() and not path.is_symlink() and path.parent.name != ".secrets" and str(path) not in meant:
                try:
                    yield str(path), _read(path)
                except FileNotFoundError:  # A server's own file, gone already.
                    continue


def _read(path: Path) -> bytes:
    """The bytes of a file; those of the store in a process of its own.

    Closing a file drops every lock that a process has on it, so that another process would take away the log of a store that
    is open here (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    if not path.name.startswith("state.db"):
        return path.read_bytes()
    copied = subprocess.run(["/bin/cat", "--", str(path)], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if copied.returncode:
        raise FileNotFoundError(path)
    return copied.stdout
