"""The texts of shell that work on trees and images, as a machine's shell gets them. Pure."""

from __future__ import annotations

import shlex
from functools import cache
from importlib.resources import files
from typing import Final

from purvey.errors import ProviderError

WORK_S: Final = 3600.0
"""Seconds that making a tree or an image may take."""

MARK: Final = "var/lib/purvey/tree"
"""What tells in a tree how it was made; purvey's own folder is in no image."""


@cache
def image() -> str:
    """What asks for images and makes them."""
    return _read("image.sh")


@cache
def tree() -> str:
    """What makes trees."""
    return _read("tree.sh")


def words_of(error: ProviderError) -> str:
    """What a script's programs said, without the script, which people have not written."""
    for text in (image(), tree()):
        error.detail = error.detail.replace(shlex.quote(text), "(purvey)")
    return "\n".join(error.detail.splitlines()[2:]) or error.detail


def _read(name: str) -> str:
    text = files("purvey.resources.images").joinpath(name).read_text()
    return "\n".join(line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")) + "\n"
