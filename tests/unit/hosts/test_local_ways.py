"""On this machine, too, no link of somebody else leads us to what is not theirs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from purvey._hosts.change import Change, MakeDirectory, MakeLink, Remove, SetAttributes, Write
from purvey._hosts.fact import ContentOf, DigestOf
from purvey._hosts.local import LocalConnector
from purvey._hosts.step import Broken, Ended, Step
from purvey.errors import HostError
from tests.support.shells import NOBODY, below

IS_ROOT = os.geteuid() == 0
"""Whether we can make links of others."""


def give(path: Path, *, theirs: bool) -> Path:
    """Let something belong to somebody else, where we can."""
    if theirs and IS_ROOT:
        os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    return path


async def done(*changes: Change) -> list[object]:
    """How each change ends, as a step of its own."""
    return [(await LocalConnector().perform([Step(f"S{number}", 1, (change,))]))[0] for number, change in enumerate(changes)]


@pytest.fixture
def victim(common: Path) -> Path:
    """A folder of ours, with something in it."""
    folder = common / "victim"
    folder.mkdir(0o700)
    (folder / "it").write_text("ours")
    return folder


def way(common: Path, aim: Path, kind: str) -> Path:
    """A folder that is a link to `aim`: in one of all, of others or of ours; or in one that belongs to others."""
    folder = common / kind
    folder.mkdir()
    folder.chmod(0o1777 if kind == "of others" else 0o755)
    (folder / "link").symlink_to(aim)
    give(folder / "link", theirs=kind != "of ours")
    return give(folder, theirs=kind == "in theirs") / "link"


@pytest.mark.parametrize("kind", ["of others", "of ours", "in theirs"])
async def test_a_link_is_followed_if_it_is_ours(common: Path, victim: Path, kind: str) -> None:
    """Not where somebody else has put it: neither to read what is behind it, nor to change it."""
    link = way(common, victim, kind)
    facts = ContentOf(f"{link}/it"), DigestOf(f"{link}/it")
    answers = await LocalConnector().ask(facts)
    endings = await done(
        MakeDirectory(f"{link}/folder", 0o755), MakeLink(f"{link}/link", "it"), SetAttributes(f"{link}/it", 0o644),
        Write(f"{link}/it", b"new", 0o600), Remove(f"{link}/it"),
    )  # fmt: skip

    if kind == "of ours" or not IS_ROOT:
        assert answers[facts[0]] == b"ours"
        assert all(isinstance(ending, Ended) for ending in endings)
        return
    for fact in facts:
        with pytest.raises(HostError, match="leads away"):
            answers[fact]
    assert [ending.error.code for ending in endings if isinstance(ending, Broken)] == ["denied"] * 5
    assert below(victim) == [str(victim / "it")]
    assert ((victim / "it").read_text(), (victim / "it").stat().st_mode & 0o777) == ("ours", 0o644)


async def test_a_link_of_theirs_to_theirs_is_followed(common: Path) -> None:
    """They could do there themselves what we are asked for."""
    aim = common / "theirs"
    aim.mkdir()
    link = way(common, give(aim, theirs=True), "of others")

    (ending,) = await done(Write(f"{link}/it", b"text", 0o644))

    assert isinstance(ending, Ended)
    assert (aim / "it").read_bytes() == b"text"


async def test_a_link_of_ours_hides_none_of_theirs(common: Path, victim: Path) -> None:
    """What comes behind it on the way is looked at as well."""
    theirs = common / "data/theirs"
    theirs.mkdir(parents=True)
    (theirs / "link").symlink_to(victim)
    for path in (theirs, theirs / "link"):
        give(path, theirs=True)
    (common / "data/around").symlink_to("../data/./theirs/../theirs")
    (common / "home").symlink_to("data")

    for way in ("home/theirs/link", "data/around/link", "home/around/link"):
        endings = await done(Write(f"{common}/{way}/it", b"text", 0o644), Write(f"{common}/{way}/../it", b"text", 0o644))
        assert [isinstance(ending, Broken) for ending in endings] == [IS_ROOT, IS_ROOT], way
    (ending,) = await done(Write(f"{common}/home/theirs/it", b"text", 0o644))
    assert isinstance(ending, Ended)
    assert (victim / "it").read_text() == ("ours" if IS_ROOT else "text")


async def test_a_link_of_ours_is_followed_out_of_a_folder_of_our_group(common: Path, victim: Path) -> None:
    """With a umask of 002 all folders of a user are such; one of root's is shared with others who may have moved the link."""
    (common / "group").mkdir()
    (common / "group").chmod(0o775)
    (common / "group/link").symlink_to(victim)

    (ending,) = await done(Write(f"{common}/group/link/it", b"text", 0o644))

    assert isinstance(ending, Broken) == IS_ROOT


async def test_a_link_of_one_to_another_is_not_followed(common: Path) -> None:
    """Whose folder it leads to says nothing of who has put it there."""
    aim = common / "folder"
    aim.mkdir()
    os.chown(aim, NOBODY - 1 if IS_ROOT else -1, -1)
    link = way(common, aim, "of others")

    (ending,) = await done(Write(f"{link}/it", b"text", 0o644))

    assert isinstance(ending, Broken) == IS_ROOT
