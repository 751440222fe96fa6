"""Packages of Debian and what is made from it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from purvey._base.value import Value
from purvey._hosts.change import Change, Run
from purvey._hosts.fact import Answers, Ask, Fact
from purvey._script.fields import Input, Output
from purvey._script.resource import Resource
from purvey.errors import ProviderError
from purvey.providers.host import Place
from purvey.resources.packages._apt import (
    apt_get,
    choices,
    dpkg,
    facts,
    lists_fetched,
    mark,
    not_required,
    policy,
    recovered,
    waited,
)
from purvey.resources.packages._apt_words import APT
from purvey.resources.packages._dpkg import NAME, installed, query
from purvey.resources.packages._names import by_name
from purvey.resources.packages._provider import Installed, PackagesProvider, brought_of, found_of, was_held
from purvey.resources.packages._words import explained

_CAME: Final = re.compile(r"^Selecting previously unselected package (\S+?)\.$", re.MULTILINE)


class AptProvider(PackagesProvider["Apt"]):
    """Packages by dpkg and apt."""

    def listing(self, subject: Apt) -> Fact:
        """See `PackagesProvider.listing`."""
        return query(list(subject.names))

    def listed(self, subject: Apt, answers: Answers) -> dict[str, Installed]:
        """See `PackagesProvider.listed`."""
        return installed(list(subject.names), answers)

    def facts(self, place: Place, subject: Apt) -> Sequence[Fact]:
        """See `HostProvider.facts`: the newest versions are asked only where they are wanted."""
        asked = [*super().facts(place, subject), *([policy(list(subject.names))] if subject.latest else [])]
        return list(dict.fromkeys(asked))

    def means(self, place: Place, subject: Apt) -> Sequence[Fact]:
        """See `PackagesProvider.means`."""
        asked = facts(list(subject.names), subject.lists_max_age_s)
        return [*asked, _removal(subject)] if brought_of(subject) else asked

    def newest(self, subject: Apt, answers: Answers) -> Mapping[str, str]:
        """See `PackagesProvider.newest`."""
        if not subject.latest:
            return {}
        known = choices(list(subject.names), answers)
        return {name: choice.candidate for name, choice in known.items() if choice.candidate}

    def also_seen(self, have: Apt, known: Mapping[str, Installed]) -> Mapping[str, Value]:
        """See `PackagesProvider.also_seen`: what somebody else holds is his."""
        there = [known[name] for name in have.names if name in known]
        return {"hold": all(item.held for item in there)} if have.hold else {}

    def install(self, place: Place, want: Apt, names: Mapping[str, str], answers: Answers) -> Sequence[Change]:
        """See `PackagesProvider.install`."""
        lock_s = want.lock_timeout_s
        lists = lists_fetched(
            place, names, answers, names=list(want.names), age_s=want.lists_max_age_s, lock_s=lock_s,
        )  # fmt: skip
        words = [*_recommends(want), *([] if want.replaces else ["--no-remove"])]
        words += ["--allow-downgrades"] if any(names.values()) else []
        words += ["--allow-change-held-packages"] if want.hold else []
        spelt = [f"{name}={version}" if version else name for name, version in names.items()]
        return [
            *recovered(answers, lock_s=lock_s), *lists, Run(apt_get(*words, "install", *spelt, lock_s=lock_s), touches=None),
        ]  # fmt: skip

    def settled(self, want: Apt, have: Apt | None, former: Mapping[str, Installed], answers: Answers) -> Sequence[Change]:
        """See `PackagesProvider.settled`: hold them, also those that apt let go of when it changed them."""
        known = self.listed(want, answers)
        wrong = self._wrong(want, known, answers)
        if want.hold:
            loose = [name for name in want.names if name in wrong or name not in known or not known[name].held]
            return [mark("hold", loose, lock_s=want.lock_timeout_s)] if loose else []
        if have is not None and have.hold:
            return self._let_go(want, [name for name in have.names if name in want.names], found_of(have), known)
        return []

    def _let_go(
        self, want: Apt, names: Sequence[str], found: Mapping[str, str], known: Mapping[str, Installed]
    ) -> Sequence[Change]:
        """Hold these no longer, unless they were held before."""
        held = [name for name in names if name in known and known[name].held and not was_held(found.get(name, ""))]
        return [mark("unhold", held, lock_s=want.lock_timeout_s)] if held else []

    def loosened(self, have: Apt, answers: Answers) -> Sequence[Change]:
        """See `PackagesProvider.loosened`."""
        found = found_of(have)
        return self._let_go(have, list(found), found, self.listed(have, answers)) if have.hold else []

    def reset(
        self, have: Apt, former: Mapping[str, Installed], again: set[str], known: Mapping[str, Installed]
    ) -> Sequence[Change]:
        """See `PackagesProvider.reset`: hold those that were held, and no others."""
        now = {name: name in known and known[name].held and name not in again for name in former}
        hold = [name for name, item in former.items() if item.held and not now[name]]
        loose = [name for name, item in former.items() if not item.held and now[name]]
        marks = [(how, names) for how, names in (("hold", hold), ("unhold", loose)) if names]
        return [mark(how, names, lock_s=have.lock_timeout_s) for how, names in marks]

    def uninstall(self, subject: Apt, names: Sequence[str], *, clean: bool) -> Sequence[Change]:
        """See `PackagesProvider.uninstall`: dpkg refuses where others need them, and apt would remove those as well."""
        how = "--purge" if clean or subject.purge else "--remove"
        return [waited(subject.lock_timeout_s), Run(dpkg(how, *names), touches=None)]

    def swept(self, have: Apt, names: Sequence[str], answers: Answers) -> Sequence[Change]:
        """See `PackagesProvider.swept`: what apt says that nobody has asked for, and nobody needs then."""
        loose = [name for name in names if name in not_required(answers[_removal(have)].text())]
        return [Run(apt_get("purge", *loose, lock_s=have.lock_timeout_s), touches=None)] if loose else []

    def came_along(self, out: str) -> Iterable[str]:
        """See `PackagesProvider.came_along`."""
        return _CAME.findall(out)

    def looks_at(self, want: Apt) -> Sequence[str] | None:
        """See `HostProvider.looks_at`: what is the newest depends on the repositories."""
        return ("/etc/apt", "/var/lib/apt") if want.latest else ()

    def explained(self, subject: Apt, error: ProviderError) -> ProviderError:
        """See `HostProvider.explained`."""
        return explained(error, APT)


class Apt(Resource, kind="packages.Apt", provider=AptProvider):
    """One package or many, installed by apt.

        tools = packages.Apt("tools", names=["curl", "git"])
        database = packages.Apt("database", names=["postgresql-15=15.8-0+deb12u1"], hold=True)

    A package that is there is left at its version, unless the script names another one. Lists are fetched only where something
    is to be installed, and once in a run. What purvey installed is removed with the node, with what came along with it if
    nobody needs that; what was there before stays, at the version that it has. A package that others need is not removed.
    """

    names: Any = Input(
        doc='The packages: a list of names, each alone or with its version ("demo=1.2-3", "demo=1.2*" for the newest that '
        "begins so), or a mapping of names to versions."
    )
    latest: bool = Input(default=False, doc="Upgrade those without a version to the newest that the machine's lists know.")
    hold: bool = Input(
        default=False, doc="Hold them, so that nobody's upgrade takes them along; otherwise it is left to others to hold them."
    )
    recommends: bool | None = Input(
        default=None, doc="Whether what they recommend comes along; None leaves it to the machine's settings."
    )
    replaces: bool = Input(default=False, doc="Let the installation remove other packages that are in conflict with these.")
    purge: bool = Input(default=False, doc="Remove what was configured, too, when they are removed; some drop their data then.")
    lists_max_age_s: int = Input(default=3600, doc="How old lists may be to install from, in seconds.")
    lock_timeout_s: int = Input(default=300, doc="How long to wait for others who work on the packages, in seconds.")

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
        return {**inputs, "names": by_name(inputs["names"], NAME)} if "names" in inputs else inputs


def _removal(subject: Apt) -> Ask:
    """The question what apt would say if those that are ours were removed: among others, what nobody needs then."""
    ours = [name.partition(":")[0] for name in subject.names if name not in found_of(subject)]
    return Ask(("apt-get", "-q", "--simulate", "remove", *(f"?exact-name({name})" for name in ours)))


def _recommends(want: Apt) -> list[str]:
    if want.recommends is None:
        return []
    return ["--install-recommends" if want.recommends else "--no-install-recommends"]
