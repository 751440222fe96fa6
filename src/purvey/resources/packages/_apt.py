"""How apt is called, and when the lists of what there is to install are fetched. Pure.

The lists are fetched only where something has to be installed and they are old, or do not know it, and by one node in a run:
the first one to fetch them leaves a stamp with the run's id for those that follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from purvey._hosts.change import Change, MakeOwnFolder, Run, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answers, Ask, ContentOf, Fact
from purvey.providers.host import Place
from purvey.resources.packages._provider import INSTALL_S

FOLDER: Final = "/var/lib/purvey"
STAMP: Final = f"{FOLDER}/apt-lists"
"""Holds the id of the run that fetched the lists last."""

LISTS: Final = "/var/lib/apt/lists"
INTERRUPTED: Final = Ask(("find", "/var/lib/dpkg/updates", "-name", "[0-9]*"))
"""Files there are left by a dpkg that was cut off; apt refuses to work until they are dealt with."""

_ENVIRONMENT: Final = {
    "DEBIAN_FRONTEND": "noninteractive", "APT_LISTCHANGES_FRONTEND": "none", "UCF_FORCE_CONFFOLD": "1", "LC_ALL": "C",
}  # fmt: skip
"""Nobody answers questions, changed configuration is kept, and the words are those that we know."""

_KEEP: Final = ("--force-confdef", "--force-confold")
"""To dpkg: where nobody has changed a configuration file, take the new one, and otherwise keep the old."""

_EXACT: Final = ("-o", "APT::Cmd::Pattern-Only=true")
"""A name with a point in it is a name, and no regular expression."""


class Choice(msgspec.Struct, frozen=True):
    """What apt could install of a package.

    Args:
        candidate: The version it would take; empty for none.
        versions: All the versions it knows.
    """

    candidate: str
    versions: frozenset[str]


def apt_get(*words: str, lock_s: int) -> Command:
    """A call of apt-get that asks nothing, and waits for others that are at work."""
    options = ["-o", f"DPkg::Lock::Timeout={lock_s}", "-o", "Dpkg::Use-Pty=0", *_EXACT]
    options += [word for option in _KEEP for word in ("-o", f"Dpkg::Options::={option}")]
    return Command(("apt-get", "-y", "-q", *options, *words), env=_ENVIRONMENT, timeout_s=INSTALL_S)


def dpkg(*words: str) -> Command:
    """A call of dpkg that asks nothing."""
    return Command(("dpkg", *_KEEP, *words), env=_ENVIRONMENT, timeout_s=INSTALL_S)


def mark(how: str, names: Sequence[str], *, lock_s: int) -> Run:
    """Have apt-mark hold or unhold packages."""
    return Run(Command(("apt-mark", "-o", f"DPkg::Lock::Timeout={lock_s}", how, *names), env=_ENVIRONMENT), touches=None)


def policy(names: Sequence[str]) -> Ask:
    """The question what apt could install of these."""
    return Ask(("apt-cache", *_EXACT, "policy", *names))


def choices(names: Sequence[str], answers: Answers) -> dict[str, Choice]:
    """What apt could install of these; those that it does not know are left out."""
    found: dict[str, Choice] = {}
    name, candidate, versions = "", "", set[str]()
    for line in [*answers[policy(names)].text().splitlines(), "end:"]:
        depth = len(line) - len(line.lstrip())
        words = line.split()
        if depth == 0:
            if name:
                found[name] = Choice(candidate, frozenset(versions))
            name, candidate, versions = line.rstrip(":"), "", set()
        elif words[0] == "Candidate:" and words[1] != "(none)":
            candidate = words[1]
        elif line.startswith((" *** ", "     ")) and not line.startswith("      "):
            versions.add(words[1] if words[0] == "***" else words[0])
    return {wanted: choice for wanted in names if (choice := _of(wanted, found)) is not None}


def _of(name: str, found: Mapping[str, Choice]) -> Choice | None:
    """The choice for a name; apt-cache leaves the machine's own architecture out."""
    return found.get(name) or found.get(name.partition(":")[0])


def fresh(age_s: int) -> Ask:
    """The question whether the lists were fetched within so many seconds; it says their folder if so."""
    return Ask(("find", LISTS, "-maxdepth", "0", "-mmin", f"-{max(1, age_s // 60)}"))


def facts(names: Sequence[str], age_s: int) -> list[Fact]:
    """What must be known before something is installed."""
    return [policy(names), ContentOf(STAMP), fresh(age_s), INTERRUPTED]


def lists_fetched(
    place: Place, wrong: Mapping[str, str], answers: Answers, *, names: Sequence[str], age_s: int, lock_s: int
) -> list[Change]:
    """Fetch the lists, if this run has not and it must.

    Args:
        place: The operation.
        wrong: What is to be installed, with the versions.
        answers: Those to `facts`.
        names: Of which packages the choices were asked.
        age_s: How old lists may be.
        lock_s: How long to wait for others.
    """
    stamp = answers[ContentOf(STAMP)]
    if place.run and stamp == place.run.encode():
        return []
    known = choices(names, answers)
    complete = all(name in known and _offers(known[name], version) for name, version in wrong.items())
    if complete and answers[fresh(age_s)].text():
        return []
    stamped: list[Change] = [MakeOwnFolder(FOLDER), Write(STAMP, place.run.encode(), 0o644)] if place.run else []
    return [Run(apt_get("update", lock_s=lock_s), touches=None), *stamped]


def _offers(choice: Choice, version: str) -> bool:
    if not version:
        return bool(choice.candidate)
    return version in choice.versions or version.endswith("*")


def recovered(answers: Answers, *, lock_s: int) -> list[Change]:
    """Complete what a dpkg that was cut off has left; one that is still at work is waited for."""
    if not answers[INTERRUPTED].text():
        return []
    return [waited(lock_s), Run(dpkg("--configure", "-a"), touches=None)]


def waited(lock_s: int) -> Run:
    """Wait until nobody else works on the packages; what apt complains of then is told by the one who works next."""
    return Run(apt_get("check", lock_s=lock_s), codes=(0, 100))


def not_required(said: str) -> list[str]:
    """The packages of which apt says that they came along with others, and are needed no more."""
    found: list[str] = []
    listing = False
    for line in said.splitlines():
        listing = (listing and line.startswith("  ")) or "no longer required:" in line
        found += line.split() if listing and line.startswith("  ") else []
    return found
