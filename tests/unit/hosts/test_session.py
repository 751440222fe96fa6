"""A shell that waits on a machine for one program after another."""

from __future__ import annotations

import asyncio
import re
import resource
import subprocess
from pathlib import Path

import pytest

from purvey._hosts import session
from purvey._hosts.become import Becoming
from purvey._hosts.change import Remove, Run, Write
from purvey._hosts.command import Command
from purvey._hosts.fact import Answer, Ask, Fact, StatOf, Unanswered
from purvey._hosts.frames import Frame, Frames
from purvey._hosts.program import Program
from purvey._hosts.session import LONG, Session
from purvey._hosts.shell_host import ShellHost
from purvey._hosts.step import Ended, Step
from purvey.errors import HostError
from tests.support.shells import Desk, HastyClock, desk, local_shell

THEIRS = {"HOME", "IFS", "LC_ALL", "LOGNAME", "PATH", "PERL5LIB", "PERL5OPT", "QUOTING_STYLE", "USER"}
"""Variables that are set for what is run, or mean the same to all."""

STATE = Ask(("sh", "-c", "umask; pwd; env | sort"))
"""What a program could leave to the next one, were they one process."""


def shout(token: str) -> Step:
    """A step that runs a command with a variable and a folder of its own."""
    return Step(token, 1, (Run(Command(("sh", "-c", "umask 027; echo $WORD"), env={"WORD": token}, cwd="/tmp")),))


def memory(pid: int) -> bytes:
    """What a process has written into its memory."""
    found = b""
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as file:
        for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
            if " rw-p " in line:
                start, end = (int(word, 16) for word in line.split()[0].split("-"))
                file.seek(start)
                found += file.read(end - start)
    return found


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


def names_of_ours() -> list[str]:
    """All words that look as if something were put into a variable of that name, in what a machine's shell is sent."""
    texts = [path.read_text() for path in Path(session.__file__).parent.glob("*.sh")]
    calls = {"F", "M", "N", "P", "S", "ahead", "input", "was"}
    lines = [line for text in texts for line in text.splitlines() if not line.lstrip().startswith("#")]
    found = re.findall(r"(?<!-)\b([A-Za-z]\w*)=|\bfor (\w+)(?: in\b|;)", "\n".join(lines))
    read = {name for line in lines for words in re.findall(r"\bread -r ([a-z_ ]+)", line) for name in words.split()}
    assigned = {name for names in found for name in names}
    return sorted(name for name in (calls | assigned | read) - THEIRS - {"", "_"} if not name.startswith("purvey_"))


async def test_commands_get_what_the_login_has_exported(shell_name: str, lasts: bool, tmp_path: Path) -> None:
    """Also where it has the name of something of ours, which a shell would export with what we have put into it."""
    names = names_of_ours()
    login = {"HOME": str(tmp_path), **{name: f"their {name} $HOME '" for name in names}}
    command = Command(("sh", "-c", 'printenv "$@"', "sh", *names))
    fact = Ask(command.argv)
    async with desk(local_shell(shell_name, environment=login, lasts=lasts), tmp_path / ".local/state/purvey") as machine:
        asked = (await machine.host.ask([fact]))[fact].stdout
        (ended,) = await machine.host.perform([Step("T", 1, (Write(str(tmp_path / "it"), b"", 0o600), Run(command)))])

    assert isinstance(ended, Ended)
    for said in (asked, ended.out):
        assert said.decode().splitlines() == [login[name] for name in names]


async def test_a_waiting_shell_holds_on_to_no_long_program(machine: Desk, lasts: bool, tmp_path: Path) -> None:
    """Nothing of what it wrote, which may be secret, and not the memory that it took."""
    if not lasts:
        return
    steps = [
        Step(f"t{number}", 1, (Write(str(tmp_path / f"{number}"), f"hidden-{number:04}".encode() * 300, 0o600),))
        for number in range(100)
    ]
    await machine.host.perform(steps)

    assert b"hidden-" not in memory(machine.shell.started[-1].process.pid)


class Listener:
    """Hears what a waiting shell would be sent, and says that it is ready for all of it."""

    def __init__(self, nonce: str) -> None:
        self.heard = b""
        self._says = [f"\n{nonce} ready\n".encode()]

    async def send(self, data: bytes) -> None:
        """See `Pipes.send`."""
        self.heard += data

    async def end(self) -> None:
        """See `Pipes.end`."""

    async def receive(self) -> bytes:
        """See `Pipes.receive`."""
        return self._says.pop() if self._says else b""

    async def wait(self) -> int:
        """See `Pipes.wait`."""
        return 0

    def complaints(self) -> bytes:
        """See `Pipes.complaints`."""
        return b""

    async def close(self) -> None:
        """See `Pipes.close`."""


def read_by(shell_name: str, text: bytes) -> None:
    """Let a shell read what was sent until the link was cut."""
    subprocess.run(local_shell(shell_name).shell.split(), input=text, capture_output=True, check=False)


