"""Files: whole contents, put in their place in one step.

Who reads the file sees the old content or the new, never a part. Whether the content is still what was written is told by its
digest: SHA-256 where it may be known, and where the content holds a secret a keyed digest, whose key stays on the machine
beside nothing but the file itself; from the record alone nobody can guess what the file holds.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from purvey._base.compare import FieldChange
from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Secret, Value
from purvey._hosts.change import Change, MakeOwnFolder, Remove, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf
from purvey._hosts.step import Ended
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Call, Diff, Finding, Kind, NotKnownError, Observed, Present, Recorded
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._inputs import placed, require_absolute
from purvey.resources._paths import (
    above,
    attributes,
    bits,
    blocked,
    forgotten,
    given_back,
    kept,
    key_path,
    named,
    sort,
    with_attributes,
)
from purvey.resources._place import standing
from purvey.resources._plaintext import hidden
from purvey.resources.files._content import (
    SOURCE_BYTES_MAX,
    as_text,
    bytes_of,
    declared,
    is_known,
    is_plain,
    is_secret,
    shown_text,
    words_to_hide,
)
from purvey.resources.files._template import render

_KEYED: Final = "keyed:"
"""How a keyed digest begins."""

_OTHERS_READ: Final = 0o004

_WHEREABOUTS: Final = frozenset({"source", "template"})
"""Inputs that say where the content was read; whether it changed is told by the content itself."""


class FileProvider(HostProvider["File"]):
    """Writes files, keeps what they held before, and gives it back in an undo."""

    lands_within_s = LOCAL_LANDS_S

    def facts(self, place: Place, subject: File) -> Sequence[Fact]:
        """See `HostProvider.facts`: what stands there, its digest, and the key of that where it is secret."""
        path = require_absolute(subject.path)
        asked: list[Fact] = [StatOf(path), DigestOf(path)]
        return [*asked, ContentOf(key_path(place, path))] if is_secret(subject) or _is_keyed(subject) else asked

    def seen(self, place: Place, have: File, answers: Answers) -> Observed:
        """See `HostProvider.seen`."""
        status = answers[StatOf(have.path)]
        if status is None:
            return Absent()
        digest = _digest(place, have, status, answers, keyed=_is_keyed(have) if have.digest else is_secret(have))
        return Present(have.path, {"digest": digest, **attributes(status, have)}, sort=sort(status, "file"))

    def found(self, place: Place, want: File, answers: Answers) -> Observed:
        """See `HostProvider.found`: whatever is at that path."""
        status = answers[StatOf(want.path)]
        if status is None:
            return Absent()
        secret = is_secret(want)
        digest = _digest(place, want, status, answers, keyed=secret)
        known = {"digest": digest, "size": 0 if secret or status.kind != "file" else status.size, "revision": ""}
        return Present(want.path, {**known, **attributes(status, want)}, sort=sort(status, "file"))

    def unclear(self, place: Place, have: File, seen: Present) -> Sequence[Fact]:
        """See `HostProvider.unclear`: the text, where the wish is shown as well, or others may read the file."""
        digest = str(seen.values["digest"])
        shown = is_plain(have) and (have.content is not None or bits(str(seen.values["mode"])) & _OTHERS_READ)
        return [_text_of(have.path)] if shown and digest != have.digest and not digest.startswith("(") else []

    def clearer(self, place: Place, have: File, seen: Present, answers: Answers) -> Present:
        """See `HostProvider.clearer`: what can be shown as text."""
        said = answers[_text_of(have.path)]
        text = shown_text(said.stdout) if said.returncode == 0 else None
        return seen if text is None else msgspec.structs.replace(seen, values={**seen.values, "content": text})

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`."""
        return named(object_id)

    async def describe(self, call: Call, want: File) -> Mapping[str, Value]:
        """See `Provider.describe`: text, which is a secret where the mode keeps others from reading it.

        Raises:
            ProviderError: ``invalid`` for what is not text, or too long for a script.
        """
        status = await standing(call, want.path, "file")
        text = as_text(want.path, await call.host.read(want.path))
        private = bool(text) and not status.mode & 0o077
        return {"content": Secret(text) if private else text, "mode": f"{status.mode:04o}"}

    def make(self, place: Place, want: File, answers: Answers) -> Work:
        """See `HostProvider.make`: writing a file again that is whole already changes nothing."""
        return _with_key(place, want, answers, [_write(want, bytes_of(want))])

    def change(self, place: Place, have: File, want: File, answers: Answers) -> Work:
        """See `HostProvider.change`: content and attributes, or the attributes alone where the content is right."""
        data = bytes_of(want)
        same = answers[DigestOf(want.path)] == hashlib.sha256(data).hexdigest()
        return _with_key(place, want, answers, [kept(place, want.path), with_attributes(want) if same else _write(want, data)])

    def remove(self, place: Place, have: File, answers: Answers) -> Work:
        """See `HostProvider.remove`: also a file that somebody has changed; what is no file any more is somebody else's."""
        return Work(have.path, remove_file(place, have.path, answers))

    def take_back(self, place: Place, have: File, before: File | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: what the file held, to the byte, even where that was somebody's own edit."""
        if before is None:
            return self.remove(place, have, answers)
        _, *otherwise = self.change(place, have, before, answers).changes
        return Work(before.path, (given_back(place, before.path, otherwise),), outputs=None)

    def learnt(self, want: File, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `HostProvider.learnt`: the keyed digest of what is secret."""
        if not work.after or work.outputs is None:
            return {}
        key = ended.answers[work.after[0]]
        assert isinstance(key, bytes)  # It was written just before.
        return {"digest": _keyed(key, hashlib.sha256(bytes_of(want)).hexdigest()), "size": 0}

    def explained(self, subject: File, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: the validating program's own words, secrets hidden."""
        with contextlib.suppress(NotKnownError, ProviderError):  # What cannot be put together was not written.
            error.detail = hidden(error.detail, words_to_hide(subject, bytes_of(subject)))
        return error

    def hazards(self, place: Place, want: File) -> Sequence[Fact]:
        """See `HostProvider.hazards`: the folders above, and the validating program."""
        program = _program(want)
        return [*above(want.path), *([StatOf(program)] if program else [])]

    def findings(self, place: Place, want: File, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`: the place, the validating program, and whether a template can be filled."""
        found = blocked(place.address, want.path, answers)
        if (program := _program(want)) and answers[StatOf(program)] is None:
            found.append(Finding(place.address, f"the validating program {program} does not exist", "Install it."))
        try:
            if is_plain(want):
                bytes_of(want)
        except NotKnownError:
            return found
        except ProviderError as error:
            found.append(Finding(place.address, f"{error.summary}: {error.detail}", error.hint))
        return found

    def claims(self, want: File) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)

    def predict(self, want: File) -> Mapping[str, Value]:
        """See `Provider.predict`: digest and size of content that is known and not secret."""
        if not is_plain(want):
            return {}
        if want.source is not None:
            return {"digest": want.source_digest}
        try:
            data = bytes_of(want)
        except ProviderError:  # Preflight reports it, with the line of the template.
            return {}
        return {"digest": hashlib.sha256(data).hexdigest(), "size": len(data)}

    def diff(self, kind: Kind, desired: Mapping[str, Value], recorded: Recorded | None, observed: Mapping[str, Value]) -> Diff:
        """See `Provider.diff`: the same content read from another place is no change; a template's text is compared filled."""
        text = observed.get("content")
        if desired.get("content") is None:
            observed = {name: value for name, value in observed.items() if name != "content"}
        found = super().diff(kind, desired, recorded, observed)
        changes = tuple(change for change in found.changes if change.path not in _WHEREABOUTS)
        filled = _filled(desired) if text is not None and changes else None
        if filled is not None and filled != text:
            because = "script" if any(change.because == "script" for change in changes) else "drift"
            changes = (FieldChange("content", text, filled, because), *changes)
        return Diff(changes)


class File(Resource, kind="files.File", provider=FileProvider):
    """A file with a given content, replaced in one step whenever that changes.

    The content comes from exactly one of `content`, `source` and `template`. The directory must exist, or be another node:
    build the path from that one, f"{directory.path}/shop.conf", so that it is made first.

    An edit by somebody else is drift: it is shown, line by line where that is text and no secret, and repaired by the next
    apply; an undo of that repair restores the edit.
    """

    path: str = Input(immutable=True, doc="Where it is; a relative path begins at the script's folder.")
    content: str | Secret | None = Input(default=None, secret=True, doc="The text; outputs and secrets may stand in it.")
    source: str | None = Input(default=None, doc="A file beside the script to copy; text up to 64 KiB is shown in the plan.")
    template: str | None = Input(default=None, doc="A Jinja template beside the script; an undefined variable is an error.")
    variables: Mapping[str, Any] = Input(default={}, secret=True, doc="What the template is filled with; may hold secrets.")
    mode: str = Input(default="0644", doc="Its mode in octal.")
    owner: str | None = Input(default=None, doc="The user who owns it; by default the one who runs purvey.")
    group: str | None = Input(default=None, doc="The group that owns it.")
    validate: Sequence[str] | None = Input(
        default=None,
        doc="A program and its arguments that must accept the new file before it replaces the old; `{path}` stands for it.",
    )
    source_digest: str | None = Input(default=None, doc="Filled in by purvey: SHA-256 of a source that is not in the plan.")
    template_text: str | None = Input(default=None, doc="Filled in by purvey: the text of the template.")

    digest: str = Output(compared=True, doc="SHA-256 of the content in hex; `keyed:` and a keyed digest where it is secret.")
    size: int = Output(doc="Bytes; 0 where the content is secret.")
    revision: str = Output(doc="Another one after each change of the file; what was adopted unchanged has none.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_file``, ``script.source_unreadable``, ``script.bad_template``.
        """
        return declared(placed(inputs, folder, "0644"), folder)


def _text_of(path: str) -> Ask:
    """The beginning of a file; one byte more than is shown, by which a longer one is known."""
    return Ask(("head", "-c", str(SOURCE_BYTES_MAX + 1), path))


def _filled(desired: Mapping[str, Value]) -> str | None:
    """What a template becomes with what is known and not secret; None where there is none, or something else is needed."""
    text, variables = desired.get("template_text"), desired.get("variables") or {}
    if not isinstance(text, str) or not isinstance(variables, dict) or not is_known(variables):
        return None
    try:
        return render(text, str(desired.get("template")), variables)
    except ProviderError:  # Preflight reports it, with the line of the template.
        return None


def remove_file(place: Place, path: str, answers: Answers) -> tuple[Change, ...]:
    """Remove a file or link and what is kept about it; what is neither is somebody else's."""
    status = answers[StatOf(path)]
    ours = status is not None and status.kind in ("file", "link")
    return (*([Remove(path)] if ours else []), *forgotten(place, path))


def _program(want: File) -> str:
    """The validating program, where it is a path; an unknown one has a text that is none."""
    program = str(want.validate[0]) if want.validate else ""
    return program if program.startswith("/") else ""


def _write(want: File, data: bytes) -> Write:
    """Put `data` in its place."""
    validate = Command(tuple(want.validate)) if want.validate else None
    return Write(want.path, data, bits(want.mode), want.owner, want.group, validate)


def _with_key(place: Place, want: File, answers: Answers, changes: Sequence[Change]) -> Work:
    """The work, with the outputs; the key of a secret file's digest is made where it is missing, once there is a file."""
    if not is_secret(want):
        data = bytes_of(want)
        told = {"digest": hashlib.sha256(data).hexdigest(), "size": len(data), "revision": place.token}
        return Work(want.path, tuple(changes), told)
    path = key_path(place, want.path)
    fact = ContentOf(path)
    made: list[Change] = [] if answers[fact] is not None else [MakeOwnFolder(place.folder), Write(path, place.entropy, 0o600)]
    return Work(want.path, (*changes, *made), {"revision": place.token}, after=(fact,))


def _digest(place: Place, want: File, status: FileStat, answers: Answers, *, keyed: bool) -> str:
    """The digest of what stands there, comparable with the recorded one; what is no file has none."""
    if status.kind != "file":
        return f"(a {status.kind})"
    plain = answers[DigestOf(want.path)]
    if plain is None or not keyed:
        return plain or ""
    key = answers[ContentOf(key_path(place, want.path))]
    return "" if key is None else _keyed(key, plain)


def _is_keyed(have: File) -> bool:
    """Whether the recorded digest is a keyed one; what is being made or adopted has none yet."""
    try:
        return (have.digest or "").startswith(_KEYED)
    except NotKnownError:
        return False


def _keyed(key: bytes, plain: str) -> str:
    return _KEYED + hmac.new(key, plain.encode(), "sha256").hexdigest()
