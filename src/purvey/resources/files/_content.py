"""Where a file's content comes from: given as text, read from a source beside the script, or rendered from a template.

Two sides of one thing. While the script declares, what can be part of the plan becomes part of it: a template's text always, a
source's when it is short text. What is too large for a plan is recorded by its digest, and an apply refuses a source that has
changed since. While an operation is performed, the bytes are put together, secrets included, and live no longer than the call.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any, Final

from purvey._base.value import Masked, SecretRef, Unknown, Value, reveal, walk
from purvey._script.recorder import current
from purvey._script.reference import refuse_tokens
from purvey.errors import ProviderError
from purvey.resources._inputs import beside, refused
from purvey.resources._plaintext import holds_secret, plaintexts
from purvey.resources.files._template import parse, render

if TYPE_CHECKING:
    from purvey.errors import ScriptError
    from purvey.resources.files.file import File

SOURCE_BYTES_MAX: Final = 65_536
"""A source up to this size is part of the plan, so that its change is shown; a larger one would drown everything else."""

_ORIGINS: Final = ("content", "source", "template")

_WORD_MIN: Final = 6
"""Shorter words of a secret text are everywhere; hiding them would make every message unreadable."""


def declared(inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What a script passed, with sources and templates read.

    Raises:
        ScriptError: ``script.bad_file``, ``script.source_unreadable``, ``script.bad_template``.
    """
    given = [name for name in _ORIGINS if inputs.get(name) is not None]
    if len(given) != 1:
        problem = f"It was given {' and '.join(f'`{name}`' for name in given) or 'none of them'}."
        raise _bad(problem, "Give exactly one of `content`, `source` and `template`.")
    if inputs.get("variables") and given != ["template"]:
        raise _bad("It was given `variables` without a `template`.", "Write `template=` for a file with holes to be filled.")
    if isinstance(inputs.get("content"), bytes | int | float | list | tuple | dict):
        raise _bad("`content` is not text.", "Write text, to_json(...) for data, or `source=` for a binary file.")
    known = {name: value for name, value in inputs.items() if name not in (*_ORIGINS, "source_digest", "template_text")}
    if given == ["source"]:
        return {**known, **_from_source(inputs["source"], folder)}
    if given == ["template"]:
        return {**known, **_from_template(inputs["template"], folder)}
    return {**known, "content": inputs["content"]}


def bytes_of(want: File) -> bytes:
    """The content, secrets opened.

    Raises:
        ProviderError: ``invalid`` for a template that cannot be filled, ``schema_changed`` for a source that is not the planned
            one.
    """
    if want.template_text is not None:
        return render(want.template_text, want.template or "the template", want.variables).encode()
    if want.source is not None:
        return unchanged(want.source, want.source_digest)
    return str(reveal(want.content)).encode()


def as_text(path: str, data: bytes) -> str:
    """The content of a file as a script can give it.

    Raises:
        ProviderError: ``invalid`` if it is not text, or longer than a source that is part of a plan.
    """
    try:
        if len(data) <= SOURCE_BYTES_MAX:
            return data.decode("utf-8")
        problem = f"is longer than {SOURCE_BYTES_MAX} bytes"
    except UnicodeDecodeError:
        problem = "is not text"
    raise ProviderError(
        "invalid",
        "A file cannot be said in Python",
        detail=f"{path} {problem}.",
        hint="Put a copy beside the script, declare the file with `source=`, then record it:\n\n"
        "    purvey state import SCRIPT ADDRESS",
    )


def is_secret(want: File) -> bool:
    """Whether the content holds a secret."""
    return holds_secret([want.content, want.variables])


def is_plain(want: File) -> bool:
    """Whether the content is known now and holds no secret, so that it can be looked at in a plan."""
    return not is_secret(want) and is_known([want.content, want.variables])


def is_known(parts: Value) -> bool:
    """Whether values are known now to those who may see no secret."""
    return not any(type(item) in (Unknown, Masked, SecretRef) for item in walk(parts))


def shown_text(data: bytes) -> str | None:
    """What somebody has written into a file, as a plan can show it; None for what is long, no text, or no text to be shown."""
    if len(data) > SOURCE_BYTES_MAX:
        return None
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if all(line.replace("\t", "").removesuffix("\r").isprintable() for line in text.split("\n")) else None


def words_to_hide(want: File, data: bytes) -> list[str]:
    """What a program that has read the file must not be quoted with: the secrets, and the words of text made from them."""
    found = set(plaintexts(want.variables))
    if holds_secret(want.content):
        text = data.decode("utf-8", "replace")
        words = {*text.splitlines(), *re.split(r"[\s'\"=]+", text), *re.split(r"\W+", text)}
        found |= {word.strip() for word in words if len(word.strip()) >= _WORD_MIN}
        found |= set(plaintexts(want.content))
    return sorted(found, key=len, reverse=True)


def _from_source(source: Any, folder: Path) -> dict[str, Any]:
    path = local(source, "source", folder)
    try:
        if path.stat().st_size <= SOURCE_BYTES_MAX:
            data = path.read_bytes()
            return {"content": data.decode("utf-8")}
    except OSError as error:
        raise _unreadable("source", path, error) from None
    except UnicodeDecodeError:
        pass
    return {"source": str(path), "source_digest": digest_of(path, "source")}


def _from_template(template: Any, folder: Path) -> dict[str, Any]:
    path, files = local(template, "template", folder), current().files
    if (text := files.get(str(path))) is None:
        try:
            text = path.read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise _unreadable("template", path, error) from None
        if not current().knowledge.is_recorded("template_text", text):  # Then nobody has to wait for Jinja.
            parse(text, str(template))
        files[str(path)] = text
    return {"template": str(template), "template_text": text}


def local(given: Any, name: str, folder: Path) -> Path:
    """A path on the machine that plans, which must be known while the script declares.

    Raises:
        ScriptError: ``script.bad_file`` if it is not.
    """
    if not isinstance(given, str | PurePath):
        raise _bad(
            f"`{name}` is not a path that is known now.", "It is read while the script runs; take the real value: value(...)."
        )
    return Path(beside(refuse_tokens(str(given), f"`{name}`"), folder))


def digest_of(path: Path, name: str) -> str:
    """The SHA-256 of a file on the machine that plans; `name` is the input that gave it.

    Raises:
        ScriptError: ``script.source_unreadable``.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise _unreadable(name, path, error) from None


def unchanged(source: str, digest: str | None) -> bytes:
    """What a source holds, which must be what was planned.

    Raises:
        ProviderError: ``not_found``, ``schema_changed``.
    """
    try:
        data = Path(source).read_bytes()
    except OSError as error:
        problem = f"{source}: {error.strerror}."
        raise ProviderError(
            "not_found", "A file's source cannot be read", detail=problem, hint="Put it back, then resume."
        ) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise ProviderError(
            "schema_changed",
            "A file's source is not the planned one",
            detail=f"{source} was changed after the plan was made, so nobody has seen what would be written.",
            hint="Plan again, and read the new plan.",
        )
    return data


def _bad(problem: str, hint: str) -> ScriptError:
    return refused("script.bad_file", "A file's content is not given in one way", problem, hint)


def _unreadable(name: str, path: Path, error: Exception) -> ScriptError:
    reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
    return refused(
        "script.source_unreadable",
        "A file's source or template cannot be read",
        f"`{name}` is {path}: {reason}.",
        "Paths begin at the script's folder, or with a slash.",
    )
