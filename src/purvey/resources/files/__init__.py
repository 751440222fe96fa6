"""Directories, files, links, whole trees, archives, downloads, and parts of text files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey._base.on_demand import on_demand

if TYPE_CHECKING:
    from purvey.resources.files.archive import Archive
    from purvey.resources.files.block import Block
    from purvey.resources.files.directory import Directory
    from purvey.resources.files.download import Download
    from purvey.resources.files.file import File
    from purvey.resources.files.line import Line
    from purvey.resources.files.link import Link
    from purvey.resources.files.sync import Sync

__all__ = ["Archive", "Block", "Directory", "Download", "File", "Line", "Link", "Sync"]

__getattr__, __dir__ = on_demand(__name__, {
    "Archive": "archive", "Block": "block", "Directory": "directory", "Download": "download", "File": "file",
    "Line": "line", "Link": "link", "Sync": "sync",
})  # fmt: skip
