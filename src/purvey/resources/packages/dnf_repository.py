"""Where dnf gets packages from."""

from __future__ import annotations

import configparser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from purvey._base.value import Value
from purvey._hosts.change import Change, Run
from purvey._hosts.command import Command
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.resources.packages._provider import INSTALL_S
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


class DnfRepositoryProvider(TextsProvider["DnfRepository"]):
    """Repositories by files, each with its own key."""

    def texts(self, subject: DnfRepository) -> Mapping[str, str]:
        """See `TextsProvider.texts`: the repository, and the key."""
        key = {_key_path(subject): f"{subject.signed_by.rstrip()}\n"} if subject.signed_by is not None else {}
        lines = [f"[{subject.name}]", f"name={subject.name}", f"baseurl={' '.join(subject.uris)}", "enabled=1"]
        lines += ["gpgcheck=0"] if subject.trusted else ["gpgcheck=1"]
        lines += [f"gpgkey=file://{path}" for path in key]
        return {_path(subject): "".join(f"{line}\n" for line in lines), **key}

    def check(self, want: DnfRepository) -> None:
        """See `TextsProvider.check`."""
        required_words(uris=want.uris)
        required_key(want.signed_by)

    def told_by(self, have: DnfRepository, texts: Mapping[str, str]) -> Mapping[str, Value]:
        """See `TextsProvider.told_by`."""
        wished, text = self.texts(have), texts[_path(have)]
        told = _section(text, have.name)
        values: dict[str, Value] = {"uris": list(told.get("baseurl", "").split()), "trusted": told.get("gpgcheck") == "0"}
        if text != wished[_path(have)] and values == {"uris": list(have.uris), "trusted": have.trusted}:
            values["uris"] = ["(changed by somebody)"]  # In a way that no input tells.
        if have.signed_by is not None:
            key = texts.get(_key_path(have))
            values["signed_by"] = have.signed_by if key == wished[_key_path(have)] else key
        return values

    def then(self, want: DnfRepository) -> Sequence[Change]:
        """See `TextsProvider.then`: fetch the lists of this repository alone."""
        command = Command(("dnf", "-y", "-q", f"--repo={want.name}", "makecache"), env={"LC_ALL": "C"}, timeout_s=INSTALL_S)
        return [Run(command, touches=None)]


class DnfRepository(Resource, kind="packages.DnfRepository", provider=DnfRepositoryProvider):
    """A repository that dnf gets packages from.

        vendor = packages.DnfRepository("vendor", uris=["https://rpm.example.com/el9"], signed_by=key_text)

    Its lists are fetched when it is made or changed; one that cannot be fetched fails.
    """

    name: str = Input(default=None, immutable=True, doc="Its name in /etc/yum.repos.d; the node's, if none is given.")
    uris: Sequence[str] = Input(doc="Where it is; more than one are copies of each other.")
    signed_by: str | None = Input(
        default=None, doc="The text of the public key that its packages are signed with; None for keys that the machine has."
    )
    trusted: bool = Input(default=False, doc="Take its packages unsigned, which is right only for what nobody else can write.")

    revision: str = Output(doc="Changes when it does.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - no path is given.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_repository``.
        """
        checked_name(inputs)
        checked_key(inputs, "signed_by")
        checked_words(inputs, "uris")
        if inputs.get("trusted") is True and inputs.get("signed_by") is not None:
            raise bad("Packages that are taken unsigned have no key", "Leave `trusted` out, so that the key is looked at.")
        return {"trusted": False, **inputs}


def _path(subject: DnfRepository) -> str:
    return f"/etc/yum.repos.d/{required_name(subject.name)}.repo"


def _key_path(subject: DnfRepository) -> str:
    return f"/etc/pki/rpm-gpg/{required_name(subject.name)}.asc"


def _section(text: str, name: str) -> Mapping[str, str]:
    """The settings under a name; none where the file cannot be understood."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return {}
    return parser[name] if parser.has_section(name) else {}
