"""A folder of migrations, read once while the script declares, so that the plan holds the SQL that will run.

    0001_customers.sql            what the revision ``0001_customers`` does
    0001_customers.down.sql       what takes it back; without it the revision is final

A number orders the files; two files cannot share one. Files that do not end in ``.sql`` are nobody's business.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Final

import msgspec

from purvey._script.recorder import current
from purvey.errors import ScriptError
from purvey.resources.postgres._statements import statements

_FILE: Final = re.compile(r"(?P<revision>(?P<number>\d+)_[A-Za-z0-9_-]+)(?P<down>\.down)?\.sql")

Files = dict[str, dict[str, str | None]]
"""For each revision ``checksum`` (SHA-256 of the up file), ``up`` and ``down`` (None if there is no down file), as recorded."""


class File(msgspec.Struct, frozen=True):
    """One migration; the fields are those of `Files`."""

    revision: str
    checksum: str
    up: str
    down: str | None = None


def in_order(files: Files) -> list[File]:
    """The migrations in the order of their numbers."""
    found = [msgspec.convert({"revision": revision, **fields}, File) for revision, fields in files.items()]
    return sorted(found, key=lambda file: number(file.revision))


def read_folder(folder: Path) -> Files:
    """The migrations of `folder`.

    Raises:
        ScriptError: ``script.bad_migrations`` naming the file: one that cannot be read, has no number, has another one's
            number, has a down file only, or begins or ends a transaction by itself.
    """
    ups: dict[str, str] = {}
    downs: dict[str, str] = {}
    numbers: dict[int, str] = {}
    for path in _sql_files(folder):
        match = _FILE.fullmatch(path.name)
        if match is None:
            raise _bad(path, "its name is not NNNN_name.sql or NNNN_name.down.sql")
        text = _text(path)
        _refuse_transactions(path, text)
        if match["down"]:
            downs[match["revision"]] = text
            continue
        first = numbers.setdefault(int(match["number"]), path.name)
        if first != path.name:
            raise _bad(path, f"its number is that of {first}, so nothing says which comes first")
        ups[match["revision"]] = text
    for revision in downs.keys() - ups.keys():
        raise _bad(folder / f"{revision}.down.sql", f"there is no {revision}.sql that it could take back")
    return {
        revision: {"checksum": checksum(ups[revision]), "up": ups[revision], "down": downs.get(revision)}
        for revision in sorted(ups, key=number)
    }


def number(revision: str) -> int:
    """The number by which a revision is ordered."""
    return int(revision.partition("_")[0])


def checksum(text: str) -> str:
    """What identifies the content of a file."""
    return hashlib.sha256(text.encode()).hexdigest()


def _sql_files(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ".sql")
    except OSError as error:
        raise _bad(folder, f"the folder cannot be read ({error.strerror})") from None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(path, f"it cannot be read as UTF-8 ({error})") from None


def _refuse_transactions(path: Path, text: str) -> None:
    """A file that ends the transaction it runs in would leave half of itself behind when its rest fails."""
    for statement in statements(text):
        if statement.ends_transaction:
            words = " ".join(statement.text.split()[:2])
            raise _bad(path, f"line {statement.line} says {words!r}, but each file runs in a transaction of its own")


def _bad(path: Path, problem: str) -> ScriptError:
    return ScriptError(
        "script.bad_migrations",
        "A folder of migrations cannot be used",
        detail=f"{path}: {problem}.",
        hint="Migrations are numbered SQL files such as 0001_customers.sql, each with an optional 0001_customers.down.sql.",
        source=current().source(),
    )
