"""Questions and steps on the machine that purvey runs on, by the system's own calls: what a shell does elsewhere.

Nothing here outlives purvey: a command is ended when its run is. So only what must not be done twice is remembered
(`LocalLog`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, assert_never

import msgspec

from purvey._base.limits import EVIDENCE_BYTES_MAX
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
    paths_changed,
)
from purvey._hosts.command import OUT_BYTES_MAX, Command, Completed, failed
from purvey._hosts.fact import Answer, Answers, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf, Unanswered
from purvey._hosts.local_users import gid_of, uid_of
from purvey._hosts.paths import parent, require_sound
from purvey._hosts.step import Broken, Ended, Ending, Mismatch, NotReached, Step
from purvey.errors import HostError

if TYPE_CHECKING:
    from purvey._hosts.connector import Told
    from purvey._hosts.local import LocalConnector
    from purvey._hosts.local_log import LocalLog


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
        if host.is_halted or not isinstance(endings[number], Ended):
            break
    return endings


async def _answer(host: LocalConnector, fact: Fact) -> Answer | Unanswered:
    try:
        if not isinstance(fact, Ask):
            require_sound(fact.path)
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
            return await _said(host, Command(argv, env={"LC_ALL": "C"}))
    assert_never(fact)


async def _said(host: LocalConnector, command: Command) -> Completed:
    """What a command says; one that cannot be run ends as shells have it."""
    try:
        return msgspec.structs.replace(await host.run(command), stderr=b"")
    except HostError as error:
        if error.code not in ("not_found", "denied"):
            raise
        return Completed(127 if error.code == "not_found" else 126)


async def _is_file(host: LocalConnector, path: str) -> bool:
    status = await host.stat(path)
    return status is not None and status.kind == "file"


async def _perform(host: LocalConnector, step: Step) -> Ending:
    """Perform one step; what must not be done twice is told again instead."""
    if host.log is None or not step.once:
        return await _performed(host, step)
    known = host.log.known(step)
    if isinstance(known, Ended):
        return msgspec.structs.replace(known, answers=await ask(host, step.after))
    return known if known is not None else await _performed(host, step, host.log)


async def _performed(host: LocalConnector, step: Step, log: LocalLog | None = None) -> Ending:
    for number, (fact, answer) in enumerate(step.guard):
        if _differs(await _answer(host, fact), answer):
            return Mismatch(number)
    if log is not None:
        log.begin(step)
    ending: Ended | Broken
    try:
        ending = await _changed(host, step)
    except HostError as error:
        ending = Broken(error)
    if log is not None:
        log.end(step, ending)
    return msgspec.structs.replace(ending, answers=await ask(host, step.after)) if isinstance(ending, Ended) else ending


async def _changed(host: LocalConnector, step: Step) -> Ended | Broken:
    """Make the changes of a step."""
    out, err, code = b"", b"", 0
    for change in step.changes:
        if isinstance(change, Run):
            completed = await host.run(change.spoken)
            if completed.returncode not in change.codes:
                return Broken(failed(change.command, completed))
            out, err, code = out + completed.stdout, err + completed.stderr, completed.returncode
        else:
            for path in paths_changed(change):
                require_sound(path)
            await _change(host, change)
    return Ended(out[-OUT_BYTES_MAX:], err[-EVIDENCE_BYTES_MAX:], returncode=code)


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
    if (await _kept(host, change.copy))[:1] == [change.token]:
        return
    status = await host.stat(change.path)
    head, content = change.token, b""
    if status is not None and status.kind == "file":
        head += f" {status.mode:o} {uid_of(status.owner)} {gid_of(status.group)}"
        content = await host.read(change.path)
    await _own_folder(host, parent(change.copy))
    await host.write(change.copy, f"{head}\n".encode() + content, mode=0o600)


async def _restore(host: LocalConnector, change: Restore) -> None:
    match await _kept(host, change.copy):
        case [change.token, mode, owner, group]:
            _, _, content = (await host.read(change.copy)).partition(b"\n")
            await host.write(change.path, content, mode=int(mode, 8), owner=owner, group=group)
        case _:
            for item in change.otherwise:
                await _change(host, item)


async def _kept(host: LocalConnector, copy: str) -> list[str]:
    """The operation that kept a copy, and the mode, owner and group of what was there; nothing if there is no copy."""
    if await host.stat(copy) is None:
        return []
    return (await host.read(copy)).partition(b"\n")[0].decode().split(" ")


async def _own_folder(host: LocalConnector, folder: str) -> None:
    """Make an object's own folder, closed to others, and the ones above it where they are missing."""
    missing: list[str] = []
    above = folder
    while not await host.is_folder(above):
        missing.append(above)
        above = parent(above)
    for path in reversed(missing):
        await host.make_directory(path, mode=0o700 if path == folder else 0o755)
