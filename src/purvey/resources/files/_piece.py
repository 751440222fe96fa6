"""What is a part of a text file that others write, too: a line, a block. Only the part is ours.

The whole file is asked, and put back with its part changed: who reads it sees the old text or the new one, never a mixture.
An undo takes back the change, to the byte where nobody else has changed the file since, and leaves what others did elsewhere.
A part that was there before purvey is taken over, and stays when its node goes.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from purvey._base.limits import LOCAL_LANDS_S
from purvey._base.value import Value
from purvey._hosts.change import Change, Remove, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, ContentOf, Fact, FileStat, StatOf
from purvey._script.fields import Input, Output
from purvey._script.recorder import current
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers import Absent, Finding, NotKnownError, Observed, Present, Unreadable
from purvey.providers.claim import part_of
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._inputs import absolute, octal, refused, require_absolute
from purvey.resources._paths import above, bits, blocked, copy_path, forgotten, kept
from purvey.resources._plaintext import hidden, holds_secret, plaintexts
from purvey.resources.files._text import data_of, lines_of, readable, taken_back

if TYPE_CHECKING:
    from purvey.errors import ScriptError

NOT_SHOWN: Final = "(not shown)"
"""What a plan shows of text that is secret, or that not everybody on the machine may read."""

_OTHERS_READ: Final = 0o004


class Piece(Resource):
    """A part of a text file; the base of those kinds."""

    path: str = Input(immutable=True, doc="The file; a relative path begins at the script's folder.")
    present: bool = Input(default=True, doc="Whether it shall be there.")
    after: str | None = Input(default=None, doc="A new one goes after the last line in which this regular expression is found.")
    before: str | None = Input(
        default=None, doc="A new one goes before the first line in which this is found; `^`: at the top."
    )
    create_mode: str | None = Input(default=None, doc="A missing file is made, with this mode; else it must be there.")
    validate: Sequence[str] | None = Input(
        default=None,
        doc="A program and its arguments that must accept the new file before it replaces the old; `{path}` stands for it.",
    )

    revision: str = Output(doc="Another one after each change of the file's part; what was adopted unchanged has none.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_path``, ``script.bad_mode``, ``script.bad_text``.
        """
        known = dict(inputs)
        if "path" in known:
            known["path"] = absolute(known["path"], folder)
        if known.get("create_mode") is not None:
            known["create_mode"] = octal(known["create_mode"])
        if known.get("after") is not None and known.get("before") is not None:
            raise bad("It was given `after` and `before`.", "A new one has one place: give one of them, or none for the end.")
        for name in ("after", "before"):
            require_expression(known.get(name), name)
        return known


P = TypeVar("P", bound=Piece)


