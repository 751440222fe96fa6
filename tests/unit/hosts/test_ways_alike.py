"""Where a link of others may lead us is one rule, on this machine and behind each shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from purvey._hosts.change import Change, MakeLink, Write
from purvey._hosts.local import LocalConnector
from purvey._hosts.step import Broken, Ended, Step
from tests.support.shells import NOBODY, Desk

IS_ROOT = os.geteuid() == 0
"""Whether there can be others; if not, all is ours, and may be gone."""

ALICE, BOB = NOBODY, NOBODY - 1
Way = tuple[Path, Path]
"""A folder as a script calls it, and the one that it leads to."""


def give(owner: int, *paths: Path) -> None:
    """Let something belong to somebody else, where we can."""
    for path in paths if IS_ROOT else ():
        os.chown(path, owner, owner, follow_symlinks=False)


def folder(path: Path, owner: int = 0, mode: int = 0o755) -> Path:
    """A folder of somebody's."""
    path.mkdir(parents=True)
    path.chmod(mode)
    give(owner or os.geteuid(), path)
    return path


def link(path: Path, aim: Path | str, owner: int = 0) -> Path:
    """A link of somebody's."""
    path.symlink_to(aim)
    give(owner or os.geteuid(), path)
    return path


def our_link_that_she_moved(common: Path) -> Way:
    """A relative link of root's leads elsewhere from another place, and who owns its folder may bring it there."""
    alice = folder(common / "alice", ALICE)
    link(folder(alice / "deep", ALICE) / "conf", "../../data")
    return alice / "deep/conf", folder(common / "data", mode=0o700)


def her_link_in_a_folder_of_a_group(common: Path) -> Way:
    """Anybody of the group may have put it there, and it leads to what is hers alone."""
    aim = folder(common / "aim")
    return link(folder(common / "group", mode=0o775) / "link", aim, ALICE), aim


def his_link_in_a_folder_of_hers(common: Path) -> Way:
    """Everybody may put links there; one of his leads to what is closed to him."""
    folder(common / "alice", ALICE)
    public = folder(common / "alice/public", ALICE, 0o1777)
    return link(public / "link", folder(common / "secret", ALICE, 0o700), BOB), common / "secret"


def his_link_in_hers_to_hers(common: Path) -> Way:
    """Also where both are below her home."""
    alice = folder(common / "alice", ALICE)
    public = folder(alice / "public", ALICE, 0o1777)
    return link(public / "link", folder(alice / "secret", ALICE, 0o700), BOB), alice / "secret"


def out_and_in_again(common: Path) -> Way:
    """A link of hers leads to a folder of ours, and one of ours back to hers: that we look at as any other way."""
    alice = folder(common / "alice", ALICE)
    back = link(folder(common / "ours") / "back", folder(common / "victim", mode=0o700))
    return link(alice / "link", back, ALICE), common / "victim"


def our_link_that_she_brought(common: Path) -> Way:
    """Into a folder of all nobody can bring a link of root's own but who has one in a folder of theirs."""
    victim = folder(common / "victim", mode=0o700)
    alice = folder(common / "alice", ALICE)
    link(alice / "conf", victim)
    shared = folder(common / "all", mode=0o1777)
    if IS_ROOT:
        mv = f"mv {alice}/conf {shared}/build"
        subprocess.run(["sh", "-c", mv], user=ALICE, group=ALICE, extra_groups=[], check=True)
    else:
        (alice / "conf").rename(shared / "build")
    return shared / "build", victim


def our_link_that_he_moved(common: Path) -> Way:
    """Hers leads to a folder of his, and there a link of ours to what is closed to him."""
    secret = folder(common / "secret", ALICE, 0o700)
    link(folder(common / "bob", BOB) / "link", secret)
    return link(folder(common / "alice", ALICE) / "link", common / "bob/link", ALICE), secret


