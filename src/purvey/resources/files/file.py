"""Files: whole contents, put in their place in one step.

Who reads the file sees the old content or the new, never a part. Whether the content is still what was written is told by its
digest: SHA-256 where it may be known, and where the content holds a secret a keyed digest, whose key stays on the machine
beside nothing but the file itself; from the record alone nobody can guess what the file holds.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Secret, Value
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import (
    Absent,
    Call,
    Diff,
    Done,
    Finding,
    Kind,
    NotKnownError,
    Observed,
    Present,
    Recorded,
)
from purvey.resources import _before, _place
from purvey.resources._inputs import placed, require_absolute
from purvey.resources._machine import MachineProvider
from purvey.resources._plaintext import hidden
from purvey.resources.files._content import as_text, bytes_of, declared, is_plain, is_secret, words_to_hide

if TYPE_CHECKING:
    from purvey._hosts.command import Command
    from purvey._hosts.connector import FileStat

_KEYED: Final = "keyed:"
"""How a keyed digest begins."""

_WHEREABOUTS: Final = frozenset({"source", "template"})
"""Inputs that say where the content was read; whether it changed is told by the content itself."""


class FileProvider(MachineProvider["File"]):
    """Writes files, keeps what they held before, and gives it back in an undo."""

    lands_within_s = LOCAL_LANDS_S

    async def read(self, call: Call, have: File) -> Observed:
        """See `Provider.read`."""
        status = await call.host.stat(have.path)
        if status is None:
            return Absent()
        keyed = have.digest.startswith(_KEYED) if have.digest else is_secret(have)  # One that is being adopted has none yet.
        digest = await _seen(call, have.path, status, keyed=keyed)
        return Present(have.path, {"digest": digest, **_place.attributes(status, have)})

    async def find(self, call: Call, want: File) -> Observed:
        """See `Provider.find`: whatever is at that path."""
        status = await call.host.stat(want.path)
        if status is None:
            return Absent()
        secret = is_secret(want)
        digest = await _seen(call, want.path, status, keyed=secret)
        size = 0 if secret else status.size
        return Present(want.path, {"digest": digest, "size": size, **_place.attributes(status, want)})

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`."""
        return _place.named(object_id)

    async def describe(self, call: Call, want: File) -> Mapping[str, Value]:
        """See `Provider.describe`: text, which is a secret where the mode keeps others from reading it.

        Raises:
            ProviderError: ``invalid`` for what is not text, or too long for a script.
        """
        status = await _place.standing(call, want.path, "file")
        text = as_text(want.path, await call.host.read(want.path))
        private = bool(text) and not status.mode & 0o077
        return {"content": Secret(text) if private else text, "mode": f"{status.mode:04o}"}

    async def create(self, call: Call, want: File) -> Done:
        """See `Provider.create`: writing a file again that is whole already changes nothing."""
        require_absolute(want.path)
        data = bytes_of(want)
        outputs = await _outputs(call, want, data)
        try:
            await _write(call, want, data)
        except HostError:
            if await call.host.stat(want.path) is None:  # Nothing was made, so nothing is kept about it.
                await _place.forget(call, want.path)
            raise
        await call.identified(want.path)
        return Done(want.path, outputs)

    async def update(self, call: Call, have: File, want: File) -> Done:
        """See `Provider.update`: content and attributes, or the attributes alone where the content is right."""
        data = bytes_of(want)
        await _before.keep(call, want.path)
        outputs = await _outputs(call, want, data)
        if await _place.content(call, want.path) == data:
            await _place.set_attributes(call, want)
        else:
            await _write(call, want, data)
        return Done(want.path, outputs)

    async def delete(self, call: Call, have: File) -> None:
        """See `Provider.delete`: also a file that somebody has changed."""
        await _place.remove(call, have.path)

    async def undo(self, call: Call, have: File, before: File | None) -> Done | None:
        """See `Provider.undo`: what the file held, to the byte, even where that was somebody's own edit."""
        if before is None:
            await self.delete(call, have)
            return None
        if await _before.restore(call, before.path):
            return None
        return await self.update(call, have, before)

    async def preflight(self, call: Call, want: File) -> Sequence[Finding]:
        """See `Provider.preflight`: the place, the validating program, and whether a template can be filled."""
        found = await _place.blocked(call, want.path)
        program = str(want.validate[0]) if want.validate else ""  # An unknown one has a text that is no path.
        if program.startswith("/") and await call.host.stat(program) is None:
            found.append(Finding(call.address, f"the validating program {program} does not exist", "Install it."))
        try:
            if is_plain(want):
                bytes_of(want)
        except NotKnownError:
            return found
        except ProviderError as error:
            found.append(Finding(call.address, f"{error.summary}: {error.detail}", error.hint))
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
        """See `Provider.diff`: the same content read from another place is no change."""
        found = super().diff(kind, desired, recorded, observed)
        return Diff(tuple(change for change in found.changes if change.path not in _WHEREABOUTS))


class File(Resource, kind="files.File", provider=FileProvider):
    """A file with a given content, replaced in one step whenever that changes.

    The content comes from exactly one of `content`, `source` and `template`. The directory must exist, or be another node:
    build the path from that one, f"{directory.path}/shop.conf", so that it is made first.

    An edit by somebody else is drift: it is shown, and repaired by the next apply; an undo of that repair restores the edit.
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

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_file``, ``script.source_unreadable``, ``script.bad_template``.
        """
        return declared(placed(inputs, folder, "0644"), folder)


async def _write(call: Call, want: File, data: bytes) -> None:
    """Put `data` in its place.

    Raises:
        HostError: ``invalid`` with the validating program's own words, secrets hidden; or why it could not be written.
    """
    try:
        await _place.write(call, want, data, validate=_validation(want))
    except HostError as error:
        error.detail = hidden(error.detail, words_to_hide(want, data))
        raise


def _validation(want: File) -> Command | None:
    from purvey._hosts.command import Command  # noqa: PLC0415 - declaring a file must not load it.

    return Command(tuple(want.validate)) if want.validate else None


async def _outputs(call: Call, want: File, data: bytes) -> dict[str, Value]:
    """Digest and size of what is written; the key of a secret file is made here, before the file."""
    plain = hashlib.sha256(data).hexdigest()
    if not is_secret(want):
        return {"digest": plain, "size": len(data)}
    key = await _place.content(call, _place.key_path(call, want.path))
    if key is None:
        key = call.clock.entropy(32)
        await _before.make_folder(call)
        await call.host.write(_place.key_path(call, want.path), key, mode=0o600)
    return {"digest": _keyed(key, plain), "size": 0}


async def _seen(call: Call, path: str, status: FileStat, *, keyed: bool) -> str:
    """The digest of what stands at `path`, comparable with the recorded one; what is no file has none."""
    if status.kind != "file":
        return f"(a {status.kind})"
    plain = await call.host.digest(path)
    if not keyed:
        return plain
    key = await _place.content(call, _place.key_path(call, path))
    return "" if key is None else _keyed(key, plain)


def _keyed(key: bytes, plain: str) -> str:
    return _KEYED + hmac.new(key, plain.encode(), "sha256").hexdigest()
