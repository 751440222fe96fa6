"""A world of one JSON file: enough for providers to act on, with a log of every effect as the tests' oracle.

The file is replaced atomically, so that a process killed at any moment leaves it whole. An effect that finds its work done
(a create under a name that is there with the same token) changes nothing and logs nothing, as real idempotent APIs do.
Faults are kept in the file too, so that they reach a run in another process.
"""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

VARIABLE = "PURVEY_TEST_WORLD"
"""The environment variable that names the file."""

_lock = threading.Lock()


class World:
    """The world in the file at `path`; made when it is first written.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def _read(self) -> dict[str, Any]:
        try:
            found: dict[str, Any] = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"objects": {}, "log": [], "faults": [], "serial": 0, "reads": 0}
        return found

    @contextmanager
    def edited(self) -> Iterator[dict[str, Any]]:
        """The whole content, written back at the end."""
        with _lock:
            content = self._read()
            yield content
            descriptor, name = tempfile.mkstemp(dir=self.path.parent, prefix=".world-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(content, file)
            Path(name).replace(self.path)

    @property
    def objects(self) -> dict[str, dict[str, Any]]:
        """Everything that exists, by id."""
        found: dict[str, dict[str, Any]] = self._read()["objects"]
        return found

    @property
    def owner(self) -> str:
        """Whose world it is."""
        return str(self._read().get("owner", "us"))

    def sell(self, owner: str) -> None:
        """Let it be somebody else's."""
        with self.edited() as content:
            content["owner"] = owner

    @property
    def log(self) -> list[str]:
        """Every effect there was, oldest first, as ``verb id``."""
        found: list[str] = self._read()["log"]
        return found

    def visible(self) -> list[dict[str, Any]]:
        """What people would see of the objects: what differs from run to run (ids, tokens, counters) left out."""
        hidden = {"token", "polls", "revision", "tag", "mark"}
        objects = self.objects
        names = {key: entry.get("name", key) for key, entry in objects.items()}
        shown = [{key: _named(item, names) for key, item in entry.items() if key not in hidden} for entry in objects.values()]
        return sorted(shown, key=lambda entry: json.dumps(entry, sort_keys=True))

    def set(self, object_id: str, **values: Any) -> None:
        """Change an object behind purvey's back."""
        with self.edited() as content:
            content["objects"].setdefault(object_id, {}).update(values)

    def remove(self, object_id: str) -> None:
        """Remove an object behind purvey's back."""
        with self.edited() as content:
            del content["objects"][object_id]

    def note(self, text: str) -> None:
        """Log an effect that leaves no object, such as a step's."""
        with self.edited() as content:
            content["log"].append(text)

    def fail(
        self, verb: str, name: str, code: str = "invalid", *, times: int = 1_000, may_exist: bool = False, after: bool = False,
        detail: str = "the world said no",
    ) -> None:  # fmt: skip
        """Let the next calls of `verb` on the object called `name` fail.

        Args:
            verb: ``create``, ``update``, ``delete``, ``read``, ``find`` or ``check``.
            name: The declared name; ``*`` for any.
            code: The error's code.
            times: How many calls fail.
            may_exist: Whether the error is ambiguous.
            after: Whether the effect happens all the same.
            detail: The world's own message.
        """
        with self.edited() as content:
            content["faults"].append(
                {"verb": verb, "name": name, "code": code, "times": times, "may_exist": may_exist, "after": after,
                 "detail": detail}
            )  # fmt: skip

    def mend(self) -> None:
        """Take every fault back."""
        with self.edited() as content:
            content["faults"] = []

    def fault(self, verb: str, name: str) -> dict[str, Any] | None:
        """The fault that a call meets, used up by one; None if there is none."""
        with self.edited() as content:
            for fault in content["faults"]:
                if fault["verb"] == verb and fault["name"] in (name, "*") and fault["times"] > 0:
                    fault["times"] -= 1
                    found: dict[str, Any] = fault
                    return found
        return None


def _named(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        for key, name in names.items():
            value = value.replace(key, f"<{name}>")
    return value


def here() -> World:
    """The world that the environment names."""
    return World(Path(os.environ[VARIABLE]))
