"""A machine behind a shell answers what it is asked, whatever its files are called, and says what it cannot answer."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import pytest

from purvey._hosts.command import Completed
from purvey._hosts.fact import Answers, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf
from purvey._hosts.local import LocalConnector
from purvey.errors import HostError
from tests.support.shells import Desk, below, desk, local_shell
from tests.unit.hosts.waiting import until

STRANGE = (
    "plain", "two words", " edges ", "single'quote", 'double"quote', "back\\slash", "back\\\\slashes", "a|b", "a|b -> c",
    "-dash", "--", "tab\there", "umläut-日本", os.fsdecode(b"bytes-\xff\xfe"), "*", "[a-z]", "?", "$(touch pwned)", "`id`",
    "${HOME}", "a;b", "a&b", "#", "~", "!", "%s%n", "{a,b}", "a\rb", "a\x1b[31mb", "colon:colon", "x -> y", "' -> '",
    "n" * 255,
)  # fmt: skip


def everything_of(path: str) -> list[Fact]:
    """All that can be asked about a path."""
    return [StatOf(path), DigestOf(path), ContentOf(path)]


async def asked_both(machine: Desk, facts: list[Fact]) -> tuple[dict[Fact, object], dict[Fact, object]]:
    """What the shell and this machine's own calls say; an error by its code."""
    return told(await machine.host.ask(facts), facts), told(await LocalConnector().ask(facts), facts)


def told(answers: Answers, facts: list[Fact]) -> dict[Fact, object]:
    """Answers by their questions; an error by its code."""
    found: dict[Fact, object] = {}
    for fact in facts:
        try:
            found[fact] = answers[fact]
        except HostError as error:
            found[fact] = error.code
    return found


async def test_names_are_names_whatever_is_in_them(machine: Desk, tmp_path: Path) -> None:
    """Files, links and folders of strange names, there or missing, are seen as by the system's own calls."""
    facts: list[Fact] = []
    for kind in ("file", "link", "dangling", "folder", "missing"):
        (tmp_path / kind).mkdir()
        for name in STRANGE:
            path = tmp_path / kind / name
            if kind == "file":
                path.write_bytes(name.encode(errors="surrogateescape") * 3)
            elif kind == "link":
                path.symlink_to(tmp_path / "file" / name)
            elif kind == "dangling":
                path.symlink_to(name[:200] + " ->")
            elif kind == "folder":
                path.mkdir(0o751)
            facts += everything_of(str(path))

    shell, calls = await asked_both(machine, facts)

    assert shell == calls
    assert "pwned" not in {path.rpartition("/")[2] for path in below(tmp_path)}
    assert machine.host.requests == 1


async def test_each_kind_of_thing_is_seen(machine: Desk, tmp_path: Path) -> None:
    """Empty and binary files, special bits, pipes, sockets, devices and links are told as they are, and none is waited for."""
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 3 + b"\n\n")
    (tmp_path / "special").write_bytes(b"x")
    (tmp_path / "special").chmod(0o6755)
    (tmp_path / "sticky").mkdir()
    (tmp_path / "sticky").chmod(0o3777)
    (tmp_path / "to-folder").symlink_to("sticky")
    (tmp_path / "to-nothing").symlink_to("nothing")
    (tmp_path / "to-itself").symlink_to("to-itself")
    (tmp_path / "lines").symlink_to("a\nb")
    os.mkfifo(tmp_path / "pipe")
    facts = [fact for path in below(tmp_path) for fact in everything_of(path)]
    facts += [
        fact for path in ("/dev/null", "/dev/zero", "/", "/proc/self/exe", "/proc/version") for fact in everything_of(path)
    ]
    facts += everything_of(f"{tmp_path}/binary/below") + everything_of(f"{tmp_path}/no/such")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        facts += everything_of(str(tmp_path / "s"))

        shell, calls = await asked_both(machine, facts)

    for fact in (StatOf("/proc/self/exe"), DigestOf("/proc/self/exe")):
        assert isinstance(shell.pop(fact), FileStat | None) == isinstance(calls.pop(fact), FileStat | None)
    assert shell == calls
    assert shell[ContentOf(str(tmp_path / "empty"))] == b""


async def test_what_may_not_be_read_is_never_absent(ordinary: Desk, common: Path) -> None:
    """Behind closed folders nothing is said to be missing, and a closed file is seen but not read."""
    home = common / "home"
    closed = home / "closed"
    for folder in (closed, closed / "deep"):
        folder.mkdir()
    (closed / "there").write_bytes(b"x")
    (home / "secret").write_bytes(b"x")
    (home / "secret").chmod(0)
    closed.chmod(0)
    hidden = [str(path) for path in (closed / "there", closed / "missing", closed / "deep/missing", closed / "missing/deep")]
    facts = [fact for path in (*hidden, str(home / "secret"), str(closed)) for fact in everything_of(path)]

    answers = told(await ordinary.host.ask(facts), facts)

    assert {str(answers[fact]) for path in hidden for fact in everything_of(path)} == {"denied"}
    assert isinstance(answers[StatOf(str(home / "secret"))], FileStat)
    assert [answers[make(str(home / "secret"))] for make in (DigestOf, ContentOf)] == ["denied", "denied"]
    assert isinstance(answers[StatOf(str(closed))], FileStat)