@pytest.mark.parametrize("length", [10, LONG], ids=["short", "long"])
async def test_half_a_program_is_not_run(shell_name: str, tmp_path: Path, length: int) -> None:
    """Wherever a link is cut, nothing of what was under way is done."""
    done = tmp_path / "done"
    program = Program(("asking",), (f"touch {done}", f": {'x' * length}", "say left"))
    listener = Listener("abc")
    async for _ in Session(listener, "mark", lasts=True).run(program, "abc"):
        pass
    whole = listener.heard
    begin, end = whole.index(b"hello\ntouch"), max(whole.rfind(b"\n) "), whole.rfind(b"#end mark"))

    for cut in (*range(begin, end, (end - begin) // 20), end):
        read_by(shell_name, whole[:cut])
        assert not done.exists()
    read_by(shell_name, whole)
    assert done.exists()


async def test_a_shell_that_cannot_begin_a_program_is_replaced(machine: Desk, lasts: bool) -> None:
    """One that starts no process any more is not asked again and again."""
    if not lasts:
        return
    before = await told(machine.host, STATE)
    resource.prlimit(machine.shell.started[-1].process.pid, resource.RLIMIT_NOFILE, (0, 0))

    async with asyncio.timeout(60):
        assert await told(machine.host, STATE) == before


def test_what_is_cut_off_by_the_end_of_a_program_is_not_told() -> None:
    """A process that was killed has not said all; the shell that waits for its end goes on, and says that it ended."""
    frames = Frames("abc")

    told = list(frames.feed(b"\nabc hello\nall\nabc log\nB one.1\nB tw\nabc over\n"))

    assert told == [Frame("hello", data=b"all"), Frame("over")]


async def test_a_shell_that_is_gone_is_replaced_without_a_word(machine: Desk) -> None:
    """A server may end what has waited for long: nothing was done there, so nothing is lost."""
    before = await told(machine.host, STATE)
    machine.shell.started[-1].kill()
    await machine.shell.started[-1].process.wait()

    assert await told(machine.host, STATE) == before


async def test_a_new_shell_may_lead_to_somebody_else(shell_name: str, tmp_path: Path) -> None:
    """What the one before it said of us says nothing then."""
    shell = local_shell(shell_name, environment={"HOME": str(tmp_path)}, lasts=True)
    async with desk(shell, tmp_path / ".local/state/purvey") as machine:
        before = await machine.host.machine()
        shell.started[-1].kill()
        await shell.started[-1].process.wait()
        shell.environment["HOME"] = "/elsewhere"
        shell.before = ("/bin/sh", "-c", 'umask 0027; exec "$@"', "sh")
        await told(machine.host, STATE)
        after = await machine.host.machine()

    assert (before.home, before.umask == "0027") == (str(tmp_path), False)
    assert (after.home, after.umask) == ("/elsewhere", "0027")


async def test_what_a_killed_shell_has_done_may_be_there(shell_name: str, lasts: bool, tmp_path: Path) -> None:
    """It has worked, although nothing was heard of it: so says the error, where each further shell is killed, too."""
    (tmp_path / "sync").write_text(
        f'#!/bin/sh\n[ -e {tmp_path}/it ] && exec /bin/sync\nread -r _ _ _ up _ </proc/$PPID/stat\nkill -9 "$up" $PPID\n'
    )
    (tmp_path / "sync").chmod(0o755)
    (tmp_path / "it").touch()
    home = {"HOME": str(tmp_path)}
    shell = local_shell(shell_name, environment=home, first=str(tmp_path), lasts=lasts)
    async with desk(shell, tmp_path / ".local/state/purvey") as machine:
        with pytest.raises(HostError) as error:
            await machine.host.perform([Step("T", 1, (Remove(str(tmp_path / "it")),))])

    assert (error.value.code, error.value.may_exist) == ("unavailable", True)
    assert not (tmp_path / "it").exists()


async def test_nobody_waits_on_a_machine_after_a_run(machine: Desk) -> None:
    """The shell has nothing more to read, and ends."""
    await told(machine.host, STATE)

    await machine.host.tidy()

    for pipes in machine.shell.started:
        assert await pipes.process.wait() == 0


async def test_people_are_told_while_a_machine_does_not_answer(
    shell_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Again and again, with how long it has been; and no more once there is an answer."""
    monkeypatch.setattr("purvey._hosts.reminder.FIRST_S", 0.05)
    monkeypatch.setattr("purvey._hosts.reminder.AGAIN_S", 0.05)
    go = tmp_path / "go"
    slow = ("/bin/sh", "-c", f'until [ -e {go} ]; do sleep 0.01; done; exec "$@"', "sh")
    said: list[str] = []

    def hear(text: str) -> None:
        """Let the machine answer after the second time."""
        said.append(text)
        if len(said) == 2:
            go.touch()

    shell = local_shell(shell_name, before=slow)
    host = ShellHost(shell, "web", HastyClock(), Becoming(), tell=hear)
    await host.ask([StatOf("/")])
    count, loop = len(said), asyncio.get_running_loop()
    end = loop.time() + 0.2
    while loop.time() < end:
        await host.ask([StatOf("/")])
    await host.tidy()
    await shell.close()

    assert count >= 2
    assert len(said) == count
    assert all(re.fullmatch(r"waiting web: no answer for \d+ s", text) for text in said)


class HaltingClock(HastyClock):
    """A clock by which somebody asks to stop while we wait to look for a link again."""

    host: ShellHost

    async def sleep(self, seconds: float) -> None:
        """See `Clock.sleep`."""
        del seconds
        await self.host.halt()


async def test_what_is_halted_between_two_links_is_not_begun_again(machine: Desk, tmp_path: Path) -> None:
    """The program that would be sent next would be newer than the one that halts."""
    clock = HaltingClock()
    clock.host = host = machine.another(clock=clock)
    killed, file = tmp_path / "killed", tmp_path / "file"
    once = 'read -r _ _ _ up _ </proc/$PPID/stat; [ -e "$0" ] || { : >"$0"; kill -9 "$up"; }'
    first = Step("one", 1, (Run(Command(("sh", "-c", once, str(killed)))),))

    with pytest.raises(HostError, match="lost"):
        await host.perform([first, Step("two", 1, (Write(str(file), b"", 0o600),))])

    assert (killed.exists(), file.exists()) == (True, False)
