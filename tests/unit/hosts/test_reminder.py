"""People are told what is waited for: in turn, however many wait, and no more once there is an answer."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from purvey._base.clock import SystemClock
from purvey._hosts.become import Becoming
from purvey._hosts.change import Run, Write
from purvey._hosts.command import Command, Completed
from purvey._hosts.fact import Ask
from purvey._hosts.reminder import Reminder
from purvey._hosts.route import SshRoute
from purvey._hosts.shell_host import ShellHost
from purvey._hosts.ssh import SshShell
from purvey._hosts.ssh_link import Links
from purvey._hosts.step import Ended, Step
from purvey.errors import HostError
from tests.support.shells import Desk, HastyClock, LocalPipes, lost

LOST = "waiting web: the link was lost; the work goes on there, joining again"


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """People begin to wonder at once."""
    monkeypatch.setattr("purvey._hosts.reminder.FIRST_S", 0.0)
    monkeypatch.setattr("purvey._hosts.reminder.AGAIN_S", 0.0)


async def turns(number: int) -> None:
    """Let the loop go round."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_many_who_wait_are_told_as_one() -> None:
    """The timer that is due comes up in each turn of the loop, once."""
    alone: list[str] = []
    with Reminder("web", alone.append).waiting():
        await turns(10)
    said: list[str] = []
    reminder = Reminder("web", said.append)
    with reminder.waiting(), reminder.waiting(), reminder.waiting():
        await turns(10)

    assert alone
    assert len(said) == len(alone)
    assert all(re.fullmatch(r"waiting web: no answer for \d+ s", text) for text in said)


async def test_who_still_waits_is_told_until_there_is_an_answer() -> None:
    """An answer to one says nothing of the others; and it may be told twice that there is one."""
    said: list[str] = []
    reminder = Reminder("web", said.append)
    with reminder.waiting() as first, reminder.waiting() as second:
        first()
        first()
        await turns(5)
        before = len(said)
        second()
        await turns(5)
        after = len(said)
    await turns(5)

    assert before > 0
    assert len(said) == after == before


async def test_the_time_of_who_still_waits_begins_with_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is asked for one thing after another is not silent since the first."""
    said: list[str] = []
    reminder = Reminder("web", said.append)
    monkeypatch.setattr("purvey._hosts.reminder.FIRST_S", 1_000.0)
    with reminder.waiting() as answered, reminder.waiting():
        monkeypatch.setattr("purvey._hosts.reminder.FIRST_S", 0.0)
        await turns(5)
        before = list(said)
        answered()
        await turns(5)

    assert before == []
    assert said


async def test_who_waits_until_others_have_left_is_queued() -> None:
    """A machine that takes so many commands at once is not silent to those; one whose command is there may well wonder."""
    link = Links(SystemClock(), asyncio.Semaphore(1)).link(
        SshRoute(address="127.0.0.1", port=1, config="", host_key="first_use")
    )
    shell = SshShell(link)
    link.begin()
    shell._most = 1  # As the machine has shown.
    waiting = asyncio.ensure_future(shell.start("true"))
    await turns(5)
    during = shell.is_queued(1), shell.is_queued(2)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert (during, shell.is_queued(1)) == ((True, False), False)


async def test_nobody_is_blamed_whose_turn_it_is_not() -> None:
    """What has not been asked for anything cannot answer; its time begins with its turn."""
    said: list[str] = []
    queue = [True]
    with Reminder("web", said.append, lambda _: queue[0]).waiting():
        await turns(10)
        before = list(said)
        queue[0] = False
        await turns(10)

    assert before == []
    assert said


async def test_who_waits_until_others_are_connected_to_is_queued() -> None:
    """And no more once there is room, whatever comes of it."""
    room = asyncio.Semaphore(0)
    link = Links(SystemClock(), room).link(SshRoute(address="127.0.0.1", port=1, config="", host_key="first_use"))
    trying = asyncio.ensure_future(link.connection())
    await turns(5)
    before = link.is_queued
    room.release()
    with pytest.raises(HostError, match="refuses"):
        await trying

    assert (before, link.is_queued) == (True, False)


@pytest.mark.parametrize("how", ["validates", "guards"])
async def test_a_machine_at_work_has_answered(machine: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    """Before it does what may take long, it says hello: this waits until that is heard."""
    go = tmp_path / "go"
    wait = ("sh", "-c", f"for i in $(seq 300); do [ ! -e {go} ] || exit 0; sleep 0.1; done; exit 1")
    monkeypatch.setattr(machine.host, "_see_joined", go.touch)
    change = Write(str(tmp_path / "it"), b"", 0o600, validate=Command(wait) if how == "validates" else None)
    guard = ((Ask(wait), Completed(0, b"")),) if how == "guards" else ()

    (ending,) = await machine.host.perform([Step("T", 1, (change,), guard=guard)])

    assert isinstance(ending, Ended)


async def test_while_a_link_is_sought_people_are_told(machine: Desk, tmp_path: Path) -> None:
    """Each attempt is refused at once, and none would be told of by itself; when it is there again, no more is said."""
    said: list[str] = []
    host = ShellHost(machine.shell, "web", HastyClock(), Becoming(), worker=machine.worker, fence=lambda: 100, tell=said.append)
    cut = 'read -r _ _ _ up _ </proc/$PPID/stat; [ -e "$0" ] || { : >"$0"; kill -9 "$up"; }'
    start = machine.shell.start

    async def start_late(command: str) -> LocalPipes:
        """Let nobody in for a while after the cut."""
        if LOST in said and said[-1] == LOST:
            raise lost()
        return await start(command)

    machine.shell.start = start_late  # type: ignore[method-assign]
    step = Step("one", 1, (Run(Command(("sh", "-c", cut, str(tmp_path / "cut"))), repeats=True),))

    (ending,) = await host.perform([step])
    await turns(5)

    assert isinstance(ending, Ended)
    assert said[-1] == "web: joined again"
    assert {re.sub(r"\d+", "5", text) for text in said[said.index(LOST) + 1 : -1]} == {"waiting web: no answer for 5 s"}
