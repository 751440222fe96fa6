"""Removes the folders that objects left empty."""

from __future__ import annotations

from pathlib import Path


def prune_empty(folder: Path) -> None:
    """Remove folders that objects left empty, and `folder` itself if nothing is left in it.

    A folder that holds a file is an object's own: what is in it is that object's business, empty folders included (a database
    cannot start without some of its own).
    """
    if not folder.is_dir():
        return
    _prune(folder)
    for path in (folder.parent, folder.parent.parent):
        _remove_if_empty(path)


def _prune(folder: Path) -> None:
    entries = list(folder.iterdir())
    if all(entry.is_dir() and not entry.is_symlink() for entry in entries):
        for entry in entries:
            _prune(entry)
        _remove_if_empty(folder)


def _remove_if_empty(path: Path) -> None:
    try:
        path.rmdir()
    except OSError:
        return
