"""Packages of Fedora and its relatives."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._hosts.change import Change, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, Fact
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers.host import Place
from purvey.resources.packages._names import by_name, fits
from purvey.resources.packages._provider import INSTALL_S, MISSING, Installed, PackagesProvider
from purvey.resources.packages._words import Meanings, explained

_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_FORMAT: Final = "%{NAME} %{EPOCHNUM} %{VERSION}-%{RELEASE} %{ARCH}\n"
_NEWEST: Final = "%{name} %{epoch} %{version}-%{release} %{arch}\n"
_MISSING_LINE: Final = re.compile(r"package (\S+) is not installed")
_COMES_ALONG: Final = re.compile(r"^Installing (weak )?dependencies:$")

_MEANINGS: Final[Meanings] = (
    (("Unable to find a match",), "not_found", "A package or its version is not known to dnf",
     "See which there are, and that the repository comes before:\n\n    dnf --showduplicates list NAME"),
    (("Failed dependencies",), "in_use", "A package is needed by others",
     "Remove those as well, or keep the package with Options(retain=True)."),
    (("GPG check FAILED",), "denied", "A package is not signed by a key that is trusted",
     "Give the repository its key: packages.DnfRepository(…, signed_by=…)."),
    (("Failed to download metadata",), "failed", "A repository cannot be fetched", "See whether the machine reaches it."),
    (("conflicting requests",), "conflict", "Packages cannot be installed together",
     "Its words are above; `replaces=True` lets others go for these."),
)  # fmt: skip


class DnfProvider(PackagesProvider["Dnf"]):
    """Packages by rpm and dnf."""

    def listing(self, subject: Dnf) -> Fact:
        """See `PackagesProvider.listing`."""
        return _query(subject)

    def listed(self, subject: Dnf, answers: Answers) -> dict[str, Installed]:
        """See `PackagesProvider.listed`: of a package that is there in several versions, the one that is wanted counts."""
        said = answers[_query(subject)]
        if said.returncode == MISSING:
            raise HostError("not_found", "The machine has no rpm", detail="It is none of those made from Fedora.")
        found: dict[str, Installed] = {}
        for line in said.text().splitlines():
            if _MISSING_LINE.fullmatch(line):
                continue
            name, version = _version(line)
            if name in subject.names and not (name in found and fits(found[name].version, subject.names[name])):
                found[name] = Installed(version)
        return found

    def facts(self, place: Place, subject: Dnf) -> Sequence[Fact]:
        """See `HostProvider.facts`: the newest versions are asked only where they are wanted."""
        return [*super().facts(place, subject), *([_upgrades(subject)] if subject.latest else [])]

    def newest(self, subject: Dnf, answers: Answers) -> Mapping[str, str]:
        """See `PackagesProvider.newest`: as far as the machine's lists tell."""
        if not subject.latest or answers[_upgrades(subject)].returncode:
            return {}
        lines = answers[_upgrades(subject)].text().splitlines()
        return dict(_version(line) for line in lines if line.strip())

    def install(self, place: Place, want: Dnf, names: Mapping[str, str], answers: Answers) -> Sequence[Change]:
        """See `PackagesProvider.install`."""
        newest = self.newest(want, answers)
        options = [] if want.recommends is None else [f"--setopt=install_weak_deps={want.recommends}"]
        options += ["--allowerasing"] if want.replaces else []
        spelt = [f"{name}-{wanted}" if (wanted := version or newest.get(name)) else name for name, version in names.items()]
        return [Run(_dnf(*options, "install", *spelt), touches=None)]

    def uninstall(self, subject: Dnf, names: Sequence[str], *, clean: bool) -> Sequence[Change]:
        """See `PackagesProvider.uninstall`: rpm refuses where others need them, and dnf takes along what came with them."""
        testing = Command(("rpm", "--erase", "--test", *names), env={"LC_ALL": "C"})
        return [Run(testing), Run(_dnf("remove", *names), touches=None)]

    def came_along(self, out: str) -> Iterable[str]:
        """See `PackagesProvider.came_along`."""
        listing = False
        for line in out.splitlines():
            if not line.startswith(" "):
                listing = _COMES_ALONG.match(line) is not None
            elif listing and not line.startswith("  "):
                yield line.split()[0]

    def explained(self, subject: Dnf, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return explained(error, _MEANINGS)


class Dnf(Resource, kind="packages.Dnf", provider=DnfProvider):
    """One package or many, installed by dnf.

        packages.Dnf("tools", names=["curl", "nginx=1:1.20.1-14.el9"])

    A package that is there is left at its version, unless the script names another one. What purvey installed is removed with
    the node, and dnf takes along what came with it; what was there before stays. A package that others need is not removed.
    """

    names: Any = Input(
        doc='The packages: a list of names, each alone or with its version and release ("demo=1.2-3.el9", "demo=1.2*"), an '
        "epoch other than 0 before it, or a mapping of names to versions."
    )
    latest: bool = Input(default=False, doc="Upgrade those without a version to the newest that the machine's lists know.")
    recommends: bool | None = Input(default=None, doc="Whether weak dependencies come along; None leaves it to the machine.")
    replaces: bool = Input(default=False, doc="Let the installation remove other packages that are in conflict with these.")

    versions: Mapping[str, str] = Output(doc="The installed versions by name.")
    found: Mapping[str, str] = Output(doc="Those that were there before, with their version then; they stay.")
    brought: Sequence[str] = Output(doc="The packages that came along.")
    revision: str = Output(doc="Changes when they do; for `restart_on` of a service.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:  # noqa: ARG003 - no path is given.
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_package``.
        """
        return {**inputs, "names": by_name(inputs["names"], _NAME)} if "names" in inputs else inputs


def _query(subject: Dnf) -> Ask:
    return Ask(("rpm", "-q", "--queryformat", _FORMAT, *subject.names))


def _upgrades(subject: Dnf) -> Ask:
    """The question for newer versions, of the lists that the machine has."""
    return Ask(("dnf", "-q", "-C", "repoquery", "--upgrades", "--latest-limit=1", "--queryformat", _NEWEST, *subject.names))


def _dnf(*words: str) -> Command:
    return Command(("dnf", "-y", *words), env={"LC_ALL": "C"}, timeout_s=INSTALL_S)


def _version(line: str) -> tuple[str, str]:
    """A package's name and version; the epoch is told only where there is one."""
    words = line.split()
    if len(words) != 4:  # noqa: PLR2004 - the fields of the format.
        raise HostError("failed", "rpm does not tell its packages", detail=f"It said: {line}")
    name, epoch, version, _ = words
    return name, version if epoch in ("0", "(none)") else f"{epoch}:{version}"
