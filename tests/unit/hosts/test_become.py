"""Getting in with another user's rights: what is sent to the program that asks, when, and how often."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest

from purvey._base.value import Secret
from purvey._hosts import become
from purvey._hosts.become import Becoming, Door
from purvey.errors import HostError
from tests.support.shells import Brief

MARK = "0a1b"
ASKS = f"(purvey {MARK}) "
LETS_IN = f"purvey {MARK} is in\n"


class Scripted(Brief):
    """A shell, and the pipes of each command on it: says one thing after the other, and hangs or ends when all is said.

    Args:
        said: What it says, in pieces.
        code: With which it ends then; None if it never ends.
    """

    def __init__(self, *said: str, code: int | None = None) -> None:
        self.said = said
        self.code = code
        self.sent: list[bytes] = []
        self.commands: list[str] = []
        self.closed = 0
        self._rest = deque(said)

    async def start(self, command: str) -> Scripted:
        """See `Shell.start`."""
        self.commands.append(command)
        self._rest = deque(self.said)
        return self

    async def send(self, data: bytes) -> None:
        """See `Pipes.send`."""
        self.sent.append(data)

    async def end(self) -> None:
        """See `Pipes.end`."""

    async def receive(self) -> bytes:
        """See `Pipes.receive`."""
        await asyncio.sleep(0)
        if self._rest:
            return self._rest.popleft().encode()
        if self.code is None:
            await asyncio.Event().wait()
        return b""

    async def wait(self) -> int:
        """See `Pipes.wait`."""
        assert self.code is not None
        return self.code

    def complaints(self) -> bytes:
        """See `Pipes.complaints`."""
        return b""

    async def close(self) -> None:
        """See `Pipes.close`."""
        self.closed += 1


def door(password: str = "the-password") -> Door:
    """The way to root's rights by sudo."""
    return Door(Becoming("sudo", password=Secret(password) if password else None), "web")


async def test_the_password_waits_for_the_question() -> None:
    """Whatever else is said before, and in however small pieces the question comes, it is answered once."""
    shell = Scripted("Welcome\n", ASKS[:5], ASKS[5:], "\nfine\n", LETS_IN[:4], LETS_IN[4:])

    pipes = await door().open(shell, MARK)

    assert shell.sent == [b"the-password\n", f"{MARK}\n".encode()]
    assert pipes is shell
    assert not shell.closed


async def test_nothing_is_sent_to_who_does_not_ask() -> None:
    """A program that lets us in unasked gets no password, although there is one."""
    shell = Scripted(LETS_IN)
    await door().open(shell, MARK)
    assert shell.sent == [f"{MARK}\n".encode()]


async def test_a_second_question_is_an_answer() -> None:
    """It is told at once, the command is let go of, and whoever comes later, or came at the same time, is told the same."""
    shell, way = Scripted(ASKS, "Wrong, Dave.\n", ASKS), door()

    told = await asyncio.gather(*(way.open(shell, MARK) for _ in range(3)), return_exceptions=True)

    assert shell.sent == [b"the-password\n"]
    assert shell.closed == len(shell.commands) == 1
    assert all("was tried once, and is not tried again" in str(error) for error in told)
    assert len({id(error) for error in told}) == 3


@pytest.mark.parametrize("said", [("Verification code: ",), (ASKS, "Verification code: ")])
async def test_another_question_than_for_the_password(said: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """What is no question for a password gets no answer; after a while that is an error which repeats it."""
    monkeypatch.setattr(become, "ANSWER_S", 0.01)
    shell = Scripted(*said)

    with pytest.raises(HostError, match="neither given nor refused") as caught:
        await door().open(shell, MARK)

    assert "Verification code:" in caught.value.detail
    assert shell.sent == [b"the-password\n"] * (len(said) - 1)
    assert shell.closed


async def test_a_refusal_that_quotes_us_is_no_welcome() -> None:
    """Sudo repeats the command that is not allowed; that does not look like what the command would say."""
    way = door()
    command = Becoming("sudo", password=Secret("x")).command(MARK).partition(" -- ")[2]
    shell = Scripted(ASKS, f"Sorry, user admin is not allowed to execute '{command}' as root on web.\n", code=1)

    with pytest.raises(HostError, match="were refused"):
        await way.open(shell, MARK)


async def test_a_password_stands_in_no_command() -> None:
    """It is in no argument, of which every user of the machine sees all."""
    for by in ("sudo", "su", "doas"):
        assert "the-password" not in Becoming(by, password=Secret("the-password")).command(MARK)
