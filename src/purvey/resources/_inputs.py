"""What the kinds for files share when they look at what a script passed: absolute paths, modes, and how they refuse.

Everything here may meet a reference instead of a value, and lets it pass: it is looked at again when it is known.
"""

from __future__ import annotations

import os.path
import re
from pathlib import Path, PurePath
from typing import Any

from purvey._script.recorder import current
from purvey.errors import ProviderError, ScriptError

_MODE = re.compile(r"0?[0-7]{3,4}")


def refused(code: str, summary: str, detail: str, hint: str, *, source: str = "") -> ScriptError:
    """The error for an input that makes no sense; `source` is the script's line unless the fault is in another file."""
    return ScriptError(code, summary, detail=detail, hint=hint, source=source or current().source())


def absolute(path: Any, folder: Path) -> Any:
    """The path of an object as an absolute path; on this machine, relative ones begin at `folder`.

    Args:
        path: Text, a path, or a reference; text that begins with a reference is left as it is.
        folder: The script's folder.

    Raises:
        ScriptError: ``script.bad_path`` if it is empty, begins with ``~`` or holds a null character; ``script.bad_input`` if it
            is relative and the object is where the script's folder is not.
    """
    known = beside(path, folder)
    begun = ("/", "{{" + current().nonce)
    if isinstance(path, str | PurePath) and not str(path).startswith(begun) and current().elsewhere:
        raise refused(
            "script.bad_input",
            "A path on another machine is relative",
            f"{str(path)!r} begins in the script's folder, which is on this machine and not on that one.",
            "Begin it with a slash.",
        )
    return known


def beside(path: Any, folder: Path) -> Any:
    """The path of a file that the script reads, as an absolute path; relative ones begin at `folder`, beside the script.

    Args:
        path: As for `absolute`.
        folder: The script's folder.

    Raises:
        ScriptError: ``script.bad_path`` as for `absolute`.
    """
    if not isinstance(path, str | PurePath):
        return path
    text = str(path)
    if text.startswith("{{" + current().nonce):
        return text
    if not text or text.startswith("~") or "\0" in text:
        raise refused(
            "script.bad_path",
            "A path cannot be used",
            f"{text!r} is empty, holds a null character, or begins with `~`, which only a shell understands.",
            'Write the path itself, or start from Path.home():\n\n    path=f"{Path.home()}/…"',
        )
    return _normal(os.path.join(folder, text))  # noqa: PTH118 - every path of a script comes by here.


def _normal(path: str) -> str:
    """A path in its shortest form; of two slashes at its beginning, which mean something else in POSIX, Linux makes one."""
    return os.path.normpath("/" + path.lstrip("/") if path.startswith("//") else path)


def octal(mode: Any) -> Any:
    """`mode` as four octal digits, ``0644``; what is not text is left to the check of types.

    Raises:
        ScriptError: ``script.bad_mode``.
    """
    if not isinstance(mode, str) or current().nonce in mode:
        return mode
    if not _MODE.fullmatch(mode):
        raise refused(
            "script.bad_mode",
            "A file mode is not octal",
            f"{mode!r} is not three or four octal digits.",
            'Write the digits as text:\n\n    mode="0644"',
        )
    return f"{int(mode, 8):04o}"


def placed(inputs: dict[str, Any], folder: Path, mode: str) -> dict[str, Any]:
    """`inputs` with an absolute `path` and a spelt-out `mode`.

    The mode is recorded even where the script leaves it to its default, so that a loosened mode is always seen as drift.
    """
    known = {**inputs, "mode": octal(inputs.get("mode", mode))}
    if "path" in inputs:
        known["path"] = absolute(inputs["path"], folder)
    return known


def require_absolute(path: str) -> str:
    """`path`, which was put together from values that are known only now.

    Raises:
        ProviderError: ``invalid`` if it is relative, or not in the one form that a script's own paths are brought into: two
            forms of one path would be two objects in the place of one.
    """
    if path.startswith("/") and "\0" not in path:
        if (normal := _normal(path)) == path:
            return path
        raise ProviderError(
            "invalid",
            "A path is not in its shortest form",
            detail=f"The path came out as {path!r}, which means {normal}. Paths are compared with others as they are written.",
            hint=f"Let it come out as\n\n    {normal}",
        )
    raise ProviderError(
        "invalid",
        "A path is not absolute",
        detail=f"The path came out as {path!r}, and a machine has no folder in which a relative one could begin.",
        hint="Begin it with a slash, or with the path of another node.",
    )
