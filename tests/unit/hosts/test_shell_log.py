"""The log that a machine keeps of what was done there is true, and keeps no more than it must."""

from __future__ import annotations

from pathlib import Path

import pytest

from purvey._hosts.change import Run, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import StatOf
from purvey._hosts.step import Ended, Ending, Interrupted, Mismatch, Step
from purvey.errors import HostError
from tests.support.shells import Desk, desk, local_shell


def said(ending: Ending) -> bytes:
    """What a step's command printed."""
    assert isinstance(ending, Ended)
    return ending.out


def echo(token: str, *, attempt: int = 1, repeats: bool = True) -> Step:
    """A step that prints its token."""
    return Step(token, attempt, (Run(Command(("echo", token)), repeats=repeats),))


@pytest.mark.parametrize("torn", ["E b.1 12", "E b.1 127", "E b.1 127 ", "D b", "D b ", "D b 12", "B b.1", "B b.1\nD b "])
async def test_a_line_that_was_cut_off_says_nothing(machine: Desk, torn: str) -> None:
    """Neither to the next program nor to those after it, whatever is written behind it."""
    await machine.host.perform([echo("a")])
    with (machine.log / "log").open("a") as log:
        log.write(torn)

    endings = await machine.another().perform([echo("a"), echo("c", repeats=False)])
    again = await machine.another().perform([echo("c", repeats=False), echo("b")])

    assert [said(ending) for ending in (*endings, *again)] == [b"a\n", b"c\n", b"c\n", b"b\n"]
    whole = "B a.1\nD a 0\n" + torn.rpartition("\n")[0] + ("\n" if "\n" in torn else "") + "B c.1\nD c 0\n"
    assert (machine.log / "log").read_text().startswith(whole)


async def test_a_begin_that_was_cut_off_skips_no_guard(machine: Desk) -> None:
    """The twelfth attempt, of which only the first digit was written, is no first one."""
    await machine.host.perform([echo("a")])
    with (machine.log / "log").open("a") as log:
        log.write("B b.1")
    step = Step("b", 1, (Run(Command(("true",))),), ((StatOf("/"), None),))

    for _ in range(2):
        assert await machine.another().perform([step]) == [Mismatch(0)]


@pytest.mark.parametrize("mixed", ["E b.1 12D a 0\n", "D b B c.1\n", "D b 1D a 0\n", "E b.1 D a 0\n", "E b.1 1\n"])
async def test_two_lines_in_one_are_none(machine: Desk, mixed: str) -> None:
    """Where a full disk cut a line off and a later one came behind it, neither is believed, and no program is lost on it."""
    await machine.host.perform([])
    (machine.log / "log").write_text("B b.1\n" + mixed)

    assert [said(ending) for ending in await machine.another().perform([echo("b")])] == [b"b\n"]
    assert await machine.another().perform([echo("d", repeats=False)]) != [Interrupted()]


def kept(machine: Desk) -> str:
    """All that a machine keeps of what commands printed."""
    return "".join(
        path.read_text() for path in machine.log.rglob("*") if path.is_file() and path.name not in ("log", "command")
    )


async def test_what_commands_print_is_kept_until_it_is_written_down(machine: Desk) -> None:
    """The next program, whatever it does, takes away what is spent, and no more."""
    await machine.host.perform([echo("a"), echo("b")])
    assert "a\n" in kept(machine)

    machine.host.spend(["a"])
    await machine.host.ask([StatOf("/")])
    assert kept(machine) == "b\n"
    machine.host.spend(["b"])
    await machine.host.perform([echo("c")])

    assert kept(machine) == "c\n"
    assert [said(ending) for ending in await machine.another().perform([echo("c")])] == [b"c\n"]


async def test_the_output_of_a_single_call_is_nobody_elses(machine: Desk) -> None:
    """What a command alone prints or complains of is gone once the machine is left tidy, which costs a request only then."""
    await machine.host.run(Command(("sh", "-c", "echo a secret; echo another >&2")))
    await machine.host.tidy()
    requests = machine.host.requests

    await machine.host.tidy()

    assert kept(machine) == ""
    assert machine.host.requests == requests


async def test_nothing_of_a_check_of_a_new_file_is_kept(machine: Desk, tmp_path: Path) -> None:
    """What the validating command of a quiet step prints is nobody's."""
    check = Command(("sh", "-c", "echo a secret; echo another >&2"))

    await machine.host.perform([Step("a", 1, (Write(str(tmp_path / "it"), b"x", 0o600, validate=check),))])

    assert kept(machine) == ""


async def test_what_cannot_be_removed_takes_nothing_else_with_it(machine: Desk) -> None:
    """What a program printed whose end is not written down here stays, whatever becomes of the leavings of older ones."""
    told = [said(ending) for ending in await machine.host.perform([echo("one")])]
    for number in range(20):
        (machine.log / f"now/0.{number}.1.old").mkdir()

    assert told == [said(ending) for ending in await machine.another().perform([echo("one")])] == [b"one\n"]


async def test_a_log_that_cannot_be_read_is_left_as_it_is(shell_name: str, tmp_path: Path) -> None:
    """What it tells would be lost otherwise, and what must not be done twice would be."""
    ledger, home = tmp_path / "ledger", {"HOME": str(tmp_path)}
    step = Step("T", 1, (Run(Command(("sh", "-c", f"echo line >>{ledger}")), repeats=False),))
    shell = local_shell(shell_name, environment=home, first=str(tmp_path))
    async with desk(shell, tmp_path / ".local/state/purvey") as machine:
        await machine.host.perform([echo("a"), step])
        (tmp_path / "cat").write_text("#!/bin/sh\nprintf 'B a.1\nD'\nkill -9 $$\n")
        (tmp_path / "cat").chmod(0o755)
        with pytest.raises(HostError, match="cannot keep a log"):
            await machine.another().perform([step])
        (tmp_path / "cat").unlink()
        (ending,) = await machine.another().perform([step])

    assert isinstance(ending, Ended)
    assert ledger.read_text() == "line\n"
