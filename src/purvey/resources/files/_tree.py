"""Trees of files: what is beside the script, and what a machine tells of a folder, in the same words.

A tree is a mapping, so that a plan shows each file that differs: a file's name to its mode and SHA-256, a folder's name, which
ends with a slash, to its mode, and a link's to ``-> `` and where it points.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Final

import msgspec

from purvey._hosts.command import Completed
from purvey._hosts.fact import Ask

Tree = dict[str, str]

LOOK: Final = """\
cd "$1" && shift || exit 1
excluded=$([ $# -eq 0 ] || find . "$@" -prune -print) || exit 1
[ $# -eq 0 ] || set -- "$@" -prune -o
entries=$(find . -name '.purvey[.-]*' -prune -o "$@" ! -path . -exec stat -c "%f %u:%g %U:%G %n" {} +) || exit 1
digests=$(find . -name '.purvey[.-]*' -prune -o "$@" -type f -exec sha256sum {} +) || exit 1
links=$(find . -name '.purvey[.-]*' -prune -o "$@" -type l -print) || exit 1
told() { [ -z "$1" ] || printf '%s\\n' "$1" | sort; }
told "$entries"
echo =
told "$digests"
echo =
told "$excluded"
echo =
told "$links" | while IFS= read -r link; do
  printf '%s\\n' "$link"
  readlink -- "$link"
done
"""
_ENTRY: Final = re.compile(r"([0-9a-f]+) (\d+):(\d+) (\S+):(\S+) \./(.+)")
_DIGEST: Final = re.compile(r"(\\?)([0-9a-f]{64})  \./(.+)")
_ODD: Final = re.compile(r"[\n\\]")


class Found(msgspec.Struct, frozen=True):
    """What a machine has in a folder: the tree, who owns each, as USER and GROUP, and what is excluded."""

    tree: Tree
    owners: dict[str, tuple[str, str]]
    excluded: tuple[str, ...] = ()

    def others(self, wished: Mapping[str, str]) -> set[str]:
        """Names that are not wished; a folder with something excluded in it cannot go, and is none."""
        kept = {f"{parent}/" for name in self.excluded for parent in map(str, PurePosixPath(name).parents)}
        return {name for name in self.tree if name not in wished and name not in kept}


def looking(path: str, exclude: Sequence[str]) -> Ask:
    """The question what is in a folder, apart from what is excluded: one process tree for any number of files."""
    tests: list[str] = []
    for pattern in exclude:
        test = ("-path", f"./{pattern.strip('/')}") if "/" in pattern.strip("/") else ("-name", pattern.strip("/"))
        tests += [*(["-o"] if tests else []), *test]
    return Ask(("sh", "-c", LOOK, "sh", path, *(["(", *tests, ")"] if tests else [])))


def found_in(said: Completed) -> Found | None:
    """What a machine has answered; None if that cannot be understood."""
    lines = said.stdout.decode(errors="surrogateescape").split("\n")[:-1]
    marks = [number for number, line in enumerate(lines) if line == "="][:3]
    if said.returncode != 0 or len(marks) < 3:  # noqa: PLR2004 - between entries, digests, what is excluded, and links.
        return None
    entries = [_ENTRY.fullmatch(line) for line in lines[: marks[0]]]
    digests = [_DIGEST.fullmatch(line) for line in lines[marks[0] + 1 : marks[1]]]
    excluded = tuple(line.removeprefix("./") for line in lines[marks[1] + 1 : marks[2]])
    words = lines[marks[2] + 1 :]
    if None in entries or None in digests or len(words) % 2:
        return None
    sums = {_unescaped(found[1], found[3]): found[2] for found in digests if found is not None}
    targets = dict(zip((name.removeprefix("./") for name in words[::2]), words[1::2], strict=True))
    return msgspec.structs.replace(_found([found for found in entries if found is not None], sums, targets), excluded=excluded)


def _unescaped(escaped: str, name: str) -> str:
    return name.replace("\\\\", "\\") if escaped else name


def _found(entries: Sequence[re.Match[str]], sums: Mapping[str, str], targets: Mapping[str, str]) -> Found:
    tree: Tree = {}
    owners: dict[str, tuple[str, str]] = {}
    for entry in entries:
        bits, name = int(entry[1], 16), entry[6]
        mode = f"{stat.S_IMODE(bits):04o}"
        if stat.S_ISDIR(bits):
            name, told = f"{name}/", mode
        elif stat.S_ISREG(bits):
            told = f"{mode} {sums.get(name, '')}"
        elif stat.S_ISLNK(bits):
            told = f"-> {targets.get(name, '')}"
        else:
            told = "(neither a file nor a folder)"
        tree[name] = told
        owners[name] = tuple(
            number if text == "UNKNOWN" else text for number, text in ((entry[2], entry[4]), (entry[3], entry[5]))
        )  # type: ignore[assignment]
    return Found(tree, owners)


def read(folder: Path, exclude: Sequence[str], mode: str | None, directory_mode: str) -> Tree:
    """The tree beside the script.

    Args:
        folder: The folder.
        exclude: Patterns of what is left away.
        mode: Of every file; None for 0644, and 0755 of what may be executed here.
        directory_mode: Of every folder.

    Raises:
        OSError: if something cannot be read.
        ValueError: naming what cannot be in a tree.
    """
    tree: Tree = {}
    for name, entry in _walk(folder, "", exclude):
        if _ODD.search(name) or not name.isprintable():
            raise ValueError(f"the name {name!r} has a line end, a backslash or a character that cannot be shown")
        if entry.is_symlink():
            tree[name] = f"-> {os.readlink(entry.path)}"  # noqa: PTH115 - an entry has no Path.
        elif entry.is_dir():
            tree[f"{name}/"] = directory_mode
        elif entry.is_file():
            usual = "0755" if entry.stat().st_mode & stat.S_IXUSR else "0644"
            with open(entry.path, "rb") as stream:  # noqa: PTH123 - as above.
                tree[name] = f"{mode or usual} {hashlib.file_digest(stream, 'sha256').hexdigest()}"
        else:
            raise ValueError(f"{name} is neither a file, a folder nor a link")
    return tree


def _walk(folder: Path, above: str, exclude: Sequence[str]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            name = f"{above}{entry.name}"
            if is_excluded(name, exclude):
                continue
            yield name, entry
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{name}/", exclude)


def is_excluded(name: str, exclude: Sequence[str]) -> bool:
    """Whether a pattern means this very name; one with a slash inside begins at the top."""
    base = name.rpartition("/")[2]
    patterns = [pattern.strip("/") for pattern in exclude]
    return any(fnmatchcase(name if "/" in pattern else base, pattern) for pattern in patterns)
