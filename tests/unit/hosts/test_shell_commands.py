"""A machine behind a shell runs a command as whom, with what, where and for as long as was said, and in no other way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

from purvey._hosts.change import Run, Write
from purvey._hosts.command import TIMED_OUT, Command, Completed
from purvey._hosts.local import LocalConnector
from purvey._hosts.step import Broken, Ended, Step
from purvey.errors import HostError
from tests.support.shells import Desk, below

USER: Final = "nobody" if os.geteuid() == 0 else None
"""Another user, for those who may become one."""

OUR_NAMES: Final = (
    "user", "su", "as_user", "limit", "timeout", "found", "at", "words", "folder", "codes", "input", "uid", "me", "boot", "pid",
    "started", "lang", "code", "last", "failed", "S", "U", "B", "L", "N", "F", "IFS", "nl",
)  # fmt: skip
"""Variables that a shell uses to run a command, or has for itself."""


@pytest.mark.parametrize("value", ["", "root", "1", "/no/such", "no such"])
async def test_no_variable_of_a_command_changes_how_it_is_run(machine: Desk, value: str) -> None:
    """Whatever the names and values are, the command gets just these, and is run as who was named, as on this machine."""
    names = [name for name in OUR_NAMES if name not in {"IFS", "at"}]
    command = Command(
        ("sh", "-c", f'id -un; for it in {" ".join(names)}; do eval "printf \'%s;\' \\"\\$$it\\""; done; printenv IFS || :'),
        env=dict.fromkeys((*names, "at"), value) | {"IFS": ":"}, user=USER, cwd="/",
    )  # fmt: skip

    assert await machine.host.run(command) == await LocalConnector().run(command)


async def test_a_command_gets_its_own_path(machine: Desk, tmp_path: Path) -> None:
    """A path with none of the system's programs is searched for the command, and not for what runs it."""
    (tmp_path / "tool").write_text("#!/bin/sh\necho $PATH")
    (tmp_path / "tool").chmod(0o755)

    found = await machine.host.run(Command(("tool",), env={"PATH": str(tmp_path)}))

    assert found == Completed(0, f"{tmp_path}\n".encode())


async def test_no_command_outlives_its_time(machine: Desk, common: Path) -> None:
    """However deaf it is to signals, and whoever it runs as."""
    number = common / "number"
    number.touch()
    number.chmod(0o666)
    deaf = f"trap '' TERM HUP; echo $$ >{number}; exec sleep 60"

    found = await machine.host.run(Command(("sh", "-c", deaf), user=USER, timeout_s=1))

    assert found.returncode == TIMED_OUT
    assert not is_running(number.read_text().strip())


@pytest.mark.parametrize(("folder", "code"), [
    ("closed", "denied"), ("closed/deep", "denied"), ("none", "not_found"), ("file", "not_found"), ("file/deep", "not_found"),
])  # fmt: skip
async def test_a_command_stands_where_its_user_may(machine: Desk, common: Path, folder: str, code: str) -> None:
    """A folder that is closed to the user, whoever lets the command in, is denied, and one that is missing is not found."""
    (common / "closed/deep").mkdir(parents=True)
    (common / "closed").chmod(0o700 if os.geteuid() == 0 else 0)
    (common / "file").touch()
    command = Command(("pwd",), cwd=str(common / folder), user=USER)

    for way in (machine.host, LocalConnector()):
        with pytest.raises(HostError) as caught:
            await way.run(command)
        assert caught.value.code == code


