"""What must not be done twice on a machine is not, whichever attempt asks for it, and however the one before it ended."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from pathlib import Path

import pytest

from purvey._hosts.change import Run
from purvey._hosts.command import Command
from purvey._hosts.fact import DigestOf
from purvey._hosts.local import LocalConnector
from purvey._hosts.local_log import LocalLog
from purvey._hosts.step import Broken, Ended, Ending, Interrupted, Step
from purvey.errors import HostError
from tests.support.shells import Desk
from tests.unit.hosts.waiting import until

KILLED = 'read -r _ _ _ up _ </proc/$PPID/stat; kill -9 "$up"'
"""Kills the program that runs it, which is the parent of timeout(1)."""


def adding(ledger: Path, more: str = "", *, token: str = "T", attempt: int = 1, repeats: bool = False) -> Step:
    """A step whose command leaves a line, and then does more."""
    command = Command(("sh", "-c", f"echo line >>'{ledger}'; {more or ':'}"))
    return Step(token, attempt, (Run(command, repeats=repeats),))


@pytest.mark.parametrize("attempt", [1, 2])
async def test_what_was_cut_off_is_not_done_again(machine: Desk, tmp_path: Path, attempt: int) -> None:
    """A command whose end nobody has seen had an unknown effect; neither the same nor a later attempt runs it again."""
    ledger = tmp_path / "ledger"
    assert await machine.host.perform([adding(ledger, KILLED)]) == [Interrupted()]

    assert await machine.another().perform([adding(ledger, attempt=attempt)]) == [Interrupted()]
    assert ledger.read_text() == "line\n"


async def test_what_has_ended_is_told_to_every_attempt(machine: Desk, tmp_path: Path) -> None:
    """A later attempt hears how the one before it ended."""
    ledger = tmp_path / "ledger"
    for attempt in (1, 2):
        (ending,) = await machine.another().perform([adding(ledger, "echo said", attempt=attempt)])
        assert isinstance(ending, Ended)
        assert ending.out == b"said\n"
    assert ledger.read_text() == "line\n"


async def test_what_has_failed_is_told_to_every_attempt(machine: Desk, tmp_path: Path) -> None:
    """Also where it failed: another try is another operation, which somebody has decided."""
    ledger = tmp_path / "ledger"
    ways = [await machine.another().perform([adding(ledger, "echo no >&2; exit 3", attempt=n)]) for n in (1, 2, 2)]

    endings = [ending for (ending,) in ways if isinstance(ending, Broken)]
    assert ["code 3" in ending.error.detail and "no" in ending.error.detail for ending in endings] == [True] * 3
    assert ledger.read_text() == "line\n"


async def test_what_may_be_repeated_is(machine: Desk, tmp_path: Path) -> None:
    """A later attempt of what says that it may be repeated is an attempt."""
    ledger = tmp_path / "ledger"
    await machine.host.perform([adding(ledger, "exit 3", repeats=True)])
    await machine.another().perform([adding(ledger, repeats=True, attempt=2)])
    assert ledger.read_text() == "line\n" * 2


async def test_another_operation_is_another_command(machine: Desk, tmp_path: Path) -> None:
    """Only the same token is the same command."""
    ledger = tmp_path / "ledger"
    await machine.host.perform([adding(ledger, KILLED)])
    (ending,) = await machine.another().perform([adding(ledger, token="T2")])
    assert isinstance(ending, Ended)
    assert ledger.read_text() == "line\n" * 2


class Purvey:
    """The processes of one stack on this machine, one after the other."""

    def __init__(self, folder: Path) -> None:
        self.log = LocalLog(folder)

    async def perform(self, step: Step) -> Ending:
        """Perform one step, in a process of its own as far as what is remembered goes."""
        (ending,) = await LocalConnector(self.log).perform([step])
        return ending

    async def killed(self, step: Step, ledger: Path) -> None:
        """Perform one that is killed when its line is there; what it waits for is ended with it."""
        performing = asyncio.ensure_future(self.perform(step))
        assert await asyncio.to_thread(until, lambda: ledger.exists() and ledger.read_text() == "line\n")
        performing.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await performing


@pytest.fixture
def here(tmp_path: Path) -> Purvey:
    """This machine."""
    return Purvey(tmp_path / "log")


@pytest.mark.parametrize("attempt", [1, 2])
async def test_what_was_cut_off_here_is_not_done_again(here: Purvey, tmp_path: Path, attempt: int) -> None:
    """On this machine as on others: what was killed on the way is in doubt, whoever asks for it again."""
    ledger = tmp_path / "ledger"
    await here.killed(adding(ledger, "sleep 60"), ledger)

    assert await here.perform(adding(ledger, attempt=attempt)) == Interrupted()
    assert ledger.read_text() == "line\n"


async def test_what_has_ended_here_is_told_again(here: Purvey, tmp_path: Path) -> None:
    """What it said and its code come from what this machine remembers; what it is asked afterwards is asked now."""
    ledger = tmp_path / "ledger"
    step = Step("T", 1, adding(ledger, "echo said").changes, after=(fact := DigestOf(str(ledger)),))
    for _ in "12":
        ending = await here.perform(step)
        assert isinstance(ending, Ended)
        assert (ending.out, ending.returncode) == (b"said\n", 0)
        assert ending.answers[fact] == hashlib.sha256(ledger.read_bytes()).hexdigest()
    assert ledger.read_text() == "line\n"


async def test_what_has_failed_here_is_told_again(here: Purvey, tmp_path: Path) -> None:
    """Its error is the same, word for word."""
    ledger = tmp_path / "ledger"
    endings = [await here.perform(adding(ledger, "echo no >&2; exit 3", attempt=n)) for n in (1, 2)]

    errors = [str(ending.error) for ending in endings if isinstance(ending, Broken)]
    assert errors == errors[:1] * 2
    assert "code 3" in errors[0]
    assert ledger.read_text() == "line\n"


async def test_what_may_be_repeated_here_is(here: Purvey, tmp_path: Path) -> None:
    """Nothing is remembered of it."""
    ledger = tmp_path / "ledger"
    for _ in "12":
        await here.perform(adding(ledger, repeats=True))
    assert ledger.read_text() == "line\n" * 2
    assert not (tmp_path / "log").exists()


async def test_what_is_settled_is_forgotten(here: Purvey, tmp_path: Path) -> None:
    """Then nothing is left on the disk."""
    await here.perform(adding(tmp_path / "ledger"))
    assert (tmp_path / "log" / "T").stat().st_mode & 0o077 == 0
    here.log.forget()
    here.log.forget()
    assert not (tmp_path / "log").exists()


async def test_what_cannot_be_remembered_is_not_begun(here: Purvey, tmp_path: Path) -> None:
    """A file in place of the folder keeps the command from being run."""
    (tmp_path / "log").write_text("")
    with pytest.raises(HostError):
        await here.perform(adding(tmp_path / "ledger"))
    assert not (tmp_path / "ledger").exists()


async def test_what_was_spoilt_was_begun(here: Purvey, tmp_path: Path) -> None:
    """Who cannot read what was remembered does not take it for nothing."""
    await here.perform(adding(tmp_path / "ledger"))
    (tmp_path / "log" / "T").write_text("{")
    assert await here.perform(adding(tmp_path / "ledger")) == Interrupted()


async def test_what_was_begun_is_remembered(machine: Desk, tmp_path: Path) -> None:
    """Whether it ended well or not or was cut off; what came after the first that did not go through never was."""
    ledger = tmp_path / "ledger"
    await machine.host.perform([adding(ledger, token="A.1"), adding(ledger, "exit 3", token="B", attempt=2), adding(ledger)])
    await machine.another().perform([adding(ledger, KILLED, token="C"), adding(ledger, token="D")])

    assert await machine.another().begun() == {"A.1", "B", "C"}


async def test_whoever_asks_what_was_begun_ends_the_rest(machine: Desk, tmp_path: Path) -> None:
    """A command at work is not waited for, and what was sent with it and comes after it is never begun."""
    ledger, held = tmp_path / "ledger", tmp_path / "held"
    held.touch()
    first = adding(ledger, f"while [ -e '{held}' ]; do sleep 0.01; done", token="A")
    working = asyncio.ensure_future(machine.host.perform([first, adding(ledger, token="B")]))
    assert await asyncio.to_thread(until, lambda: ledger.exists() and ledger.read_text() == "line\n")

    assert await machine.another().begun() == {"A"}

    held.unlink()
    with pytest.raises(HostError, match="Another run works on a machine"):
        await working
    assert ledger.read_text() == "line\n"
    assert await machine.another().begun() == {"A"}