DENIED = [
    our_link_that_she_moved,
    our_link_that_she_brought,
    our_link_that_he_moved,
    his_link_in_a_folder_of_hers,
    his_link_in_hers_to_hers,
    out_and_in_again,
]


def her_own_link(common: Path) -> Way:
    """From one folder of hers to another."""
    aim = folder(common / "aim", ALICE)
    return link(folder(common / "alice", ALICE) / "link", aim, ALICE), aim


def her_link_for_all(common: Path) -> Way:
    """In a folder of all, where nobody else can replace it."""
    aim = folder(common / "aim", ALICE)
    return link(folder(common / "all", mode=0o1777) / "link", aim, ALICE), aim


def a_release(common: Path) -> Way:
    """People of one group release into a folder that they share: one makes the folder, another the link."""
    shared = folder(common / "shared", mode=0o775)
    release = folder(shared / "release", BOB)
    return link(shared / "current", "release", ALICE), release


def our_link_in_hers_to_hers(common: Path) -> Way:
    """She may have moved it, and could do there what we are asked for."""
    alice = folder(common / "alice", ALICE)
    folder(alice / "data", ALICE)
    return link(alice / "link", "data"), alice / "data"


def our_link_of_a_long_way(common: Path) -> Way:
    """Links of ours that nobody can change, over two dots, out of a safe folder and into hers."""
    alice = folder(common / "data/alice", ALICE)
    link(common / "home", "data/../data")
    return common / "home/alice", alice


ALLOWED = [her_own_link, her_link_for_all, a_release, our_link_in_hers_to_hers, our_link_of_a_long_way]


async def endings(machine: Desk, path: Path) -> list[object]:
    """How a file is written here, and behind a shell."""
    step = Step("S1", 1, (Write(f"{path}/local", b"x", 0o644),))
    behind = Step(os.urandom(8).hex(), 1, (Write(f"{path}/shell", b"x", 0o644),))
    return [*await LocalConnector().perform([step]), *await machine.host.perform([behind])]


@pytest.mark.parametrize("case", [*DENIED, her_link_in_a_folder_of_a_group], ids=lambda case: case.__name__)
async def test_neither_follows(machine: Desk, common: Path, case: Callable[[Path], Way]) -> None:
    """What it leads to is not what those could do without us who may have put it there."""
    path, aim = case(common)

    ended = await endings(machine, path)

    if not IS_ROOT:
        assert all(isinstance(item, Ended) for item in ended)
        return
    assert [item.error.code for item in ended if isinstance(item, Broken)] == ["denied", "denied"]
    assert list(aim.iterdir()) == []


@pytest.mark.parametrize("case", ALLOWED, ids=lambda case: case.__name__)
async def test_both_follow(machine: Desk, common: Path, case: Callable[[Path], Way]) -> None:
    """They could do so themselves, or nobody else can have put it there."""
    path, aim = case(common)

    ended = await endings(machine, path)

    assert [type(item) for item in ended] == [Ended, Ended], ended
    assert sorted(item.name for item in aim.iterdir()) == ["local", "shell"]


async def test_a_way_over_a_link_is_looked_at_again_when_the_link_leads_elsewhere(machine: Desk, common: Path) -> None:
    """What was certain in the same program was so of where it led before."""
    folder(common / "v1/sub")
    link(common / "current", "v1")
    victim = folder(common / "victim", mode=0o700)
    theirs = folder(common / "theirs", ALICE)
    link(theirs / "sub", victim, ALICE)
    changes: list[Change] = [
        Write(f"{common}/current/sub/a", b"1", 0o644), MakeLink(f"{common}/current", str(theirs)),
        Write(f"{common}/current/sub/it", b"new", 0o644),
    ]  # fmt: skip

    ended = await machine.host.perform([Step(os.urandom(8).hex(), 1, (change,)) for change in changes])

    assert isinstance(ended[2], Broken) == IS_ROOT
    assert (victim / "it").exists() != IS_ROOT
