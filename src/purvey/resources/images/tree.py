"""Trees: root file systems in folders of this machine, in which the other kinds work by `Chroot`.

A tree is made beside its place and put there whole. A mark in purvey's own folder in it tells how it was made, and goes with
it; so neither a folder that was emptied nor somebody else's is taken for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, Remove, Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact, StatOf
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, Finding, Observed, Present
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._inputs import absolute, refused, require_absolute
from purvey.resources._paths import above, blocked
from purvey.resources.files._content import digest_of, local
from purvey.resources.images._scripts import MARK, WORK_S, tree, words_of

_ANOTHER: Final = 66
_NOT_ROOT: Final = 77
_WHO: Final = Ask(("id", "-u"))
_BOOTSTRAP: Final = Ask(("sh", "-c", "command -v mmdebstrap"))
_DRAFT: Final = "draft"


class TreeProvider(HostProvider["Tree"]):
    """Trees by mmdebstrap, or out of an archive."""

    on_hosts = False
    """`Chroot` is a place of this machine."""

    long_calls = True

    def facts(self, place: Place, subject: Tree) -> Sequence[Fact]:
        """See `HostProvider.facts`."""
        path = require_absolute(subject.path)
        return [StatOf(path), ContentOf(f"{path}/{MARK}")]

    def seen(self, place: Place, have: Tree, answers: Answers) -> Observed:
        """See `HostProvider.seen`: one that was made otherwise is another one."""
        if answers[StatOf(have.path)] is None or answers[ContentOf(f"{have.path}/{MARK}")] is None:
            return Absent()
        return Present(have.path, {"path": have.path})

    def found(self, place: Place, want: Tree, answers: Answers) -> Observed:
        """See `HostProvider.found`."""
        if answers[ContentOf(f"{want.path}/{MARK}")] != _mark(want):
            return Absent()
        return Present(want.path, {"path": want.path, "root": want.path, "revision": ""})

    def make(self, place: Place, want: Tree, answers: Answers) -> Work:
        """See `HostProvider.make`.

        Raises:
            HostError: ``conflict`` if something else is there.
        """
        outputs: dict[str, Value] = {"root": want.path, "revision": place.token}
        if answers[ContentOf(f"{want.path}/{MARK}")] == _mark(want):
            return Work(want.path, (), outputs)
        if answers[StatOf(want.path)] is not None:
            raise HostError(
                "conflict", "Something else stands where a tree shall be", detail=f"{want.path} was not made by this node.",
                hint="Move it away, or choose another path.",
            )  # fmt: skip
        return Work(want.path, (_making(want),), outputs)

    def change(self, place: Place, have: Tree, want: Tree, answers: Answers) -> Work:
        """See `HostProvider.change`: there is nothing that can be; what differs makes another tree."""
        return Work(want.path, (), None)

    def remove(self, place: Place, have: Tree, answers: Answers) -> Work:
        """See `HostProvider.remove`: with all that is in it."""
        changes: list[Change] = [Remove(f"{have.path}.{_DRAFT}", whole=True)]
        if answers[ContentOf(f"{have.path}/{MARK}")] is not None:
            changes.append(Remove(have.path, whole=True))
        return Work(have.path, tuple(changes))

    def explained(self, subject: Tree, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        said = words_of(error)
        if f"ended with code {_NOT_ROOT}" in error.detail:
            return _not_root(subject.path)
        if f"ended with code {_ANOTHER}" in error.detail:
            return ProviderError(
                "schema_changed", "An archive of a tree is not the planned one",
                detail=f"{subject.source} was changed after the plan was made, or is gone.", hint="Plan again.",
            )  # fmt: skip
        if "No space left on device" in error.detail:
            hint = "Nothing of it is left. Make room, then resume."
            return HostError("quota_exceeded", "There is no room for a tree", detail=said, hint=hint)
        if "ended with code" not in error.detail:
            return error
        return HostError("failed", "A tree could not be made", detail=said, hint="Nothing of it is left; its words tell why.")

    def hazards(self, place: Place, want: Tree) -> Sequence[Fact]:
        """See `HostProvider.hazards`."""
        return [*above(want.path), _WHO, _BOOTSTRAP]

    def findings(self, place: Place, want: Tree, answers: Answers) -> Sequence[Finding]:
        """See `HostProvider.findings`: only root can, and something must make it."""
        found = blocked(place.address, want.path, answers)
        if answers[_WHO].text().strip() != "0":
            found.append(Finding(place.address, _not_root(want.path).summary, "Run purvey as root."))
        if want.suite is not None and answers[_BOOTSTRAP].returncode != 0:
            found.append(
                Finding(place.address, "there is no mmdebstrap, which makes a tree", "Install it: apt install mmdebstrap")
            )
        return found

    def claims(self, want: Tree) -> Sequence[str]:
        """See `Provider.claims`."""
        return (f"path:{want.path}",)


class Tree(Resource, kind="images.Tree", provider=TreeProvider, delete_first=True):
    """A root file system in a folder: the beginning of an image, in which other kinds work.

        tree = images.Tree("web", path="tree", suite="bookworm", packages=["nginx-light"])
        files.File("site", on=Chroot(tree.root), path="/etc/nginx/conf.d/site.conf", source="site.conf")

    It is made of packages of Debian by mmdebstrap, or out of an archive of a tree; another suite, package or archive makes it
    anew. What is in it is removed with it. Nothing that is installed in it starts a service. Needs root.
    """

    path: str = Input(immutable=True, doc="Where it is; the folder above it exists.")
    suite: str | None = Input(default=None, immutable=True, doc="The suite of Debian or its relatives, such as `bookworm`.")
    packages: Sequence[str] = Input(default=(), immutable=True, doc="Packages that it has from the beginning.")
    sources: Sequence[str] = Input(
        default=(), immutable=True, doc="Where packages come from: lines, files or addresses as mmdebstrap takes them."
    )
    options: Sequence[str] = Input(default=(), immutable=True, doc="More options of mmdebstrap.")
    source: str | None = Input(
        default=None, immutable=True, doc="In place of a suite: an archive of a tree, beside the script."
    )
    source_digest: str | None = Input(default=None, immutable=True, doc="Filled in by purvey: SHA-256 of the archive.")

    root: str = Output(stable=True, doc="Where it is, for `Chroot`.")
    revision: str = Output(doc="Another one for each time that it was made.")

    @classmethod
    def prepare(cls, inputs: dict[str, Any], folder: Path) -> dict[str, Any]:
        """See `Resource.prepare`.

        Raises:
            ScriptError: ``script.bad_tree``, ``script.bad_path``, ``script.source_unreadable``.
        """
        known = {name: value for name, value in inputs.items() if name != "source_digest"}
        if "path" in known:
            known["path"] = absolute(known["path"], folder)
        given = [name for name in ("suite", "source") if known.get(name) is not None]
        if len(given) != 1:
            raise _bad(f"It has {'`suite` and `source`' if given else 'neither `suite` nor `source`'}.", "Give one of them.")
        if given == ["source"]:
            if any(known.get(name) for name in ("packages", "sources", "options")):
                raise _bad("It has a `source`, and packages.", "Install them in it: packages.Apt(…, on=Chroot(tree.root)).")
            source = local(known["source"], "source", folder)
            known |= {"source": str(source), "source_digest": digest_of(source, "source")}
        for name in ("packages", "sources", "options"):
            if isinstance(known.get(name), str):
                raise _bad(f"`{name}` is text.", f'Give a list: {name}=["…"].')
        return known


def _making(want: Tree) -> Run:
    draft = f"{want.path}.{_DRAFT}"
    mark = _mark(want).decode().strip()
    if want.source is not None:
        words: tuple[str, ...] = ("unpack", want.path, mark, want.source, str(want.source_digest))
    else:
        packages = (f"--include={','.join(want.packages)}",) if want.packages else ()
        options = ("--quiet", "--mode=root", "--variant=minbase", *packages, *want.options)
        words = ("bootstrap", want.path, mark, *options, str(want.suite), draft, *want.sources)
    return Run(Command(("sh", "-c", tree(), "tree.sh", *words), timeout_s=WORK_S), touches=None)


def _mark(want: Tree) -> bytes:
    """What tells how a tree was made."""
    told = (want.suite or "", *want.packages, "\1", *want.sources, "\1", *want.options, "\1", want.source_digest or "")
    return f"{hashlib.sha256(chr(0).join(told).encode()).hexdigest()}\n".encode()


def _not_root(path: str) -> HostError:
    return HostError(
        "denied",
        "Only root makes a root file system",
        detail=f"{path} is to have files of several users.",
        hint="Run purvey as root.",
    )


def _bad(problem: str, hint: str) -> Exception:
    return refused("script.bad_tree", "A tree is not given as it must be", problem, hint)
