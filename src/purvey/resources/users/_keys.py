"""Lines of an authorized_keys file, as sshd(8) reads them: what a key is, whatever stands around it. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Final

import msgspec

_TYPE: Final = re.compile(r"(?:sk-)?(?:ssh|ecdsa)-[a-z0-9@.-]+")
_FIELD: Final = re.compile(r'(?:[^\s"]|"(?:[^"\\]|\\.)*")+')
"""A field may hold spaces inside quotes, as options do; ``\\"`` is a quote inside of them."""


class Key(msgspec.Struct, frozen=True):
    """One key.

    Args:
        options: What stands before it.
        type: Its type.
        blob: The key itself, in base64.
        comment: What stands after it.
    """

    options: str
    type: str
    blob: str
    comment: str

    @property
    def line(self) -> str:
        """The line."""
        return " ".join(part for part in (self.options, self.type, self.blob, self.comment) if part)

    def does_as(self, other: Key) -> bool:
        """Whether it lets the same one in, to the same things."""
        return (self.options, self.type, self.blob) == (other.options, other.type, other.blob)


def key_of(line: str) -> Key | None:
    """The key of a line; None for a comment, an empty line, and what is no key."""
    text = line.strip()
    if text.startswith("#"):
        return None
    fields = list(_FIELD.finditer(text))
    for options, field in (("", 0), (fields[0][0] if fields else "", 1)):
        if len(fields) > field + 1 and _is_key(fields[field][0], fields[field + 1][0]):
            return Key(options, fields[field][0], fields[field + 1][0], text[fields[field + 1].end() :].strip())
    return None


def _is_key(kind: str, blob: str) -> bool:
    """Whether it is the type that the key itself tells."""
    try:
        raw = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError):
        return False
    length = int.from_bytes(raw[:4], "big")
    return bool(_TYPE.fullmatch(kind)) and len(raw) > length + 4 and raw[4 : 4 + length] == kind.encode()


def shown(lines: Sequence[str], wished: Sequence[Key], *, exclusive: bool) -> list[str]:
    """The keys that are there, as far as they matter: a wished one in the script's own words where it does the same."""
    there = [key for line in lines if (key := key_of(line)) is not None]
    found = [_shown(wish, there) for wish in wished]
    blobs = {wish.blob for wish in wished}
    strangers = [key.line for key in there if key.blob not in blobs] if exclusive else []
    return [line for line in found if line] + strangers


def _shown(wish: Key, there: Sequence[Key]) -> str:
    same = [key for key in there if key.blob == wish.blob]
    others = [key for key in same if not key.does_as(wish)]
    return others[0].line if others else wish.line if same else ""


def merged(lines: Sequence[str], wished: Sequence[Key], unwished: Sequence[str], *, exclusive: bool) -> list[str]:
    """The lines of the file when it is as it shall be; comments and what others have put there stay where they are.

    Args:
        lines: The lines that are there.
        wished: The keys that shall be there.
        unwished: The blobs of keys that shall not.
        exclusive: Whether no other key shall be there, either.
    """
    wishes = {wish.blob: wish for wish in wished}
    found: list[str] = []
    for line in lines:
        key = key_of(line)
        if key is None:
            found.append(line)
        elif key.blob in wishes:
            wish = wishes.pop(key.blob)
            found.append(line if key.does_as(wish) else wish.line)
        elif not exclusive and key.blob not in unwished and key.blob not in {wish.blob for wish in wished}:
            found.append(line)
    return [*found, *(wish.line for wish in wishes.values())]
