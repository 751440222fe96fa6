"""What the kinds share that are a few short files by which a package manager is told something, read anew when they change."""

from __future__ import annotations

import contextlib
import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from purvey._base.value import Value
from purvey._hosts.change import Change, MakeDirectory, Remove, Write
from purvey._hosts.fact import Answers, ContentOf, Fact, StatOf
from purvey.errors import ProviderError, ScriptError
from purvey.providers import Absent, NotKnownError, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources import _note
from purvey.resources._given import require
from purvey.resources._inputs import refused
from purvey.resources._paths import copy_path, given_back, kept

_MODE: Final = 0o644
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,100}")
"""What may be the name of a file: apt passes over those with other characters in it, without a word."""

_NAME_SAYS: Final = "Use letters, digits and dashes."
_WORD: Final = re.compile(r"\S+")

_READ: Final = "read"
"""What is noted once the package manager has read the texts, so that an attempt which failed at that is not taken for done."""

KEY_BEGINS: Final = "-----BEGIN PGP PUBLIC KEY BLOCK-----"


class Told(Protocol):
    """The fields that every such kind has."""

    @property
    def revision(self) -> str:
        """The operation that last changed it."""


T = TypeVar("T", bound=Told)


class TextsProvider(HostProvider[T]):
    """Writes a few texts; a subclass says which, and what is done when they have changed."""

    adopts = True

    @abstractmethod
    def texts(self, subject: T) -> Mapping[str, str]:
        """The texts by path, the one that has to be there first."""

    @abstractmethod
    def told_by(self, have: T, texts: Mapping[str, str]) -> Mapping[str, Value]:
        """The inputs, as the texts that are there tell them."""

    def check(self, want: T) -> None:
        """Refuse what is known only now, and would be more in a text than its place there.

        Raises:
            ProviderError: ``invalid``.
        """

    def then(self, want: T) -> Sequence[Change]:
        """What is done when they have changed."""
        return ()

    def facts(self, place: Place, subject: T) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        paths = list(self.texts(subject))
        folders = sorted({path.rpartition("/")[0] for path in paths}) if place.token else []
        return [*map(ContentOf, paths), *map(StatOf, folders), *([_note.asked(place)] if place.token else [])]

    def seen(self, place: Place, have: T, answers: Answers) -> Observed:
        """See `HostProvider.seen`."""
        wished = self.texts(have)
        there = {path: data.decode(errors="replace") for path in wished if (data := answers[ContentOf(path)]) is not None}
        main = next(iter(wished))
        if main not in there:
            return Absent()
        return Present(main, dict(self.told_by(have, there)))

    def found(self, place: Place, want: T, answers: Answers) -> Observed:
        """See `HostProvider.found`."""
        seen = self.seen(place, want, answers)
        return Present(seen.id, {**seen.values, "revision": ""}) if isinstance(seen, Present) else seen

    def make(self, place: Place, want: T, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return self._made(place, None, want, answers)

    def change(self, place: Place, have: T, want: T, answers: Answers) -> Work:
        """See `HostProvider.change`."""
        return self._made(place, have, want, answers)

    def _made(self, place: Place, have: T | None, want: T, answers: Answers) -> Work:
        self.check(want)
        texts = self.texts(want)
        former = self.texts(have) if have is not None else {}
        written = {path: text for path, text in texts.items() if answers[ContentOf(path)] != text.encode()}
        dropped = [path for path in former if path not in texts]
        folders = sorted({path.rpartition("/")[0] for path in written})
        changes: list[Change] = [MakeDirectory(folder, 0o755) for folder in folders if answers[StatOf(folder)] is None]
        for path, text in reversed(list(written.items())):  # A key is there before what refers to it.
            changes += [kept(place, path), Write(path, text.encode(), _MODE)]
        changes += [change for path in dropped for change in (kept(place, path), Remove(path))]
        main = next(iter(texts))
        if not changes and former == texts:
            return Work(main, (), {"revision": _revision_of(have)})
        if (
            not changes and _note.was_before(place, answers, str, token=place.token) is not None
        ):  # An attempt has come to its end.
            return Work(main, (), {"revision": place.token})
        reading = self.then(want)
        return Work(main, (*changes, *reading, *(_note.noted(place, _READ) if reading else ())), {"revision": place.token})

    def remove(self, place: Place, have: T, answers: Answers) -> Work:
        """See `HostProvider.remove`."""
        paths = list(self.texts(have))
        there = [path for path in paths if answers[ContentOf(path)] is not None]
        copies = [Remove(copy_path(place, path)) for path in paths]
        return Work(paths[0], (*map(Remove, there), *copies, *_note.forgotten(place)))

    def take_back(self, place: Place, have: T, before: T | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: the texts as they were, to the byte."""
        if before is None:
            paths = list(self.texts(have))
            back = [given_back(place, path, [Remove(path)]) for path in paths]
            copies = [Remove(copy_path(place, path)) for path in paths]
            return Work(paths[0], (*back, *copies, *_note.forgotten(place)), None)
        texts, former = self.texts(have), self.texts(before)
        kept_ones = [given_back(place, path, [Write(path, text.encode(), _MODE)]) for path, text in former.items()]
        gone = [given_back(place, path, [Remove(path)]) for path in texts if path not in former]
        return Work(next(iter(former)), (*kept_ones, *gone, *self.then(before)), None)

    def claims(self, want: T) -> Sequence[str]:
        """See `Provider.claims`."""
        return tuple(f"path:{path}" for path in self.texts(want))


def _revision_of(have: Told | None) -> str:
    with contextlib.suppress(NotKnownError):
        return (have.revision or "") if have is not None else ""
    return ""


def checked_name(inputs: Mapping[str, Any]) -> None:
    """Refuse a name that is none of a file.

    Raises:
        ScriptError: ``script.bad_repository``.
    """
    name = inputs.get("name")
    if isinstance(name, str) and not _NAME.fullmatch(name):
        raise bad(f"{name!r} is no name of a file", 'Use letters, digits and dashes, or give another one: name="demo".')


def required_name(name: str) -> str:
    """The name of a file, which is known only now.

    Raises:
        ProviderError: ``invalid`` if it is none.
    """
    return require(name, _NAME, "The name of a source of packages", _NAME_SAYS)


def required_key(key: str | None) -> None:
    """Refuse a key that is known only now, and is none.

    Raises:
        ProviderError: ``invalid``.
    """
    if key is not None and not key.lstrip().startswith(KEY_BEGINS):
        raise ProviderError(
            "invalid", "A value came out as one that cannot be", detail="`signed_by` came out as no public key.",
            hint=f"Give the text that begins with {KEY_BEGINS!r}.",
        )  # fmt: skip


def required_words(**given: Sequence[str]) -> None:
    """Refuse words that are known only now, and would be more than one, or begin a line of their own.

    Raises:
        ProviderError: ``invalid``.
    """
    for name, words in given.items():
        for word in words:
            require(word, _WORD, f"A word of `{name}`", "Give each as an item of its own.")


def checked_key(inputs: Mapping[str, Any], name: str) -> None:
    """Refuse a key that is none.

    Raises:
        ScriptError: ``script.bad_repository``.
    """
    key = inputs.get(name)
    if isinstance(key, str) and "{{" not in key and not key.lstrip().startswith(KEY_BEGINS):
        raise bad(
            f"`{name}` is not the text of a public key",
            f"It begins with {KEY_BEGINS!r}. Of a binary key gpg makes a text:\n\n    gpg --enarmor <key.gpg",
        )


def checked_words(inputs: Mapping[str, Any], *names: str) -> None:
    """Refuse words that would be more than one, or begin a line of their own.

    Raises:
        ScriptError: ``script.bad_repository``.
    """
    for name in names:
        given = inputs.get(name)
        for word in given if isinstance(given, list | tuple) else ():
            if isinstance(word, str) and (not word or len(word.split()) != 1):
                raise bad(f"{word!r} in `{name}` is not one word", "Write each as an item of its own.")


def bad(problem: str, hint: str) -> ScriptError:
    """The error for a description that makes no sense."""
    return refused(
        "script.bad_repository", "A source of packages is not described in a way that is understood", f"{problem}.", hint
    )