class PieceProvider(HostProvider[P], Generic[P]):
    """Changes a part of a file; subclasses say what the part is."""

    adopts = True
    lands_within_s = LOCAL_LANDS_S

    def edited(self, lines: list[str], want: P, have: P | None) -> list[str]:
        """The file's lines with the part as it is wished; `have` is what is recorded.

        Raises:
            ProviderError: if it cannot be put there.
        """
        raise NotImplementedError

    def cleared(self, lines: list[str], have: P) -> list[str]:
        """The file's lines without the part."""
        raise NotImplementedError

    def part(self, lines: list[str], have: P) -> tuple[str, list[str]] | None:
        """The input that says what the part is, and its lines, none if they are as wished; None where it is not there.

        Raises:
            ProviderError: if that cannot be told.
        """
        raise NotImplementedError

    def texts(self, want: P) -> Sequence[Value]:
        """The values that may hold secrets."""
        raise NotImplementedError

    def claims(self, want: P) -> Sequence[str]:
        """See `Provider.claims`: whoever owns the whole file would undo it in every run."""
        return (part_of(f"path:{want.path}"),)

    def facts(self, place: Place, subject: P) -> Sequence[Fact]:
        """See `HostProvider.facts`: the file; in an undo, also what was kept of it."""
        path = require_absolute(subject.path)
        asked: list[Fact] = [StatOf(path), ContentOf(path)]
        return [*asked, ContentOf(copy_path(place, path))] if place.undoes else asked

    def seen(self, place: Place, have: P, answers: Answers) -> Observed:
        """See `HostProvider.seen`."""
        status = answers[StatOf(have.path)]
        try:
            found = self.part(_lines(have.path, status, answers), have)
        except ProviderError as error:
            return Unreadable(error.detail)
        if found is None and have.present:
            return Absent()
        values: dict[str, Value] = {"path": have.path, "present": found is not None}
        if found is not None and found[1]:
            assert status is not None  # It has lines.
            secret = holds_secret(list(self.texts(have))) or not status.mode & _OTHERS_READ
            values[found[0]] = NOT_SHOWN if secret else readable(found[1])
        return Present(_id(place, have), values)

    def found(self, place: Place, want: P, answers: Answers) -> Observed:
        """See `HostProvider.found`: the part, if it is there as it is wished or otherwise."""
        seen = self.seen(place, want, answers)
        return Present(seen.id, {**seen.values, "revision": ""}) if isinstance(seen, Present) else seen

    def make(self, place: Place, want: P, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return self._worked(place, want, None, answers)

    def change(self, place: Place, have: P, want: P, answers: Answers) -> Work:
        """See `HostProvider.change`."""
        return self._worked(place, want, have, answers)

    def remove(self, place: Place, have: P, answers: Answers) -> Work:
        """See `HostProvider.remove`: what was taken out stays out; a file made for it goes once it is empty."""
        status = answers[StatOf(have.path)]
        now = _lines(have.path, status, answers) if status is not None and status.kind == "file" else []
        left = self.cleared(now, have) if have.present else now
        return Work(_id(place, have), (*_written(have, now, left, answers), *forgotten(place, have.path)))

    def take_back(self, place: Place, have: P, before: P | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: what was kept tells what there was; where nothing was, nothing was changed."""
        was = _kept(place, have, answers)
        if was is None:
            made = before is None and have.create_mode is not None
            return self.remove(place, have, answers) if made else Work(_id(place, have), outputs=None)
        now = _lines(have.path, answers[StatOf(have.path)], answers)
        lines = taken_back(was, self.edited(was, have, before), now)
        if lines is None and self.part(was, have) is None:
            lines = self.cleared(now, have)
        if lines is None:
            raise ProviderError(
                "conflict",
                "A text was changed after it was put there",
                detail=f"{have.path} holds it no more as this run left it, so what was there before cannot take its place.",
                hint="Look what it is now, mend it by hand, and undo the rest.",
            )
        rest = forgotten(place, have.path) if before is None else ()
        return Work(_id(place, have), (*_written(have, now, lines, answers, keep_file=True), *rest), outputs=None)

    def explained(self, subject: P, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`: the validating program's own words, secrets hidden."""
        with contextlib.suppress(NotKnownError):  # What is not known was not written.
            error.detail = hidden(error.detail, plaintexts(list(self.texts(subject))))
        return error

    def hazards(self, place: Place, want: P) -> Sequence[Fact]:
        """See `HostProvider.hazards`: the folders above."""
        return above(want.path)

    def findings(self, place: Place, want: P, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`."""
        return blocked(place.address, want.path, answers)

    def _worked(self, place: Place, want: P, have: P | None, answers: Answers) -> Work:
        status = answers[StatOf(want.path)]
        if status is None and want.present and want.create_mode is None:
            raise ProviderError(
                "not_found",
                "The file for a text does not exist",
                detail=f"{want.path} does not exist.",
                hint='Let this come after what makes it, or have it made with create_mode="0644".',
            )
        now = _lines(want.path, status, answers)
        changes = _written(want, now, self.edited(now, want, have), answers, keep_file=True)
        return Work(_id(place, want), (kept(place, want.path), *changes) if changes else (), {"revision": place.token})


def require_expression(pattern: Any, name: str) -> None:
    """Refuse a regular expression that is none; one that is not known yet is looked at when it is.

    Raises:
        ScriptError: ``script.bad_text``.
    """
    if not isinstance(pattern, str) or current().nonce in pattern:
        return
    try:
        re.compile(pattern)
    except re.error as error:
        raise bad(f"`{name}` is {pattern!r}: {error}.", "Write a regular expression as Python's `re` has them.") from None


def bad(problem: str, hint: str) -> ScriptError:
    """The error for inputs of a part that make no sense."""
    return refused("script.bad_text", "A text in a file is not given as it must be", problem, hint)


def _id(place: Place, piece: Piece) -> str:
    """A file has many parts, so its path names none of them."""
    return f"{piece.path}#{place.name}"


def _lines(path: str, status: FileStat | None, answers: Answers) -> list[str]:
    """The lines of the file; none where there is no file.

    Raises:
        ProviderError: ``conflict`` if something else stands there.
    """
    if status is None:
        return []
    if status.kind != "file":
        where = f" It points to {status.target}." if status.kind == "link" else ""
        raise ProviderError(
            "conflict",
            "Only a file has lines",
            detail=f"{path} is a {status.kind}.{where}",
            hint="Give the path of the file itself.",
        )
    return lines_of(answers[ContentOf(path)] or b"")


def _kept(place: Place, have: Piece, answers: Answers) -> list[str] | None:
    """The lines that the operation which is taken back found; None if it kept nothing."""
    copy = answers[ContentOf(copy_path(place, have.path))]
    head, _, content = (copy or b"").partition(b"\n")
    return lines_of(content) if head.startswith(f"{place.undoes} ".encode()) else None


def _written(
    piece: Piece, now: list[str], lines: list[str], answers: Answers, *, keep_file: bool = False
) -> tuple[Change, ...]:  # fmt: skip
    """Make these of the lines that are there now; owner and mode stay."""
    status = answers[StatOf(piece.path)]
    if lines == now:
        return ()
    if not lines and not keep_file and piece.create_mode is not None:
        return (Remove(piece.path),)
    validate = Command(tuple(piece.validate)) if piece.validate else None
    if status is None:
        return (Write(piece.path, data_of(lines), bits(piece.create_mode or "0644"), validate=validate),)
    return (Write(piece.path, data_of(lines), status.mode, status.owner, status.group, validate),)