@pytest.mark.parametrize(("argv", "code"), [(("no-such-program",), "not_found"), (("/",), "denied")])
async def test_a_command_that_cannot_be_run_is_told_apart(
    machine: Desk, tmp_path: Path, argv: tuple[str, ...], code: str
) -> None:
    """From one that was run and failed, by itself and where it is to check a new file."""
    with pytest.raises(HostError) as caught:
        await machine.host.run(Command(argv))
    assert (caught.value.code, caught.value.summary) == (code, "A command cannot be run")

    with pytest.raises(HostError) as caught:
        await machine.host.write(str(tmp_path / "it"), b"", mode=0o600, validate=Command((*argv, "{path}")))
    assert (caught.value.code, caught.value.summary) == (code, "A command cannot be run")


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo line 3: unknown; exit 3", "ended with code 3:\n  {command}\nline 3: unknown"),
        ("echo one >&2; echo two; exit 1", "ended with code 1:\n  {command}\nstandard output:\ntwo\nstandard error:\none"),
        ("kill -9 $$", "was ended by signal 9:\n  {command}\nIt said nothing."),
        ("exec sleep 60", "was ended after 1 s:\n  {command}\nIt said nothing."),
    ],
)
async def test_a_validating_command_is_heard_as_any_other(machine: Desk, tmp_path: Path, script: str, told: str) -> None:
    """Both of its outputs are told, and how it ended, as on this machine; so they are when a step is asked again."""
    path = str(tmp_path / "it")
    command = Command(("sh", "-c", script, "sh", "{path}"), timeout_s=1)
    step = Step("a", 1, (Write(path, b"", 0o600, validate=command),))

    for _ in range(2):
        (ending,) = await machine.host.perform([step])
        assert isinstance(ending, Broken)
        assert ending.error.detail.endswith(told.format(command=command.about(path)))
    with pytest.raises(HostError) as caught:
        await machine.host.write(path, b"", mode=0o600, validate=command)
    assert caught.value.detail.endswith(told.format(command=command.about(path)))


async def test_a_step_speaks_english(machine: Desk) -> None:
    """A step's command is understood whatever the machine's language is, unless it has its own; a single call is as it is."""
    machine.shell.environment["LC_ALL"] = "de_DE.UTF-8"
    ask = ("sh", "-c", 'printf %s "$LC_ALL"')
    steps = [Step("a", 1, (Run(Command(ask)),)), Step("b", 1, (Run(Command(ask, env={"LC_ALL": "fr_FR"})),))]

    for host in (machine.host, LocalConnector()):
        endings = await host.perform(steps)
        assert [ending.out for ending in endings if isinstance(ending, Ended)] == [b"C", b"fr_FR"]
    assert (await machine.host.run(Command(ask))).stdout == b"de_DE.UTF-8"


async def test_another_user_is_at_home(machine: Desk) -> None:
    """A command knows whose it is, and is in that user's groups, as on this machine."""
    command = Command(("sh", "-c", "id; echo $HOME $USER $LOGNAME"), user=USER, cwd="/")

    assert await machine.host.run(command) == await LocalConnector().run(command)


def is_running(pid: str) -> bool:
    """Whether there is such a process, and it has not ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_a_file_that_no_shell_could_hold_is_refused(machine: Desk, tmp_path: Path) -> None:
    """Before anything is done, with the way that works; one that compresses well is sent."""
    steps = [Step("a", 1, (Write(str(tmp_path / "a"), b"", 0o600), Write(str(tmp_path / "b"), os.urandom(9_000_000), 0o600)))]

    with pytest.raises(HostError) as caught:
        await machine.host.perform(steps)
    assert (caught.value.code, "files.Download" in caught.value.hint, below(tmp_path)) == ("invalid", True, [])

    await machine.host.write(str(tmp_path / "a"), b"a" * 9_000_000, mode=0o600)


async def test_the_code_of_a_step_is_that_of_its_command(machine: Desk, tmp_path: Path) -> None:
    """And not of what has looked at a file that the step wrote after it."""
    command = Command(("sh", "-c", "exit 3"))
    write = Write(str(tmp_path / "it"), b"text", 0o644, validate=Command(("test", "-s", "{path}")))

    (ending,) = await machine.host.perform([Step("T", 1, (Run(command, (0, 3)), write))])

    assert isinstance(ending, Ended)
    assert ending.returncode == 3
