"""Where apt gets packages from, and which of them it prefers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, Run
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.resources._given import require, text
from purvey.resources.packages._apt import apt_get
from purvey.resources.packages._apt_words import APT
from purvey.resources.packages._texts import (
    TextsProvider,
    bad,
    checked_key,
    checked_name,
    checked_words,
    required_key,
    required_name,
    required_words,
)
from purvey.resources.packages._words import explained

_APT: Final = "/etc/apt"
_LISTS: Final = {
    "types": "Types", "uris": "URIs", "suites": "Suites", "components": "Components", "architectures": "Architectures",
}  # fmt: skip
"""The fields with several words, as sources.list(5) calls them."""

_PIN: Final = re.compile(r"(version|release|origin) [^\n\r\0]*\S[^\n\r\0]*")
_PIN_SAYS: Final = "Begin it with `version`, `release` or `origin`."
_NUMBER: Final = re.compile(r"-?\d{1,9}")

_CHANGED: Final = "(changed by somebody)"


class AptRepositoryProvider(TextsProvider["AptRepository"]):
    """Repositories by files in deb822 form, each with its own key."""

    def texts(self, subject: AptRepository) -> Mapping[str, str]:
        """See `TextsProvider.texts`: the source, and the key."""
        lines = [f"{field}: {' '.join(words)}" for name, field in _LISTS.items() if (words := getattr(subject, name))]
        lines += [f"Signed-By: {_key_path(subject)}"] if subject.signed_by is not None else []
        lines += ["Trusted: yes"] if subject.trusted else []
        key = {_key_path(subject): _ended(subject.signed_by)} if subject.signed_by is not None else {}
        return {_source_path(subject): "".join(f"{line}\n" for line in lines), **key}

    def check(self, want: AptRepository) -> None:
        """See `TextsProvider.check`."""
        required_words(**{name: getattr(want, name) for name in _LISTS})
        required_key(want.signed_by)

    def told_by(self, have: AptRepository, texts: Mapping[str, str]) -> Mapping[str, Value]:
        """See `TextsProvider.told_by`."""
        wished = self.texts(have)
        source = texts[_source_path(have)]
        told = _fields(source)
        values: dict[str, Value] = {name: list(told.get(field.lower(), "").split()) for name, field in _LISTS.items()}
        values["trusted"] = told.get("trusted", "no") == "yes"
        if source != wished[_source_path(have)] and all(list(getattr(have, name)) == values[name] for name in _LISTS):
            values["uris"] = [_CHANGED]  # In a way that no input tells.
        if have.signed_by is not None:
            key = texts.get(_key_path(have))
            values["signed_by"] = have.signed_by if key == _ended(have.signed_by) else key
        return values

    def then(self, want: AptRepository) -> Sequence[Change]:
        """See `TextsProvider.then`: fetch the lists of this source alone."""
        alone = ("-o", f"Dir::Etc::sourcelist={_source_path(want)}", "-o", "Dir::Etc::sourceparts=-")
        command = apt_get(*alone, "-o", "APT::Get::List-Cleanup=0", "--error-on=any", "update", lock_s=want.lock_timeout_s)
        return [Run(command, touches=None)]

    def explained(self, subject: AptRepository, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return explained(error, APT)


class AptRepository(Resource, kind="packages.AptRepository", provider=AptRepositoryProvider):
    """A repository that apt gets packages from.

        vendor = packages.AptRepository(
            "vendor", uris=["https://apt.example.com"], suites=["stable"], components=["main"], signed_by=key_text
        )
        packages.Apt("server", names=["server"], opts=Options(after=[vendor]))

    Its lists are fetched when it is made or changed, and those of no other; one that cannot be fetched, or is not signed by its
    key, fails. The key is believed for this repository alone.
    """

    name: str = Input(default=None, immutable=True, doc="Its name in /etc/apt/sources.list.d; the node's, if none is given.")
    uris: Sequence[str] = Input(doc="Where it is.")
    suites: Sequence[str] = Input(doc='Its suites, or one path that ends with a slash, "./".')
    components: Sequence[str] = Input(default=(), doc="Its components; none with a path.")
    types: Sequence[str] = Input(default=("deb",), doc="`deb` for packages, `deb-src` for sources.")
    architectures: Sequence[str] = Input(default=(), doc="Those to get packages for; the machine's own if none is given.")
    signed_by: str | None = Input(
        default=None, doc="The text of the public key that it is signed with; None for the keys of the distribution."
    )
    trusted: bool = Input(default=False, doc="Take its packages unsigned, which is right only for what nobody else can write.")
    lock_timeout_s: int = Input(default=300, doc="How long to wait for others who work on the packages, in seconds.")

    revision: str = Output(doc="Changes when it does.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - no path is given.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_repository``.
        """
        checked_name(inputs)
        checked_key(inputs, "signed_by")
        checked_words(inputs, *_LISTS)
        if inputs.get("components") and any(str(suite).endswith("/") for suite in inputs.get("suites", ())):
            raise bad("A suite that is a path has no components", "Leave `components` out.")
        return {"types": ["deb"], "components": [], "architectures": [], "trusted": False, **inputs}


