"""Packages of Alpine Linux."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._hosts.change import Change, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers.host import Place
from purvey.resources.packages._names import by_name
from purvey.resources.packages._provider import INSTALL_S, MISSING, Installed, PackagesProvider
from purvey.resources.packages._words import Meanings, explained

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_VERSION: Final = r"-(\d[^-\s]*-r\d+)"
_WORLD: Final = ContentOf("/etc/apk/world")
"""What somebody has asked for; all the rest came along."""

_CONSTRAINT: Final = re.compile(r"[=<>~@]")
_NEWER: Final = re.compile(r"^(\S+)-\d[^-\s]*-r\d+\s+<\s+(\S+)", re.MULTILINE)

_MEANINGS: Final[Meanings] = (
    (("(no such package)",), "not_found", "A package is not known to apk", "Check the name, and /etc/apk/repositories."),
    (("breaks: world",), "not_found", "A version of a package is not known to apk",
     "See which there are, as a repository has one at a time:\n\n    apk policy NAME"),
    (("Unable to lock database",), "timeout", "Another program works on the packages of a machine",
     "Run again when it has ended."),
)  # fmt: skip


class ApkProvider(PackagesProvider["Apk"]):
    """Packages by apk. What is there is what the world file names, too: all the rest goes when nothing needs it."""

    def listing(self, subject: Apk) -> Fact:
        """See `PackagesProvider.listing`."""
        return Ask(("apk", "info", "-e", "-v", *subject.names))

    def facts(self, place: Place, subject: Apk) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [*super().facts(place, subject), _WORLD, *([_newer(subject)] if subject.latest else [])]

    def listed(self, subject: Apk, answers: Answers) -> dict[str, Installed]:
        """See `PackagesProvider.listed`; one that only came along is not there by anybody's wish."""
        said = answers[Ask(("apk", "info", "-e", "-v", *subject.names))]
        if said.returncode == MISSING:
            raise HostError("not_found", "The machine has no apk", detail="It is no Alpine Linux.")
        if said.returncode and said.returncode > 1 + len(subject.names):
            raise HostError("failed", "apk does not tell its packages", detail=f"apk ended with code {said.returncode}.")
        world = _asked_for(answers[_WORLD] or b"") if _WORLD in answers else None
        found: dict[str, Installed] = {}
        for line in said.text().splitlines():
            for name in subject.names:
                if (told := re.fullmatch(re.escape(name) + _VERSION, line.strip())) is not None:
                    found[name] = Installed(told[1], whole=world is None or name in world)
        return found

    def newest(self, subject: Apk, answers: Answers) -> Mapping[str, str]:
        """See `PackagesProvider.newest`."""
        return dict(_NEWER.findall(answers[_newer(subject)].text())) if subject.latest else {}

    def install(self, place: Place, want: Apk, names: Mapping[str, str], answers: Answers) -> Sequence[Change]:
        """See `PackagesProvider.install`: apk fetches lists by itself when they are older than it is told."""
        spelt = [f"{name}{_constraint(version)}" for name, version in names.items()]
        upgrading = ["--upgrade"] if want.latest else []
        age = ("--cache-max-age", str(max(1, want.lists_max_age_s // 60)))
        return [Run(_apk(want, *age, "add", *upgrading, *spelt), touches=None)]

    def uninstall(self, subject: Apk, names: Sequence[str], *, clean: bool) -> Sequence[Change]:
        """See `PackagesProvider.uninstall`: apk takes along what nobody needs, and leaves what others do."""
        return [Run(_apk(subject, "del", *(["--purge"] if clean else []), *names), touches=None)]

    def explained(self, subject: Apk, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return explained(error, _MEANINGS)


class Apk(Resource, kind="packages.Apk", provider=ApkProvider):
    """One package or many, installed by apk.

        packages.Apk("tools", names=["curl", "nginx=1.26.2-r0"])

    They are named in the world file, with the version if the script names one. What others need stays when they are removed.
    """

    names: Any = Input(
        doc='The packages: a list of names, each alone or with its version ("demo=1.2-r3", "demo=1.2*"), or a mapping of names '
        "to versions."
    )
    latest: bool = Input(default=False, doc="Upgrade those without a version to the newest that the machine's lists know.")
    lists_max_age_s: int = Input(default=3600, doc="How old lists may be to install from, in seconds.")
    lock_timeout_s: int = Input(default=300, doc="How long to wait for others who work on the packages, in seconds.")

    versions: Mapping[str, str] = Output(doc="The installed versions by name.")
    found: Mapping[str, str] = Output(doc="Those that were there before, with their version then; they stay.")
    brought: Sequence[str] = Output(doc="Nothing: apk removes what came along by itself.")
    revision: str = Output(doc="Changes when they do; for `restart_on` of a service.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - no path is given.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_package``.
        """
        return {**inputs, "names": by_name(inputs["names"], _NAME)} if "names" in inputs else inputs


def _apk(subject: Apk, *words: str) -> Command:
    return Command(("apk", "--no-progress", "--wait", str(subject.lock_timeout_s), *words), timeout_s=INSTALL_S)


def _newer(subject: Apk) -> Ask:
    """The question which of them are older than what the lists have."""
    return Ask(("apk", "version", "-v", "-l", "<", *subject.names))


def _asked_for(world: bytes) -> set[str]:
    """The names in a world file, without what is said of their versions."""
    return {_CONSTRAINT.split(word, maxsplit=1)[0] for word in world.decode(errors="replace").split()}


def _constraint(version: str) -> str:
    """How the world file says a version."""
    if not version:
        return ""
    return f"~{version[:-1].rstrip('.')}" if version.endswith("*") else f"={version}"
