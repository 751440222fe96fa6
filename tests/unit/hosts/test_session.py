"""A shell that waits on a machine for one program after another."""

from __future__ import annotations

from purvey._hosts.change import Run
from purvey._hosts.command import Command
from purvey._hosts.fact import Answer, Ask, Fact, Unanswered
from purvey._hosts.shell_host import ShellHost
from purvey._hosts.step import Ended, Step
from tests.support.shells import Desk

STATE = Ask(("sh", "-c", "umask; pwd; env | sort"))
"""What a program could leave to the next one, were they one process."""


def shout(token: str) -> Step:
    """A step that runs a command with a variable and a folder of its own."""
    return Step(token, 1, (Run(Command(("sh", "-c", "umask 027; echo $WORD"), env={"WORD": token}, cwd="/tmp")),))


async def told(host: ShellHost, fact: Fact) -> Answer | Unanswered:
    """The answer to one question."""
    return (await host.ask([fact]))[fact]


async def test_all_programs_of_a_run_go_through_one_shell(machine: Desk, lasts: bool) -> None:
    """Where it stands still for the next one; elsewhere each has its own."""
    for number in range(3):
        await told(machine.host, STATE)
        [ended] = await machine.host.perform([shout(f"t{number}")])
        assert isinstance(ended, Ended)
        assert ended.out == f"t{number}\n".encode()

    assert len(machine.shell.started) == (1 if lasts else 6)


async def test_a_program_leaves_nothing_to_the_next(machine: Desk) -> None:
    """No variable, no folder and no permissions of one that worked are seen by one that asks."""
    before = await told(machine.host, STATE)

    await machine.host.perform([shout("once")])

    assert await told(machine.host, STATE) == before


async def test_a_shell_that_is_gone_is_replaced_without_a_word(machine: Desk) -> None:
    """A server may end what has waited for long: nothing was done there, so nothing is lost."""
    before = await told(machine.host, STATE)
    machine.shell.started[-1].kill()
    await machine.shell.started[-1].process.wait()

    assert await told(machine.host, STATE) == before


async def test_nobody_waits_on_a_machine_after_a_run(machine: Desk) -> None:
    """The shell has nothing more to read, and ends."""
    await told(machine.host, STATE)

    await machine.host.tidy()

    for pipes in machine.shell.started:
        assert await pipes.process.wait() == 0
