"""What stands in clear in a cloud-config that must be in nobody's hands: passwords and private keys. Pure.

A document is looked at as data, and one that is given as text as far as its lines tell. What a program in it does, and what is
encoded, is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from purvey._base.value import Late, Link, Value

_PRIVATE_KEY: Final = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")
_IN_ADDRESS: Final = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@${]+@")
_PASSWORDS: Final = frozenset({"password", "plain_text_passwd"})
_HASHES: Final = frozenset({"passwd", "hashed_passwd"})
_NO_PASSWORD: Final = re.compile(r"[$!*].*|R|RANDOM|null|~|")
"""A hash, a locked account, and what makes the machine choose a password by itself."""

_UNKNOWN: Final = "\ufffd"
_CONFIG: Final = re.compile(r"(?m)^#cloud-config")
_COMMENT: Final = re.compile(r"(?m)^[ \t]*#.*$")
_PAIR: Final = re.compile(r"""(?<![\w-])["']?(password|plain_text_passwd|passwd|hashed_passwd)["']?[ \t]*:[ \t]+([^\n,}]+)""")
_LISTS: Final = re.compile(r"""(?m)^([ \t]*)["']?chpasswd["']?[ \t]*:(.*(?:\n(?:\1[ \t]+.*|[ \t]*$))*)""")
_LIST: Final = re.compile(r"""(?s)(?<![\w-])["']?list["']?[ \t]*:(.*)""")
_ENTRY: Final = re.compile(r"""(?m)(?:^|[\s"'\[,])([A-Za-z_][\w.-]*):([^\s"',\]}]+)""")


def in_document(document: Value) -> str:
    """What stands in clear in a document; empty for nothing."""
    return next((found for key, leaf in _leaves(document, "") if (found := _of(key, leaf))), "") or _of_lists(document)


def in_part(text: Value) -> str:
    """What stands in clear in a further document, which is text; empty for nothing."""
    plain = _plain(text)
    if found := _of("", text):
        return found
    if _CONFIG.search(plain) is None:
        return ""
    try:
        return in_document(msgspec.json.decode(plain.partition("\n")[2].encode()))
    except msgspec.DecodeError:
        return _in_lines(_COMMENT.sub("", plain))


def _in_lines(text: str) -> str:
    """What lines of YAML tell."""
    for key, value in _PAIR.findall(text):
        if _is_clear(value.strip().strip("\"'")):
            return f"a `{key}` in clear"
    for _, block in _LISTS.findall(text):
        if (found := _LIST.search(block)) and any(_is_clear(value) for _, value in _ENTRY.findall(found[1])):
            return "a password in `chpasswd`"
    return ""


def _of(key: str, leaf: Any) -> str:
    text = _plain(leaf)
    may_be_hash = key in _HASHES and text.startswith(_UNKNOWN)
    if key in _PASSWORDS | _HASHES and _is_clear(text) and not may_be_hash:
        return f"a `{key}` in clear"
    if _PRIVATE_KEY.search(text):
        return "a private key"
    return "an address with a password" if _IN_ADDRESS.search(text) else ""


def _of_lists(document: Value) -> str:
    """Whether ``chpasswd.list`` gives passwords, each behind the name of its user."""
    for item in document if isinstance(document, list) else [document]:
        changes = item.get("chpasswd") if isinstance(item, dict) else None
        given = changes.get("list") if isinstance(changes, dict) else None
        lines = given if isinstance(given, list) else [given]
        if any(_is_clear(line.partition(":")[2].strip()) for text in lines for line in _plain(text).splitlines()):
            return "a password in `chpasswd`"
    return ""


def _is_clear(value: str) -> bool:
    return _NO_PASSWORD.fullmatch(value) is None


def _leaves(value: Value, key: str) -> Iterator[tuple[str, Value]]:
    """Everything that holds nothing else, and the key that it stands under."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _leaves(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item, key)
    else:
        yield key, value


def _plain(value: Value) -> str:
    """The text of a value, with a mark for each output in it that is not known yet."""
    if isinstance(value, Late):
        return "".join(_plain(part) for part in value.arguments)
    if isinstance(value, Link):
        return _UNKNOWN
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