class AptPinProvider(TextsProvider["AptPin"]):
    """Preferences by files."""

    def texts(self, subject: AptPin) -> Mapping[str, str]:
        """See `TextsProvider.texts`."""
        lines = (f"Package: {' '.join(subject.packages)}", f"Pin: {subject.pin}", f"Pin-Priority: {subject.priority}")
        return {f"{_APT}/preferences.d/{required_name(subject.name)}": "".join(f"{line}\n" for line in lines)}

    def check(self, want: AptPin) -> None:
        """See `TextsProvider.check`."""
        required_words(packages=want.packages)
        require(want.pin, _PIN, "`pin`", _PIN_SAYS)
        require(str(want.priority), _NUMBER, "`priority`", "Give a number.")

    def told_by(self, have: AptPin, texts: Mapping[str, str]) -> Mapping[str, Value]:
        """See `TextsProvider.told_by`."""
        (text,) = texts.values()
        told = _fields(text)
        number = told.get("pin-priority", "")
        values: dict[str, Value] = {
            "packages": list(told.get("package", "").split()),
            "pin": told.get("pin", ""),
            "priority": int(number) if number.lstrip("-").isdecimal() else None,
        }
        if text not in self.texts(have).values() and values == {name: _plain(getattr(have, name)) for name in values}:
            values["pin"] = _CHANGED
        return values


class AptPin(Resource, kind="packages.AptPin", provider=AptPinProvider):
    """Which versions of packages apt prefers, or never takes.

        packages.AptPin("backports", packages=["nginx"], pin="release n=bookworm-backports", priority=990)

    It decides what is installed from then on, and changes nothing that is there.
    """

    name: str = Input(default=None, immutable=True, doc="Its name in /etc/apt/preferences.d; the node's, if none is given.")
    packages: Sequence[str] = Input(doc='The packages, or patterns of them: "*", "linux-*".')
    pin: str = Input(doc='What of them: "version 1.2*", "release n=bookworm", "origin apt.example.com".')
    priority: int = Input(doc="Over 1000 also downgrades, below 0 never installs; see apt_preferences(5).")

    revision: str = Output(doc="Changes when it does.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - no path is given.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_repository``.
        """
        checked_name(inputs)
        checked_words(inputs, "packages")
        if (pin := text(inputs.get("pin"))) is not None and not _PIN.fullmatch(pin):
            raise bad(f"{pin!r} is no pin", _PIN_SAYS)
        return inputs


def _source_path(subject: AptRepository) -> str:
    return f"{_APT}/sources.list.d/{required_name(subject.name)}.sources"


def _key_path(subject: AptRepository) -> str:
    return f"{_APT}/keyrings/{required_name(subject.name)}.asc"


def _ended(text: str) -> str:
    """A text whose last line is ended, as programs expect it of a file."""
    return text if text.endswith("\n") else f"{text}\n"


def _fields(text: str) -> dict[str, str]:
    """The fields of the first paragraph, by their names in small letters; comments are passed over (deb822(5))."""
    found: dict[str, str] = {}
    last = ""
    for line in text.split("\n\n", 1)[0].splitlines():
        if line.startswith("#"):
            continue
        if line.startswith((" ", "\t")) and last:
            found[last] = f"{found[last]} {line.strip()}".strip()
        elif ":" in line:
            last, _, value = line.partition(":")
            last = last.strip().lower()
            found[last] = value.strip()
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value
