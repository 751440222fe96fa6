"""Packages of Python, in virtual environments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, Remove, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._inputs import absolute, require_absolute
from purvey.resources._paths import named
from purvey.resources.packages._names import by_name
from purvey.resources.packages._provider import INSTALL_S, MISSING, Installed, PackagesProvider
from purvey.resources.packages._words import Meanings, explained

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_METADATA: Final = re.compile(r"/([^/]+)-([^/-]+)\.dist-info$", re.MULTILINE)
_DEPTH: Final = "3"
"""From `lib`, by way of Python's version and `site-packages`, to what tells of a package."""

_MEANINGS: Final[Meanings] = (
    (("No matching distribution found",), "not_found", "A package, or its version for this Python, is not in the index",
     "Its words tell which versions there are; check the name and `index_url`."),
    (("conflicting dependencies",), "conflict", "Packages cannot be installed together", "Its words tell which."),
    (("No module named pip",), "not_found", "The virtual environment has no pip", "Make it with packages.Venv."),
    (("ensurepip is not",), "not_found", "The machine's Python makes no virtual environments",
     "Install what it lacks, on Debian with packages.Apt(…, names=['python3-venv'])."),
)  # fmt: skip


class VenvProvider(HostProvider["Venv"]):
    """Virtual environments by Python's own module."""

    adopts = True
    long_calls = True

    def facts(self, place: Place, subject: Venv) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        path = require_absolute(subject.path)
        return [StatOf(path), StatOf(f"{path}/pyvenv.cfg"), StatOf(f"{path}/bin/activate")]

    def seen(self, place: Place, have: Venv, answers: Answers) -> Observed:
        """See `HostProvider.seen`: the file in it says so, and what is written last is there."""
        if answers[StatOf(f"{have.path}/pyvenv.cfg")] is None or answers[StatOf(f"{have.path}/bin/activate")] is None:
            return Absent()
        return Present(have.path, {"path": have.path, "program": f"{have.path}/bin/python"})

    def named(self, object_id: str) -> Mapping[str, Value]:
        """See `Provider.named`."""
        return named(object_id)

    def make(self, place: Place, want: Venv, answers: Answers) -> Work:
        """See `HostProvider.make`.

        Raises:
            HostError: ``conflict`` if something else is there.
        """
        outputs: dict[str, Value] = {"program": f"{want.path}/bin/python"}
        status = answers[StatOf(want.path)]
        if status is not None and status.kind != "directory":
            raise HostError(
                "conflict", "Something else stands where a virtual environment shall be",
                detail=f"{want.path} is a {status.kind}.", hint="Move it away, or choose another path.",
            )  # fmt: skip
        if isinstance(self.seen(place, want, answers), Present):
            return Work(want.path, (), outputs)
        command = Command((want.python, "-m", "venv", want.path), timeout_s=INSTALL_S)
        return Work(want.path, (Run(command, touches=None),), outputs)

    def change(self, place: Place, have: Venv, want: Venv, answers: Answers) -> Work:
        """See `HostProvider.change`: there is nothing that can be."""
        return Work(want.path, (), None)

    def remove(self, place: Place, have: Venv, answers: Answers) -> Work:
        """See `HostProvider.remove`: with all that was installed into it; what is none any more is somebody else's."""
        is_one = answers[StatOf(f"{have.path}/pyvenv.cfg")] is not None
        return Work(have.path, (Remove(have.path, whole=True),) if is_one else ())

    def explained(self, subject: Venv, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return explained(error, _MEANINGS)

    def reaches(self, want: Venv) -> Sequence[str] | None:
        """See `HostProvider.reaches`: the environment."""
        return (want.path,)

    def claims(self, want: Venv) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


class Venv(Resource, kind="packages.Venv", provider=VenvProvider):
    """A virtual environment of Python.

        venv = packages.Venv("shop", path="/opt/shop/venv")
        packages.Pip("shop", venv=venv.path, names=["shop==2.1"])

    It is removed with everything that was installed into it.
    """

    path: str = Input(immutable=True, doc="Where it is; the folder above it exists.")
    python: str = Input(default="python3", immutable=True, doc="The Python that it is made with.")

    program: str = Output(stable=True, doc="Its own Python.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`."""
        return {**inputs, "path": absolute(inputs["path"], folder)} if "path" in inputs else inputs


class PipProvider(PackagesProvider["Pip"]):
    """Packages by pip; what is there is told by what each has left beside itself, without starting Python."""

    def listing(self, subject: Pip) -> Fact:
        """See `PackagesProvider.listing`."""
        return _metadata(subject)

    def facts(self, place: Place, subject: Pip) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        return [*super().facts(place, subject), StatOf(f"{subject.venv}/bin/python")]

    def listed(self, subject: Pip, answers: Answers) -> dict[str, Installed]:
        """See `PackagesProvider.listed`."""
        said = answers[_metadata(subject)]
        if said.returncode == MISSING:
            raise HostError("not_found", "The machine has no find", detail="It tells which packages there are.")
        there = {_normal(name): version for name, version in _METADATA.findall(said.text())}
        known = {name: there[_normal(name)] for name in subject.names if _normal(name) in there}
        return {name: Installed(_as_wished(version, subject.names[name])) for name, version in known.items()}

    def install(self, place: Place, want: Pip, names: Mapping[str, str], answers: Answers) -> Sequence[Change]:
        """See `PackagesProvider.install`.

        Raises:
            HostError: ``not_found`` if there is no virtual environment.
        """
        if answers[StatOf(f"{want.venv}/bin/python")] is None:
            raise HostError(
                "not_found", "There is no virtual environment", detail=f"{want.venv} has no Python.",
                hint='Make it, and pass its path:\n\n    venv = packages.Venv("…", path="…")',
            )  # fmt: skip
        options = ["--index-url", want.index_url] if want.index_url is not None else []
        options += [word for place in want.find_links for word in ("--find-links", place)]
        options += ["--no-index"] if want.index_url is None and want.find_links else []
        spelt = [f"{name}=={version}" if version else name for name, version in names.items()]
        return [Run(_pip(want, "install", *options, *spelt), touches=None)]

    def uninstall(self, subject: Pip, names: Sequence[str], *, clean: bool) -> Sequence[Change]:
        """See `PackagesProvider.uninstall`."""
        return [Run(_pip(subject, "uninstall", "--yes", *names), touches=None)]

    def explained(self, subject: Pip, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return explained(error, _MEANINGS)

    def reaches(self, want: Pip) -> Sequence[str] | None:
        """See `HostProvider.reaches`: the environment."""
        return (want.venv,)

    def looks_at(self, want: Pip) -> Sequence[str] | None:
        """See `HostProvider.looks_at`: the environment."""
        return (want.venv,)

    def claimed(self, want: Pip) -> str:
        """See `PackagesProvider.claimed`."""
        return f"package:{want.venv}"


class Pip(Resource, kind="packages.Pip", provider=PipProvider):
    """One package of Python or many, in a virtual environment.

        packages.Pip("shop", venv=venv.path, names=["shop==2.1", "gunicorn"])

    What came along with them stays when they are removed; it goes with the environment.
    """

    venv: str = Input(immutable=True, doc="The virtual environment.")
    names: Any = Input(
        doc='The packages: a list of names, each alone or with its version ("demo==1.2", "demo==1.*"), or a mapping of names '
        "to versions."
    )
    index_url: str | None = Input(default=None, doc="The index to install from; None for what pip is set up for.")
    find_links: Sequence[str] = Input(default=(), doc="Folders or pages to install from; from them alone without an index.")

    versions: Mapping[str, str] = Output(doc="The installed versions by name.")
    found: Mapping[str, str] = Output(doc="Those that were there before, with their version then; they stay.")
    brought: Sequence[str] = Output(doc="Nothing: what came along goes with the environment.")
    revision: str = Output(doc="Changes when they do; for `restart_on` of a service.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_package``.
        """
        known = {**inputs, "venv": absolute(inputs["venv"], folder)} if "venv" in inputs else inputs
        return {**known, "names": by_name(inputs["names"], _NAME, "==")} if "names" in inputs else known


def _metadata(subject: Pip) -> Ask:
    return Ask(("find", f"{require_absolute(subject.venv)}/lib", "-maxdepth", _DEPTH, "-name", "*.dist-info"))


def _pip(subject: Pip, *words: str) -> Command:
    options = ("--disable-pip-version-check", "--no-input", "--quiet")
    return Command((f"{subject.venv}/bin/python", "-m", "pip", *options, *words), timeout_s=INSTALL_S)


def _normal(name: str) -> str:
    """The one spelling of a name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _as_wished(version: str, wanted: Any) -> str:
    """A version as the script spells it, if it is the same one: 1.0 is 1.0.0 (PEP 440)."""
    return wanted if isinstance(wanted, str) and wanted and _release(version) == _release(wanted) else version


def _release(version: str) -> str:
    return re.sub(r"(\.0)+$", "", version.lower().lstrip("v"))
