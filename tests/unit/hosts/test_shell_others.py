"""Folders that others may change are no way for them to what is not theirs, however fast they are."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from purvey._hosts.change import Change, Keep, MakeDirectory, MakeLink, Remove, Restore, SetAttributes, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answer, ContentOf
from purvey._hosts.step import Broken, Ended, Ending, Step
from purvey.errors import HostError
from tests.support.shells import NOBODY, PATH, Desk

OWNER = "nobody" if os.geteuid() == 0 else None
"""Whose things are made, where we may give them away."""


@pytest.fixture
def theirs(common: Path) -> Path:
    """A folder that everybody may change, in another such."""
    folder = common / "area/theirs"
    folder.mkdir(parents=True)
    for path in (folder.parent, folder):
        path.chmod(0o777)
    return folder


@pytest.fixture
def victim(common: Path) -> Path:
    """A folder that nobody may change but us, with things that are called as those in `theirs`."""
    folder = common / "victim"
    (folder / "new").mkdir(parents=True)
    for path in (folder / "it", folder / ".it.purvey", folder / "new/it"):
        path.write_text("nobody else's")
        path.chmod(0o600)
    (folder / "folder").mkdir(0o700)
    return folder


def meddle(machine: Desk, common: Path, tool: str, script: str) -> None:
    """Let somebody do something each time just before a program is run."""
    real = shutil.which(tool, path=machine.shell.environment["PATH"])
    assert real is not None
    (common / "tools").mkdir(exist_ok=True)
    fake = common / "tools" / tool
    fake.write_text(f'#!/bin/sh\n(PATH={PATH}; {script}) >/dev/null 2>&1\nexec {shlex.quote(real)} "$@"\n')
    fake.chmod(0o755)
    if str(common) not in machine.shell.environment["PATH"]:
        machine.shell.environment["PATH"] = f"{common}/tools:{machine.shell.environment['PATH']}"


async def done(machine: Desk, *changes: Change) -> Ending:
    """Perform changes as one step."""
    (ending,) = await machine.host.perform([Step(os.urandom(8).hex(), 1, changes)])
    return ending


def state(folder: Path) -> dict[str, tuple[object, ...]]:
    """All there is to know of what is in a folder."""
    paths = (folder, *sorted(folder.rglob("*")))
    return {
        str(path): (oct(path.lstat().st_mode), path.lstat().st_uid, path.read_bytes() if path.is_file() else None)
        for path in paths
    }


@pytest.mark.parametrize("tool", ["chown", "chmod", "mkdir", "mv", "rm", "ln"])
@pytest.mark.parametrize("swap", ["{theirs}/.it.purvey", "{theirs}/it", "{theirs}/folder", "{theirs}"])
async def test_no_link_leads_us_to_what_is_not_theirs(
    machine: Desk, common: Path, theirs: Path, victim: Path, tool: str, swap: str
) -> None:
    """Whatever is swapped for a link at whatever moment, nothing changes behind it."""
    before = state(victim)
    path = swap.format(theirs=theirs)
    aim = victim if swap == "{theirs}" else victim / Path(path).name
    (theirs / "folder").mkdir()
    meddle(machine, common, tool, f"[ -L {path} ] || {{ mv {path} {path}.old; ln -s {aim} {path}; }}")

    await done(machine, Write(f"{theirs}/it", b"new", 0o755, OWNER))
    await done(machine, MakeDirectory(f"{theirs}/folder", 0o1755, OWNER))
    await done(machine, MakeDirectory(f"{theirs}/it", 0o1755, OWNER))
    await done(machine, SetAttributes(f"{theirs}/it", 0o777, OWNER))
    await done(machine, MakeLink(f"{theirs}/it", "new"))
    await done(machine, Remove(f"{theirs}/it"))

    assert state(victim) == before


async def test_nothing_is_written_into_a_pipe(machine: Desk, common: Path, theirs: Path) -> None:
    """A pipe that stands where a file is to be built gets nothing of the content."""
    os.mkfifo(common / "pipe", 0o666)
    reader = os.open(common / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    meddle(machine, common, "stat", f"ln -sf {common}/pipe {theirs}/.it.purvey")
    meddle(machine, common, "rm", f"ln -sf {common}/pipe {theirs}/.it.purvey")

    await done(machine, Write(f"{theirs}/it", b"a secret", 0o600))

    assert os.read(reader, 100) == b""
    os.close(reader)


async def test_work_in_folders_of_others_is_done(machine: Desk, theirs: Path) -> None:
    """Files, folders and links get their content, mode and owner, checks see the new file, and nothing is left beside them."""
    check = Command(("sh", "-c", 'grep -qx new "$1"', "sh", "{path}"))
    uid = 65534 if OWNER else os.geteuid()
    endings = [
        await done(machine, *changes)
        for changes in (
            [MakeDirectory(f"{theirs}/folder", 0o750, OWNER), MakeDirectory(f"{theirs}/folder", 0o755, OWNER)],
            [Write(f"{theirs}/folder/it", b"new\n", 0o640, OWNER, validate=check), Write(f"{theirs}/plain", b"x", 0o644)],
            [SetAttributes(f"{theirs}/plain", 0o600, OWNER), SetAttributes(f"{theirs}/folder", 0o700)],
            [MakeLink(f"{theirs}/link", "plain"), SetAttributes(f"{theirs}/link", None, OWNER)],
            [
                MakeDirectory(f"{theirs}/gone", 0o700),
                Write(f"{theirs}/gone/x", b"", 0o600),
                Remove(f"{theirs}/gone", whole=True),
            ],
        )
    ]

    assert [type(ending) for ending in endings] == [Ended] * 5
    assert state(theirs) == {
        str(theirs): ("0o40777", os.geteuid(), None),
        f"{theirs}/folder": ("0o40700", uid, None),
        f"{theirs}/folder/it": ("0o100640", uid, b"new\n"),
        f"{theirs}/link": ("0o120777", uid, b"x"),
        f"{theirs}/plain": ("0o100600", uid, b"x"),
    }


@pytest.mark.parametrize("tool", ["cat", "stat"])
@pytest.mark.parametrize("swap", ["it", ""])
async def test_nothing_is_read_through_a_link(
    machine: Desk, common: Path, theirs: Path, victim: Path, tool: str, swap: str
) -> None:
    """Whatever is swapped for a link at whatever moment, what is behind it is not told, and not kept to be given back."""
    path = f"{theirs}/{swap}".rstrip("/")
    aim = f"{victim}/{swap}".rstrip("/")
    swapping = f"mv {path} {path}.old; ln -s {aim} {path}"
    meddle(machine, common, tool, f"if [ -L {path} ]; then rm {path}; mv {path}.old {path}; else {swapping}; fi")
    for number in range(4):
        begin_again(theirs)
        copy = f"{machine.own}/copy {number}"
        await done(machine, Keep(f"{theirs}/it", copy, "T"), Restore(f"{theirs}/it", copy, "T"))
        assert "nobody else's" not in [text_of(each) for folder in (machine.kept, theirs.parent) for each in folder.rglob("*")]
        assert await content(machine, f"{theirs}/it") in (b"theirs", None)


def begin_again(theirs: Path) -> None:
    """Take back what was swapped, and put a file there."""
    if theirs.is_symlink():
        theirs.unlink()
        theirs.with_name("theirs.old").rename(theirs)
    (theirs / "it").unlink(missing_ok=True)
    (theirs / "it").write_text("theirs")


async def content(machine: Desk, path: str) -> Answer:
    """What a file holds; None if it is not told."""
    try:
        return (await machine.host.ask([fact := ContentOf(path)]))[fact]
    except HostError:
        return None


def text_of(path: Path) -> str:
    """What a file itself holds, without the line that says when it was kept."""
    return path.read_text().rpartition("\n")[2] if path.is_file() and not path.is_symlink() else ""


@pytest.mark.parametrize("is_theirs", [True, False], ids=["of others", "of ours"])
async def test_a_link_in_a_folder_of_all_is_followed_if_only_we_can_have_put_it_there(
    machine: Desk, common: Path, victim: Path, *, is_theirs: bool
) -> None:
    """Others cannot replace one of ours there; but they can bring one there that root has made in a folder of theirs."""
    if os.geteuid():
        is_theirs = False  # Whose links could we make?
    folder = common / "all"
    folder.mkdir()
    folder.chmod(0o1777)
    (folder / "link").symlink_to(victim)
    os.chown(folder / "link", 65534 if is_theirs else -1, -1, follow_symlinks=False)
    before = state(victim)
    fact = ContentOf(f"{folder}/link/it")

    answers = await machine.host.ask([fact])
    ending = await done(machine, Write(f"{folder}/link/it", b"new", 0o600))

    if os.geteuid() == 0:
        with pytest.raises(HostError, match="looked at"):
            answers[fact]
        assert not isinstance(ending, Ended)
        assert state(victim) == before
    else:
        assert answers[fact] == b"nobody else's"
        assert (victim / "it").read_bytes() == b"new"


async def test_a_link_of_ours_hides_none_of_theirs(machine: Desk, common: Path, victim: Path) -> None:
    """What comes behind it on the way is looked at as well, and what is theirs is worked on."""
    theirs = common / "data/theirs"
    theirs.mkdir(parents=True)
    (common / "data").chmod(0o755)
    (theirs / "link").symlink_to(victim)
    (common / "data/around").symlink_to("../data/./theirs/../theirs")
    (common / "home").symlink_to("data")
    if OWNER:
        for path in (theirs, theirs / "link"):
            os.chown(path, NOBODY, -1, follow_symlinks=False)
    before = state(victim)

    for way in ("home/theirs", "data/around", "home/around"):
        ending = await done(machine, Write(f"{common}/{way}/link/it", b"new", 0o644))
        assert isinstance(ending, Broken) == bool(OWNER), way
        assert isinstance(await done(machine, Write(f"{common}/{way}/{Path(way).name}", b"text", 0o644)), Ended)

    assert (state(victim) == before) == bool(OWNER)
    assert (theirs / "theirs").read_text() == "text"
