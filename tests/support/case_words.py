"""How cases spell facts, answers and changes: as JSON that people read, each on a line of its own."""

from __future__ import annotations

import base64
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from purvey._base.value import Secret
from purvey._hosts.command import Completed
from purvey._hosts.fact import Answers, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf, Unanswered
from purvey.errors import HostError

_LINE: Final = 120
_EMPTY: Final[dict[str, Any]] = {}


def plain(value: Any) -> Any:
    """A value as JSON: structs without their defaults, modes in octal, bytes as text where they are."""
    if isinstance(value, msgspec.Struct):
        return _struct(value)
    if isinstance(value, bytes):
        return _bytes(value)
    if isinstance(value, Secret):
        return {"$secret": plain(value.reveal())}
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def _struct(value: msgspec.Struct) -> dict[str, Any]:
    config = value.__struct_config__
    found = {config.tag_field: config.tag} if config.tag_field else {}
    for field in msgspec.structs.fields(type(value)):
        item = getattr(value, field.name)
        if item not in (field.default, _EMPTY if field.default_factory is dict else field.default):
            octal = field.name == "mode" and isinstance(item, int)
            found[field.name] = f"{item:04o}" if octal else plain(item)
    return found


def _bytes(value: bytes) -> Any:
    if value[257:262] == b"ustar":
        return {"tar": _listed(value)}
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value).decode()}


def _listed(value: bytes) -> list[str]:
    """What is in a tar archive, an item a line."""
    with tarfile.open(fileobj=io.BytesIO(value)) as archive:
        return [_member(archive, member) for member in archive.getmembers()]


def _member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    file = archive.extractfile(member) if member.isreg() else None
    content = repr(file.read().decode())[1:-1] if file is not None else member.linkname
    return f"{member.name}{'/' if member.isdir() else ''} {member.mode:04o} {content}".rstrip()


def unpacked(value: Any) -> bytes:
    """The bytes that a case tells as text, or in base64."""
    return base64.b64decode(value["base64"]) if isinstance(value, dict) else value.encode()


def told_facts(facts: tuple[Fact, ...], answers: Answers) -> list[Any]:
    """Facts with their answers."""
    return [[plain(fact), _told_answer(fact, answers)] for fact in facts]


def _told_answer(fact: Fact, answers: Answers) -> Any:
    try:
        answer: Any = answers[fact]
    except HostError as error:
        return {"unanswered": error.code, "summary": error.summary, "detail": error.detail}
    if isinstance(answer, FileStat) and answer.kind != "file":
        answer = msgspec.structs.replace(answer, size=0)  # That of a folder is its file system's business.
    return plain(answer)


def decoded_fact(told: Any) -> Fact:
    """The fact that a case tells."""
    fact: Fact = msgspec.convert(told, Fact)
    return fact


def decoded_answer(fact: Fact, told: Any) -> Any:
    """The answer to a fact that a case tells."""
    if told is None:
        return None
    if isinstance(told, dict) and "unanswered" in told:
        return Unanswered(told["unanswered"], told["summary"], told["detail"])
    match fact:
        case StatOf():
            return msgspec.convert({**told, "mode": int(told["mode"], 8)}, FileStat)
        case DigestOf():
            return str(told)
        case ContentOf():
            return unpacked(told)
        case Ask():
            return Completed(told["returncode"], unpacked(told.get("stdout", "")))
    raise AssertionError(fact)


def spelt(case: Mapping[str, Any]) -> str:
    """The text of a case's file."""
    return "{\n" + ",\n".join(f"  {_word(name)}: {_lines(value)}" for name, value in case.items()) + "\n}\n"


def _lines(value: Any) -> str:
    """A value on one line, or its items each on a line of its own."""
    whole = _word(value)
    if len(whole) <= _LINE or not isinstance(value, list | dict):
        return whole
    if isinstance(value, dict):
        return "{\n" + ",\n".join(f"    {_word(name)}: {_word(item)}" for name, item in value.items()) + "\n  }"
    return "[\n" + ",\n".join(f"    {_word(item)}" for item in value) + "\n  ]"


def _word(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
