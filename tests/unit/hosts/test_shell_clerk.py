"""The clerk: one process that does on a machine what would take one each time; whatever becomes of it, the work is done."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from purvey._hosts.change import Change, Keep, MakeDirectory, MakeLink, Restore, Write
from purvey._hosts.fact import ContentOf, StatOf
from purvey._hosts.step import Ended, Step
from tests.support.shells import desk, local_shell, logged

TROUBLES = {
    "ends at once": "#!/bin/sh\nexit 1\n",
    "ends after an answer": "#!/bin/sh\nread -r _\necho not\n",
    "can do nothing": '#!/bin/sh\nwhile read -r line; do [ -n "$line" ] || echo not; done\n',
    "ends in the middle": "#!/bin/sh\nread -r _\n",
}  # fmt: skip


def tools(folder: Path, perl: str = "") -> Path:
    """Programs that are found before all others: those that a clerk saves, which leave a line each, and another perl."""
    made, _ = logged(folder, "sync", "mv", "mkdir", "cat", "stat")
    if perl:
        (made / "perl").write_text(perl)
        (made / "perl").chmod(0o755)
    return made


async def worked(shell_name: str, folder: Path, perl: str = "") -> list[str]:
    """Make some things there; which of the programs were run for it."""
    site = folder / "site"
    changes: list[Change] = [
        MakeDirectory(str(site), 0o750), MakeDirectory(str(site / "in"), 0o2755), Write(str(site / "in/a"), b"one", 0o640),
        Write(str(site / "in/a"), b"two", 0o600), Write(str(site / "it's -n\\"), b"", 0o444), MakeLink(str(site / "l"), "in"),
    ]  # fmt: skip
    async with desk(local_shell(shell_name, first=str(tools(folder, perl)))) as machine:
        await machine.host.machine()
        endings = await machine.host.perform([Step(f"S{number}", 1, (change,)) for number, change in enumerate(changes)])
    assert all(isinstance(ending, Ended) for ending in endings)
    assert site.stat().st_mode & 0o7777 == 0o750
    assert (site / "in").stat().st_mode & 0o7777 == 0o2755
    assert (site / "l" / "a").read_bytes() == b"two"
    assert (site / "in/a").stat().st_mode & 0o7777 == 0o600
    assert (site / "it's -n\\").stat().st_mode & 0o7777 == 0o444
    assert sorted(path.name for path in site.rglob("*")) == ["a", "in", "it's -n\\", "l"]
    return (folder / "ran").read_text().split()


async def test_a_clerk_saves_processes(shell_name: str, tmp_path: Path) -> None:
    """Things are brought to the disk, named, made, looked at without a process for each: only folders of our own need one."""
    assert await worked(shell_name, tmp_path) == ["mkdir"]


async def test_a_clerk_looks_at_things_and_copies_them(shell_name: str, tmp_path: Path) -> None:
    """So neither a guard, nor what is kept for an undo, nor what is asked after a step takes a process of its own."""
    path, link = tmp_path / "it", tmp_path / "a link"
    path.write_bytes(b"former")
    link.symlink_to("is here")
    facts = StatOf(str(path)), StatOf(str(link)), StatOf(str(tmp_path))
    async with desk(local_shell(shell_name, first=str(tools(tmp_path)))) as machine:
        before = await machine.host.ask(facts)
        (tmp_path / "ran").write_text("")
        steps = [
            Step(f"S{number}", 1, (Keep(str(path), f"{machine.own}/{number}", "A"),), ((fact, before[fact]),), after=(fact,))
            for number, fact in enumerate((*facts, facts[0]))
        ]
        endings = await machine.host.perform(steps)
        kept = (machine.kept / "0").read_bytes()

    assert [ending.answers.known for ending in endings if isinstance(ending, Ended)] == [
        {fact: before[fact]} for fact in (*facts, facts[0])
    ]
    assert kept.endswith(b"former")
    assert (tmp_path / "ran").read_text().split() == ["mkdir"]


@pytest.mark.parametrize("perl", ["", *TROUBLES.values()], ids=["clerk", *TROUBLES])
async def test_a_copy_is_the_same_whoever_makes_it(shell_name: str, tmp_path: Path, perl: str) -> None:
    """Every byte and bit of a file comes back, with a clerk, without one, and with one that ends meanwhile."""
    data = bytes(range(256)) * 700
    path = tmp_path / "it"
    path.write_bytes(data)
    path.chmod(0o4751)
    async with desk(local_shell(shell_name, first=str(tools(tmp_path, perl)))) as machine:
        copy = f"{machine.own}/a folder/copy"
        changes: tuple[Change, ...] = (
            Keep(str(path), copy, "T"), Write(str(path), b"other", 0o600), Keep(str(path), copy, "T"),
            Restore(str(path), copy, "T"),
        )  # fmt: skip
        endings = await machine.host.perform([Step(f"S{number}", 1, (change,)) for number, change in enumerate(changes)])
        kept = (machine.kept / "a folder/copy").read_bytes()
        assert (machine.kept / "a folder").stat().st_mode & 0o7777 == 0o700
        assert machine.kept.stat().st_mode & 0o7777 == 0o755
    assert all(isinstance(ending, Ended) for ending in endings)
    assert kept == f"T 4751 {os.getuid()} {os.getgid()}\n".encode() + data
    assert (path.read_bytes(), path.stat().st_mode & 0o7777) == (data, 0o4751)


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_without_a_clerk_it_is_done_as_ever(shell_name: str, tmp_path: Path, trouble: str) -> None:
    """Where what is called perl ends or does nothing, everything is done and brought to the disk all the same."""
    ran = await worked(shell_name, tmp_path, TROUBLES[trouble])
    assert ran.count("mkdir") == 3
    assert ran.count("mv") == 4
    assert ran.count("sync") >= 6


async def test_ways_are_looked_at_with_what_is_asked(shell_name: str, tmp_path: Path) -> None:
    """Whether others could change the way to a file that is read is seen in the same look; a way that they could takes more."""
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    for folder in (tmp_path, tmp_path / "open"):
        (folder / "it").write_bytes(b"text")
    async with desk(local_shell(shell_name, first=str(tools(tmp_path)))) as machine:
        looks = []
        for folder in (tmp_path, tmp_path / "open"):
            (tmp_path / "ran").write_text("")
            assert (await machine.host.ask([fact := ContentOf(str(folder / "it"))]))[fact] == b"text"
            looks.append((tmp_path / "ran").read_text().split().count("stat"))

    assert looks[0] == 1
    assert looks[1] > 1