async def test_a_name_that_cannot_be_told_is_refused_alone(machine: Desk, tmp_path: Path) -> None:
    """A line end, a zero byte or a relative path is an error that names the path, and the other questions are answered."""
    refused = [fact for path in (f"{tmp_path}/a\nb", f"{tmp_path}/a\0b", "relative") for fact in everything_of(path)]
    facts: list[Fact] = [*refused, StatOf("/")]

    shell, calls = await asked_both(machine, facts)

    assert shell == calls
    assert {shell[fact] for fact in refused} == {"invalid"}
    assert isinstance(shell[StatOf("/")], FileStat)
    with pytest.raises(HostError) as caught:
        (await machine.host.ask(facts))[refused[0]]
    assert "line end" in caught.value.detail


async def test_thousands_of_questions_go_in_one_program(machine: Desk, tmp_path: Path) -> None:
    """2,000 facts, every other one about something missing, are answered by one request."""
    for number in range(0, 1000, 2):
        (tmp_path / f"file {number}").write_text(str(number))
    facts = [make(str(tmp_path / f"file {number}")) for number in range(1000) for make in (StatOf, DigestOf)]

    shell, calls = await asked_both(machine, list[Fact](facts))

    assert shell == calls
    assert machine.host.requests == 1


async def test_long_contents_arrive_whole(machine: Desk, tmp_path: Path) -> None:
    """Five megabytes that no compression helps come as they are, with their digest."""
    data = os.urandom(5_000_000)
    (tmp_path / "a").write_bytes(data)
    digest, content = DigestOf(str(tmp_path / "a")), ContentOf(str(tmp_path / "a"))

    answers = await machine.host.ask([digest, content])

    assert answers[content] == data
    assert answers[digest] == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (("printf", "%s|", "a b", "*", "$HOME", "'", ""), Completed(0, b"a b|*|$HOME|'||")),
        (("sh", "-c", "echo said; echo complained >&2; exit 3"), Completed(3, b"said\n")),
        (("sh", "-c", "kill -9 $$"), Completed(-9)),
        (("no-such-program",), Completed(127)),
        (("/",), Completed(126)),
        (("link", "/no/such", "/no/such/either"), Completed(1)),
        (("cat",), Completed(0)),
        (("sh", "-c", 'printf "%s" "$LC_ALL"'), Completed(0, b"C")),
        (("printf", r"a\000b\377\n\n"), Completed(0, b"a\0b\xff\n\n")),
    ],
)
async def test_a_command_that_is_asked_says_what_it_says(machine: Desk, argv: tuple[str, ...], expected: Completed) -> None:
    """Arguments arrive as they are, output and code come back, and one that cannot be run is no error of the machine."""
    fact = Ask(argv)

    shell, calls = await asked_both(machine, [fact])

    assert shell == calls == {fact: expected}


def end_sleeper(pid: int) -> None:
    """End a process that sleeps, if that is who has the number still."""
    assert until(lambda: b"sleep" in Path(f"/proc/{pid}/cmdline").read_bytes())  # It may just become one.
    os.kill(pid, 9)


async def test_what_a_question_leaves_behind_holds_nobody_up(machine: Desk) -> None:
    """A process in the background that has the outputs open is not waited for."""
    fact = Ask(("sh", "-c", "sleep 30 & echo $!"))

    answers = await machine.host.ask([fact])
    pid = int(answers[fact].stdout)

    end_sleeper(pid)


async def test_the_machine_says_who_it_is(machine: Desk) -> None:
    """User, number, home and folder are those of the shell, and the identity is the one that the machine has locally."""
    found = await machine.host.machine()

    assert (found.uid, found.home) == (os.geteuid(), machine.shell.environment["HOME"])
    assert found.folder == str(machine.log.parent.parent)
    assert await machine.host.identity() == await LocalConnector().identity()
    assert await machine.host.is_root() == (os.geteuid() == 0)


async def test_root_is_known_without_a_process(shell_name: str, tmp_path: Path) -> None:
    """What id(1) would say is in files that a shell reads itself; the umask of whom we work as, too. Of others it says it."""
    (tmp_path / "id").write_text("#!/bin/sh\necho 'uid=7(of-id)'\n")
    (tmp_path / "id").chmod(0o755)
    before = ("/bin/sh", "-c", 'umask 027 && exec "$0" "$@"')
    async with desk(local_shell(shell_name, first=str(tmp_path), before=before)) as machine:
        found = await machine.host.machine()

    assert (found.user, found.uid) == (("of-id", 7) if os.geteuid() else ("root", 0))
    assert found.umask == "0027"
