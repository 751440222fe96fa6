"""What the kinds of packages share: which of them are missing, which are there by our doing, and what an undo gives back.

A node is one or many packages. What was there before purvey is noted on the machine before anything is changed, by the first
attempt of an operation alone: so an attempt that was cut off is not taken for the former state, an undo gives back the former
versions, and what somebody else had installed stays when the node goes.
"""

from __future__ import annotations

import contextlib
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

import msgspec

from purvey._base.value import Value
from purvey._hosts.change import Change
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Fact
from purvey._hosts.step import Ended
from purvey.errors import HostError, ProviderError
from purvey.providers import Absent, NotKnownError, Observed, Present, Unreadable
from purvey.providers.host import HostProvider, Place, Work
from purvey.resources._note import asked as asked_note
from purvey.resources._note import forgotten, noted, was_before
from purvey.resources.packages._names import fits, required_versions
from purvey.resources.packages._words import in_short

INSTALL_S: Final = 1800.0
"""Seconds that an installation may take: large packages come over slow links."""

MISSING: Final = 127
"""What a shell ends with where there is no such program."""

_HELD: Final = " (held)"


class Installed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a machine has of a package.

    Args:
        version: The version; empty where only what was configured is left.
        held: Whether upgrades pass it by.
        whole: Whether it is installed to the end.
    """

    version: str
    held: bool = False
    whole: bool = True


class Packages(Protocol):
    """The fields that every kind of packages has."""

    @property
    def names(self) -> Any:
        """The wanted versions by name."""

    @property
    def versions(self) -> Mapping[str, str]:
        """The installed versions by name."""

    @property
    def found(self) -> Mapping[str, str]:
        """Which were there before."""

    @property
    def brought(self) -> Sequence[str]:
        """What came along."""

    @property
    def revision(self) -> str:
        """The operation that last changed them."""

    def with_values(self, **values: Value) -> Any:
        """A copy with other values."""


P = TypeVar("P", bound=Packages)


class PackagesProvider(HostProvider[P]):
    """Installs and removes packages; a subclass says by which commands."""

    adopts = True
    long_calls = True

    # What a package manager has to say.

    @abstractmethod
    def listing(self, subject: P) -> Fact:
        """The question which of the packages are there."""

    @abstractmethod
    def listed(self, subject: P, answers: Answers) -> dict[str, Installed]:
        """Which are there.

        Raises:
            HostError: if the answer does not tell.
        """

    @abstractmethod
    def install(self, place: Place, want: P, names: Mapping[str, str], answers: Answers) -> Sequence[Change]:
        """Have these in these versions, empty for any; packages that are there in another one are changed to it."""

    @abstractmethod
    def uninstall(self, subject: P, names: Sequence[str], *, clean: bool) -> Sequence[Change]:
        """Be without these; each may be gone already.

        Args:
            subject: Whose they are.
            names: Which.
            clean: Whether what was configured goes, too.
        """

    def means(self, place: Place, subject: P) -> Sequence[Fact]:
        """What else must be known to change something."""
        return ()

    def newest(self, subject: P, answers: Answers) -> Mapping[str, str]:
        """The versions to upgrade to, where the newest are wanted."""
        return {}

    def came_along(self, out: str) -> Iterable[str]:
        """The packages that an installation says it has brought."""
        return ()

    def settled(self, want: P, have: P | None, former: Mapping[str, Installed], answers: Answers) -> Sequence[Change]:
        """What is done last, when all packages are there."""
        return ()

    # The contract.

    def facts(self, place: Place, subject: P) -> Sequence[Fact]:
        """See `HostProvider.facts`: more than the listing is asked only where something is to be done."""
        asked = [self.listing(subject)]
        return [*asked, asked_note(place), *self.means(place, subject)] if place.token else asked

    def seen(self, place: Place, have: P, answers: Answers) -> Observed:
        """See `HostProvider.seen`."""
        try:
            known, newest = present(self.listed(have, answers)), self.newest(have, answers)
        except HostError as error:
            return Unreadable(f"{error.summary}: {error.detail}")
        there = {name: known[name].version for name in have.names if name in known}
        if not there:
            return Absent()
        shown = {name: _shown(version, have.names[name], newest.get(name, version)) for name, version in there.items()}
        return Present(place.address, {"names": shown, **self.also_seen(have, known)})

    def also_seen(self, have: P, known: Mapping[str, Installed]) -> Mapping[str, Value]:
        """Other inputs that can be read."""
        return {}

    def found(self, place: Place, want: P, answers: Answers) -> Observed:
        """See `HostProvider.found`: they are there when all of them are; a part is made whole, and stays somebody else's."""
        seen = self.seen(place, want, answers)
        if not isinstance(seen, Present):
            return seen
        known = present(self.listed(want, answers))
        if any(name not in known or not fits(known[name].version, want.names[name]) for name in want.names):
            return Absent()
        versions: dict[str, Value] = {name: known[name].version for name in want.names}
        spelt: dict[str, Value] = {name: _spelt(known[name]) for name in want.names}
        return Present(seen.id, {**seen.values, "versions": versions, "found": spelt, "brought": [], "revision": ""})

    def make(self, place: Place, want: P, answers: Answers) -> Work:
        """See `HostProvider.make`."""
        return self._made(place, None, want, answers)

    def change(self, place: Place, have: P, want: P, answers: Answers) -> Work:
        """See `HostProvider.change`: what is wanted no more goes, unless it was there before purvey."""
        return self._made(place, have, want, answers)

    def _made(self, place: Place, have: P | None, want: P, answers: Answers) -> Work:
        required_versions(want.names)
        known = self.listed(want, answers)
        former = self._former(place, have, want, known, answers)
        found = {**found_of(have), **self._others(have, want, former)}
        dropped = [name for name in (have.names if have is not None else ()) if name not in want.names]
        gone = [name for name in dropped if name not in found and self._may_be_there(have, name, answers)]
        wrong = self._wrong(want, known, answers)
        installing = self.install(place, want, wrong, answers) if wrong else ()
        changes = [
            *(self.uninstall(want, gone, clean=False) if gone else ()), *installing,
            *self.settled(want, have, former, answers),
        ]  # fmt: skip
        kept = {name: text for name, text in found.items() if name in want.names}
        brought = [name for name in brought_of(have) if name not in want.names]
        outputs: dict[str, Value] = {"found": kept, "brought": brought, "revision": revision_of(have)}
        if not changes:
            there = present(known)
            return Work(place.address, (), {**outputs, "versions": {name: there[name].version for name in want.names}})
        if wrong or gone:
            outputs["revision"] = place.token
        return Work(place.address, (*self._noted(place, former, answers), *changes), outputs, after=(self.listing(want),))

    def remove(self, place: Place, have: P, answers: Answers) -> Work:
        """See `HostProvider.remove`: what purvey installed goes, and what came along with it unless it is needed by now."""
        known = self.listed(have, answers)
        ours = [name for name in have.names if name in begun(known) and name not in found_of(have)]
        changes = [*(self.uninstall(have, ours, clean=False) if ours else ()), *self.loosened(have, answers)]
        return Work(place.address, (*changes, *self._swept(have, answers), *forgotten(place)))

    def loosened(self, have: P, answers: Answers) -> Sequence[Change]:
        """What is taken back of packages that stay."""
        return ()

    def swept(self, have: P, names: Sequence[str], answers: Answers) -> Sequence[Change]:
        """Remove those of the packages that came along which nobody needs any more."""
        return ()

    def _swept(self, have: P, answers: Answers) -> Sequence[Change]:
        brought = list(brought_of(have))
        return self.swept(have, brought, answers) if brought else ()

    def take_back(self, place: Place, have: P, before: P | None, answers: Answers) -> Work:
        """See `HostProvider.take_back`: the former versions come back, and what was not there goes whole."""
        was = was_before(place, answers, dict[str, Installed], token=place.undoes)
        if was is None:  # Nothing was done.
            return Work(place.address, (), None)
        known = begun(self.listed(have, answers))
        former = present(was)
        names = {*have.names, *former}
        away = [name for name in sorted(names) if name in known and name not in former]
        clean = [name for name in away if name not in was]
        back = {name: item.version for name, item in former.items() if known.get(name, Installed("")).version != item.version}
        changes = [
            *(self.uninstall(have, clean, clean=True) if clean else ()),
            *(self.uninstall(have, rest, clean=False) if (rest := [name for name in away if name not in clean]) else ()),
            *(self._swept(have, answers) if before is None else ()),
            *(self.install(place, have, back, answers) if back else ()),
            *self.reset(have, former, set(back), known),
        ]
        return Work(place.address, (*changes, *forgotten(place)), None)

    def reset(
        self, have: P, former: Mapping[str, Installed], again: set[str], known: Mapping[str, Installed]
    ) -> Sequence[Change]:
        """Give packages back what else was told of them."""
        return ()

    def learnt(self, want: P, work: Work, ended: Ended) -> Mapping[str, Value]:
        """See `HostProvider.learnt`: the versions, and what came along.

        Raises:
            HostError: ``invalid`` if a package is still not there, because another one answers to its name.
        """
        if not work.after or work.outputs is None:
            return {}
        known = present(self.listed(want, ended.answers))
        missing = [name for name in want.names if name not in known]
        if missing:
            raise HostError(
                "invalid",
                "A package was not installed under its own name",
                detail=f"The package manager was satisfied, but there is no {', '.join(missing)}: others provide it.",
                hint="Name the package itself.",
            )
        before = work.outputs.get("brought")
        known_before: list[str] = [str(name) for name in before] if isinstance(before, list) else []
        came = [name for name in self.came_along(ended.out.decode(errors="replace")) if name not in want.names]
        brought: list[Value] = [*dict.fromkeys([*known_before, *came])]
        return {"versions": {name: known[name].version for name in want.names}, "brought": brought}

    def explained(self, subject: P, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return error

    def doing(self, subject: P, command: Command) -> str:
        """See `HostProvider.doing`: without variables and options."""
        return in_short(command.argv)

    def reaches(self, want: P) -> Sequence[str] | None:
        """See `HostProvider.reaches`: packages bring files, and run programs."""
        return None

    def claims(self, want: P) -> Sequence[str]:
        """See `Provider.claims`: each package is one node's."""
        return tuple(f"{self.claimed(want)}:{name}" for name in want.names)

    def claimed(self, want: P) -> str:
        """Whose names they are."""
        return "package"

    def _wrong(self, want: P, known: Mapping[str, Installed], answers: Answers) -> dict[str, str]:
        """What is not there as it is wanted, with the version that it gets; empty for the package manager's choice."""
        there, newest = present(known), self.newest(want, answers)
        wrong: dict[str, str] = {}
        for name, wanted in want.names.items():
            version = there[name].version if name in there else None
            if version is None or not fits(version, wanted) or (not wanted and newest.get(name, version) != version):
                wrong[name] = wanted
        return wrong

    def _former(
        self, place: Place, have: P | None, want: P, known: Mapping[str, Installed], answers: Answers
    ) -> dict[str, Installed]:
        """What there was before this operation, as its first attempt has noted it."""
        was = was_before(place, answers, dict[str, Installed], token=place.token)
        if was is not None:
            return was
        versions = versions_of(have) if have is not None else {}
        return {**{name: Installed(version) for name, version in versions.items() if name not in want.names}, **known}

    def _noted(self, place: Place, former: Mapping[str, Installed], answers: Answers) -> Sequence[Change]:
        was = was_before(place, answers, dict[str, Installed], token=place.token)
        return noted(place, dict(sorted(former.items()))) if was is None else ()

    def _may_be_there(self, have: P | None, name: str, answers: Answers) -> bool:
        """Whether a package is there that only the record names; where that was not asked, it may be."""
        return have is None or self.listing(have) not in answers or name in present(self.listed(have, answers))

    def _others(self, have: P | None, want: P, former: Mapping[str, Installed]) -> dict[str, str]:
        """Of those that are new to the node, the ones that were there already."""
        new = [name for name in want.names if have is None or name not in have.names]
        return {name: _spelt(item) for name, item in present(former).items() if name in new}


def present(known: Mapping[str, Installed]) -> dict[str, Installed]:
    """Those that are installed, and neither half nor only remembered."""
    return {name: item for name, item in known.items() if item.version and item.whole}


def begun(known: Mapping[str, Installed]) -> dict[str, Installed]:
    """Those that are installed, be it half."""
    return {name: item for name, item in known.items() if item.version}


def was_held(text: str) -> bool:
    """Whether a package that was there before was held."""
    return text.endswith(_HELD)


def found_of(have: Packages | None) -> dict[str, str]:
    """Which packages were there before purvey."""
    with contextlib.suppress(NotKnownError):
        return dict(have.found or {}) if have is not None else {}
    return {}


def brought_of(have: Packages | None) -> tuple[str, ...]:
    """What came along with the packages."""
    with contextlib.suppress(NotKnownError):
        return tuple(have.brought or ()) if have is not None else ()
    return ()


def versions_of(have: Packages) -> dict[str, str]:
    """The recorded versions."""
    with contextlib.suppress(NotKnownError):
        return dict(have.versions or {})
    return {}


def revision_of(have: Packages | None) -> str:
    """The recorded revision."""
    with contextlib.suppress(NotKnownError):
        return (have.revision or "") if have is not None else ""
    return ""


def _shown(version: str, wanted: str, newest: str) -> str:
    """What stands for an installed version where a wish stands: the wish itself, if it is fulfilled."""
    return wanted if fits(version, wanted) and (wanted or newest == version) else version


def _spelt(item: Installed) -> str:
    return item.version + (_HELD if item.held else "")
