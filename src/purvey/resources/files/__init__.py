"""Directories, files, links, and parts of text files."""

from __future__ import annotations

from purvey.resources.files.block import Block
from purvey.resources.files.directory import Directory
from purvey.resources.files.file import File
from purvey.resources.files.line import Line
from purvey.resources.files.link import Link

__all__ = ["Block", "Directory", "File", "Line", "Link"]
