"""What is short is read by the shell itself: no process for it, and no byte of it lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from purvey._hosts.change import Run
from purvey._hosts.command import Command
from purvey._hosts.fact import ContentOf
from purvey._hosts.step import Ended, Step
from purvey.errors import HostError
from tests.support.shells import Desk, desk, local_shell, logged

SHORT = bytes(byte for byte in range(1, 256))
TEXTS = [
    b"", b"\n", b"no end", b"two\n\nlines\n", b" \t spaces \\ \\n at the end \\\n \n", b"\0", b"a\0b\n", b"\0\n\0", SHORT,
    SHORT + b"\n", b"x" * 1024, b"x" * 1025, b"y\n" * 512, b"y\n" * 513, b"\n" * 1024,
    *(random.Random(seed).randbytes(seed * 48) for seed in range(1, 24)),
]  # fmt: skip
"""With and without an end of the last line, with bytes that are zero, and around the length that the shell reads itself."""


def printing(path: Path, token: str) -> Step:
    """A step that prints a file."""
    return Step(token, 1, (Run(Command(("dd", f"if={path}", "status=none")), repeats=False),))


async def test_each_byte_is_told(shell_name: str, tmp_path: Path) -> None:
    """Of files and of what commands print, whoever reads them."""
    paths = [tmp_path / f"{number} of: it's\\" for number in range(len(TEXTS))]
    for path, text in zip(paths, TEXTS, strict=True):
        path.write_bytes(text)
    async with desk(local_shell(shell_name)) as machine:
        answers = await machine.host.ask([ContentOf(str(path)) for path in paths])
        endings = await machine.host.perform([printing(path, f"S{number}") for number, path in enumerate(paths)])

    assert [answers[ContentOf(str(path))] for path in paths] == TEXTS
    assert [ending.out for ending in endings if isinstance(ending, Ended)] == TEXTS


async def test_what_is_short_takes_no_process(shell_name: str, tmp_path: Path) -> None:
    """Neither a file, nor what a command has printed; what is long does."""
    tools, ran = logged(tmp_path, "cat", "tail")
    short, long = tmp_path / "short", tmp_path / "long"
    short.write_bytes(b"line\n" * 50)
    long.write_bytes(b"line\n" * 1000)
    async with desk(local_shell(shell_name, first=str(tools))) as machine:
        await machine.host.ask([ContentOf(str(short))])
        await machine.host.perform([printing(short, "A")])
        assert not ran.exists()
        answers = await machine.host.ask([ContentOf(str(long))])
        (ending,) = await machine.host.perform([printing(long, "B")], fresh=True)

    assert ran.read_text().split() == ["cat", "tail"]
    assert answers[ContentOf(str(long))] == long.read_bytes()
    assert isinstance(ending, Ended)
    assert ending.out == long.read_bytes()


async def test_an_empty_file_that_may_not_be_read_is_not_told_as_empty(ordinary: Desk, common: Path) -> None:
    """Nothing was read of it, however little there is."""
    path = common / "it"
    path.touch(0)

    answers = await ordinary.host.ask([fact := ContentOf(str(path))])

    with pytest.raises(HostError) as error:
        answers[fact]
    assert error.value.code == "denied"
