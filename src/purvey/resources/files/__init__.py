"""Directories, files and links."""

from __future__ import annotations

from purvey.resources.files.directory import Directory
from purvey.resources.files.file import File
from purvey.resources.files.link import Link

__all__ = ["Directory", "File", "Link"]
