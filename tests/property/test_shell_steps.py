"""A machine behind a shell and this machine's own calls make the same of the same steps, and it is what was foreseen."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purvey._hosts.change import (
    Change,
    Keep,
    MakeDirectory,
    MakeLink,
    MakeOwnFolder,
    Remove,
    Restore,
    Run,
    SetAttributes,
    Write,
    foreseen,
)
from purvey._hosts.command import Command
from purvey._hosts.connector import Connector
from purvey._hosts.fact import Answer, Answers, ContentOf, DigestOf, Fact, StatOf, Unanswered
from purvey._hosts.local import LocalConnector
from purvey._hosts.step import Broken, Ended, Ending, Mismatch, Step, can_guard
from purvey.errors import HostError
from tests.support.shells import SHELLS, desk, local_shell

ROOT: Final = "{root}"
NAMES: Final = ("a", "b c", "d", "d/x", "d/y", "d/x/z", "l", "l/x", "-n'")
FILES: Final = tuple(f"{ROOT}/{name}" for name in NAMES)
OWNERS: Final = (None, "root", "nobody", "0", "no-such-user", "65533") if os.geteuid() == 0 else (None, "no-such-user")
GROUPS: Final = (None, "root", "daemon", "1", "no-such-group") if os.geteuid() == 0 else (None, "no-such-group")
USER: Final = "nobody" if os.geteuid() == 0 else None
Made = Callable[[str], Change]

paths = st.sampled_from(FILES)
owners, groups = st.sampled_from(OWNERS), st.sampled_from(GROUPS)
modes = st.sampled_from((0o644, 0o600, 0o755, 0o400, 0o2755, 0o4711, 0o1777, 0o664, 0o000, 0o700))
contents = st.sampled_from((b"", b"x", b"two\nlines\n\n", b"'\\%s\n", b"\0\xff", bytes(range(256)) * 40))
tokens = st.sampled_from(("T1", "T2"))
copies = st.sampled_from((f"{ROOT}/own/deep/copy 1", f"{ROOT}/own/copy 2"))
checks = st.sampled_from((
    None, Command(("test", "-s", "{path}")), Command(("no-such-program", "{path}")), Command(("cat", "{path}")),
))  # fmt: skip
commands = st.sampled_from((
    Command(("true",)), Command(("sh", "-c", "echo out; echo err >&2; exit 3")), Command(("no-such-program",)), Command(("/",)),
    Command(("sh", "-c", "pwd | tail -c 3; kill -15 $$"), cwd=f"{ROOT}/d"), Command(("cat",), stdin=b"in\0\n"),
    Command(("sh", "-c", 'printf %s "$A$B"'), env={"A": "a 'b"}, secret_env={"B": "$c"}),
    Command(("true",), user="no-such-user"),
    Command(("sh", "-c", 'id -un; echo "$user$timeout$S"'), {"user": "", "timeout": "3", "S": "/none"}, user=USER),
))  # fmt: skip
writes = st.builds(Write, paths, contents, modes, owners, groups, checks)
attributes = st.builds(SetAttributes, paths, st.one_of(st.none(), modes), st.just(None), groups)
removes = st.builds(Remove, paths, whole=st.booleans()) | st.builds(Remove, paths, if_empty=st.just(value=True))
changes = st.one_of(
    writes,
    st.builds(MakeDirectory, paths, modes, owners, groups),
    st.builds(MakeOwnFolder, st.sampled_from((f"{ROOT}/own/deep", f"{ROOT}/d/own"))),
    st.builds(
        MakeLink, paths.filter(lambda path: path not in (FILES[0], FILES[6])), st.sampled_from(("a", "nowhere", "x -> y"))
    ),
    attributes,
    removes,
    st.builds(Keep, paths, copies, tokens),
    st.builds(Restore, paths, copies, tokens, st.lists(writes | attributes | removes, max_size=2).map(tuple)),
    st.builds(Run, commands, st.sampled_from(((0,), (0, 3), (3, -15), (5,))), touches=st.just(())),
)
plans = st.lists(st.tuples(st.lists(changes, min_size=1, max_size=3), st.booleans()), min_size=1, max_size=6)


def placed(text: str, root: str) -> str:
    """A path in a folder."""
    return text.replace(ROOT, root)


def in_folder(change: Change, root: str) -> Change:
    """The same change in a folder."""
    match change:
        case Run(command):
            return Run(Command(command.argv, command.env, placed(command.cwd, root), command.user, command.stdin,
                               secret_env=command.secret_env), change.codes, touches=())  # fmt: skip
        case Keep(path, copy, token):
            return Keep(placed(path, root), placed(copy, root), token)
        case Restore(path, copy, token, otherwise):
            rest = [in_folder(item, root) for item in otherwise]
            assert all(isinstance(item, Write | SetAttributes | Remove) for item in rest)
            return Restore(placed(path, root), placed(copy, root), token, tuple(rest))  # type: ignore[arg-type]
        case Write(path, data, mode, owner, group, validate):
            return Write(placed(path, root), data, mode, owner, group, validate)
        case MakeDirectory(path, mode, owner, group):
            return MakeDirectory(placed(path, root), mode, owner, group)
        case SetAttributes(path, mode, owner, group):
            return SetAttributes(placed(path, root), mode, owner, group)
        case MakeLink(path, target):
            return MakeLink(placed(path, root), target)
        case Remove(path, whole, if_empty):
            return Remove(placed(path, root), whole, if_empty)
        case MakeOwnFolder(path):
            return MakeOwnFolder(placed(path, root))


def facts_of(root: str) -> list[Fact]:
    """All that is asked."""
    every = [
        placed(path, root) for path in (*FILES, f"{ROOT}/own", f"{ROOT}/own/deep", f"{ROOT}/own/copy 2", f"{ROOT}/d/own", ROOT)
    ]
    return [make(path) for path in every for make in (StatOf, DigestOf, ContentOf)]


def tree(root: str) -> dict[str, tuple[object, ...]]:
    """What is in a folder, as the system has it."""
    found: dict[str, tuple[object, ...]] = {}
    for path in (Path(root), *Path(root).rglob("*")):
        status = path.lstat()
        held = path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(root))] = (oct(status.st_mode), status.st_uid, status.st_gid, held)
    return found


def shown(ending: Ending) -> tuple[object, ...]:
    """An ending, so that two can be compared."""
    match ending:
        case Broken():
            return ("broken",)  # Where several things are wrong, the two may find another one first.
        case Ended(out, err, _, code):
            return ("ended", out, err, code)
        case Mismatch(guard):
            return ("mismatch", guard)
        case _:
            return (type(ending).__name__,)


def values(answers: Answers, root: str) -> dict[str, object]:
    """Answers by what was asked, without the folder."""
    found: dict[str, object] = {}
    for fact in facts_of(root):
        try:
            found[repr(fact).replace(root, "")] = answers[fact]
        except HostError as error:
            found[repr(fact).replace(root, "")] = error.code
    return found


def guarded(answers: Answers, root: str) -> list[tuple[Fact, Answer]]:
    """Guards that hold now."""
    return [(fact, answer) for fact, answer in known_of(answers, root).items() if can_guard(answer)][::2]


def known_of(answers: Answers, root: str) -> dict[Fact, Answer]:
    """What was answered."""
    found: dict[Fact, Answer] = {}
    for fact in facts_of(root):
        with contextlib.suppress(HostError):
            found[fact] = answers[fact]
    return found


async def performed(
    host: Connector, root: str, plan: Sequence[tuple[list[Change], bool]], us: str
) -> list[tuple[tuple[object, ...], dict[str, object]]]:
    """Perform a plan step by step; what each led to. What was foreseen must be what is answered."""
    found = []
    for number, (made, guards) in enumerate(plan):
        before = await host.ask(facts_of(root))
        work = tuple(in_folder(change, root) for change in made)
        step = Step(f"S{number}", 1, work, tuple(guarded(before, root)) if guards else (), tuple(facts_of(root)))
        (ending,) = await host.perform([step])
        after = await host.ask(facts_of(root))
        if isinstance(ending, Ended):
            known: dict[Fact, Answer | Unanswered] = {**known_of(before, root)}
            for change in work:
                foreseen(change, known, us)
            assert known == {fact: answer for fact, answer in known_of(after, root).items() if fact in known}
            assert values(ending.answers, root) == values(after, root)
        found.append((shown(ending), values(after, root)))
    return found


@pytest.mark.parametrize("steps_min", [1, 2], ids=["with a clerk", "without one"])
@pytest.mark.parametrize("name", SHELLS)
@given(plan=plans)
def test_both_ways_make_the_same_of_the_same_steps(name: str, steps_min: int, plan: list[tuple[list[Change], bool]]) -> None:
    """Endings, answers and trees are equal, and what was claimed to be known beforehand is what came."""
    roots = [tempfile.mkdtemp(prefix="purvey-test-") for _ in "12"]

    async def run() -> None:
        """Perform the plan in both ways."""
        async with desk(local_shell(name)) as machine:
            us = (await machine.host.machine()).user
            shell = await performed(machine.host, roots[0], plan, us)
            calls = await performed(LocalConnector(), roots[1], plan, us)
            for one, other in zip(shell, calls, strict=True):
                assert one[0] == other[0]
                assert set(one[1].items()) ^ set(other[1].items()) == set()
            assert tree(roots[0]) == tree(roots[1])

    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("purvey._hosts.program.CLERK_STEPS_MIN", steps_min)
            asyncio.run(run())
    finally:
        for root in roots:
            shutil.rmtree(root)
