"""Questions and steps on the machine that purvey runs on, by the system's own calls: what a shell does elsewhere.

There is no log as on other machines, because nothing here outlives purvey: a command is ended when its run is.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, assert_never

import msgspec

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
)
from purvey._hosts.command import Command, check
from purvey._hosts.fact import Answer, Answers, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf, Unanswered
from purvey._hosts.step import Broken, Ended, Ending, Mismatch, NotReached, Step
from purvey.errors import HostError

if TYPE_CHECKING:
    from purvey._hosts.connector import Told
    from purvey._hosts.local import LocalConnector


async def ask(host: LocalConnector, facts: Sequence[Fact]) -> Answers:
    """See `Connector.ask`."""
    return Answers({fact: await _answer(host, fact) for fact in dict.fromkeys(facts)})


async def perform(host: LocalConnector, steps: Sequence[Step], told: Told) -> list[Ending]:
    """See `Connector.perform`."""
    endings: list[Ending] = [NotReached()] * len(steps)
    for number, step in enumerate(steps):
        if step.is_told:
            told(number, None)
        endings[number] = await _perform(host, step)
        told(number, endings[number])
        if not isinstance(endings[number], Ended):
            break
    return endings


async def _answer(host: LocalConnector, fact: Fact) -> Answer | Unanswered:
    try:
        return await _answered(host, fact)
    except HostError as error:
        if error.code not in ("denied", "failed", "invalid", "timeout"):
            raise
        return Unanswered(error.code, error.summary, error.detail)  # type: ignore[arg-type]


async def _answered(host: LocalConnector, fact: Fact) -> Answer:
    match fact:
        case StatOf(path):
            return await host.stat(path)
        case DigestOf(path):
            return await host.digest(path) if await _is_file(host, path) else None
        case ContentOf(path):
            return await host.read(path) if await _is_file(host, path) else None
        case Ask(argv):
            return await host.run(Command(argv, env={"LC_ALL": "C"}))
    assert_never(fact)


async def _is_file(host: LocalConnector, path: str) -> bool:
    status = await host.stat(path)
    return status is not None and status.kind == "file"


async def _perform(host: LocalConnector, step: Step) -> Ending:
    for number, (fact, answer) in enumerate(step.guard):
        if _differs(await _answer(host, fact), answer):
            return Mismatch(number)
    out, err = b"", b""
    try:
        for change in step.changes:
            if isinstance(change, Run):
                completed = await host.run(change.command)
                if completed.returncode not in change.codes:
                    check(change.command, completed)
                out, err = out + completed.stdout, err + completed.stderr
            else:
                await _change(host, change)
        return Ended(out, err, await ask(host, step.after))
    except HostError as error:
        return Broken(error)


def _differs(now: Answer | Unanswered, then: Answer) -> bool:
    """Whether an answer is another one; the size of a folder tells nothing, and that of a file its content does."""
    if isinstance(now, FileStat) and isinstance(then, FileStat):
        return msgspec.structs.replace(now, size=0) != msgspec.structs.replace(then, size=0)
    return now != then


async def _change(host: LocalConnector, change: Change) -> None:
    match change:
        case Write(path, data, mode, owner, group, validate):
            await host.write(path, data, mode=mode, owner=owner, group=group, validate=validate)
        case MakeDirectory(path, mode, owner, group):
            await host.make_directory(path, mode=mode, owner=owner, group=group)
        case MakeOwnFolder(path):
            await _own_folder(host, path)
        case MakeLink(path, target):
            await host.link(path, target)
        case SetAttributes(path, mode, owner, group):
            await host.set_attributes(path, mode=mode, owner=owner, group=group)
        case Remove():
            await _remove(host, change)
        case Keep():
            await _keep(host, change)
        case Restore():
            await _restore(host, change)
        case Run():
            raise AssertionError(change)
        case _:
            assert_never(change)


async def _remove(host: LocalConnector, change: Remove) -> None:
    if change.whole:
        await host.remove_tree(change.path)
        return
    try:
        await host.remove(change.path)
    except HostError as error:
        if not (change.if_empty and error.code == "conflict"):
            raise


async def _keep(host: LocalConnector, change: Keep) -> None:
    status = await host.stat(change.path)
    if status is None or status.kind != "file" or await _kept(host, change.copy) == change.token:
        return
    content = await host.read(change.path)
    await _own_folder(host, str(PurePosixPath(change.copy).parent))
    head = f"{change.token} {status.mode:o} {status.owner} {status.group}\n".encode()
    await host.write(change.copy, head + content, mode=0o600)


async def _restore(host: LocalConnector, change: Restore) -> None:
    if await _kept(host, change.copy) == change.token:
        head, _, content = (await host.read(change.copy)).partition(b"\n")
        _, mode, owner, group = head.decode().split(" ")
        await host.write(change.path, content, mode=int(mode, 8), owner=owner, group=group)
        return
    for item in change.otherwise:
        await _change(host, item)


async def _kept(host: LocalConnector, copy: str) -> str:
    """The operation that kept a copy; empty if there is none."""
    if await host.stat(copy) is None:
        return ""
    return (await host.read(copy)).partition(b" ")[0].decode()


async def _own_folder(host: LocalConnector, folder: str) -> None:
    """Make an object's own folder, closed to others, and the ones above it where they are missing."""
    missing: list[str] = []
    above = PurePosixPath(folder).parent
    while await host.stat(str(above)) is None:
        missing.append(str(above))
        above = above.parent
    for parent in reversed(missing):
        await host.make_directory(parent, mode=0o755)
    await host.make_directory(folder, mode=0o700)
