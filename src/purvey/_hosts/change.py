"""What can be changed on a machine, as data: shown, compared and tested without one, and sent to it many at a time.

Each change is atomic for those who look, durable when it is done, and may be repeated. What a change makes of the answers to
questions follows from it, so that the next one can be decided before this one has happened (`foreseen`).
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import msgspec

from purvey._hosts.command import Command
from purvey._hosts.fact import Answer, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf, Unanswered


class Write(msgspec.Struct, frozen=True, tag="write", tag_field="do"):
    """Put a file there, at once and whole, in place of a file or link; the old one stays if anything fails.

    Args:
        path: The file; its folder exists.
        data: The content; readable by nobody else before it has its owner and mode.
        mode: Permission bits.
        owner: Name of the owner; None for us.
        group: Name of the group; None for the one that the folder gives.
        validate: A command that must accept the new file, ``{path}`` in its arguments, before it replaces the old.
    """

    path: str
    data: bytes
    mode: int
    owner: str | None = None
    group: str | None = None
    validate: Command | None = None

    def __repr__(self) -> str:
        """Never the content, which may be secret."""
        return f"Write({self.path!r}, {len(self.data)} bytes, {self.mode:04o})"


class MakeDirectory(msgspec.Struct, frozen=True, tag="directory", tag_field="do"):
    """Make a directory in an existing one; one that is there gets these attributes."""

    path: str
    mode: int
    owner: str | None = None
    group: str | None = None


class MakeOwnFolder(msgspec.Struct, frozen=True, tag="own_folder", tag_field="do"):
    """Make one of purvey's own folders, closed to others, and the ones above it where they are missing."""

    path: str


class MakeLink(msgspec.Struct, frozen=True, tag="link", tag_field="do"):
    """Put a symbolic link to `target` there, at once, in place of a file or link."""

    path: str
    target: str


class SetAttributes(msgspec.Struct, frozen=True, tag="attributes", tag_field="do"):
    """Change what is given; a link changes itself, and has no mode."""

    path: str
    mode: int | None = None
    owner: str | None = None
    group: str | None = None


class Remove(msgspec.Struct, frozen=True, tag="remove", tag_field="do"):
    """Remove a file, a link or an empty directory; nothing if there is nothing.

    Args:
        path: What.
        whole: Remove a directory with all that is in it.
        if_empty: Leave a directory that is not empty as it is, instead of failing.
    """

    path: str
    whole: bool = False
    if_empty: bool = False


class Keep(msgspec.Struct, frozen=True, tag="keep", tag_field="do"):
    """Keep a copy of what a file holds, for an undo of this operation.

    The copy is a line of text, ``TOKEN MODE UID GID``, then the content, readable by nobody else; ``TOKEN`` alone where no file
    was. It is made by the first attempt only, so that an operation which is called again does not take its own work for the
    former state.

    Args:
        path: The file.
        copy: Where the copy is; its folder is made, closed to others.
        token: The operation.
    """

    path: str
    copy: str
    token: str


class Restore(msgspec.Struct, frozen=True, tag="restore", tag_field="do"):
    """Put back what the operation `token` has kept; where it kept nothing, do what is said instead."""

    path: str
    copy: str
    token: str
    otherwise: tuple[Write | SetAttributes | Remove, ...] = ()


class Run(msgspec.Struct, frozen=True, tag="run", tag_field="do"):
    """Run a command, which must succeed.

    Args:
        command: The command.
        codes: The return codes that are success.
        repeats: Whether it may be run again where nobody knows whether it has had its effect.
        foresees: Answers that it leaves behind, as far as they are known before.
        touches: Questions whose answers it may change, in a way that is not known before; None: any.
        in_english: Whether its language is C, so that what it says can be understood here. A command that is a script's own has
            to see to it that it gets the machine's.
    """

    command: Command
    codes: tuple[int, ...] = (0,)
    repeats: bool = True
    foresees: tuple[tuple[Fact, Answer], ...] = ()
    touches: tuple[Fact, ...] | None = ()
    in_english: bool = True

    @property
    def spoken(self) -> Command:
        """The command with the variable for its language, unless it has one."""
        if not self.in_english or "LC_ALL" in {**self.command.env, **self.command.secret_env}:
            return self.command
        return msgspec.structs.replace(self.command, env={"LC_ALL": "C", **self.command.env})


Change: TypeAlias = Write | MakeDirectory | MakeOwnFolder | MakeLink | SetAttributes | Remove | Keep | Restore | Run


def paths_changed(change: Change) -> tuple[str, ...]:
    """The paths that a change is about; a command's are its own."""
    if isinstance(change, Run):
        return ()
    if isinstance(change, Keep):
        return (change.copy,)
    if isinstance(change, Restore):
        return (change.path, *(path for item in change.otherwise for path in paths_changed(item)))
    return (change.path,)


def foreseen(change: Change, known: dict[Fact, Answer | Unanswered], us: str) -> None:
    """Let `known` say what a machine will answer after a change; what nobody can say before is taken out.

    Nothing is certain any more about what is below a changed path, nor, where folders are made on the way, about those above.

    Args:
        change: The change.
        known: The answers before; changed in place.
        us: The user that we work as, who owns what is made.
    """
    if isinstance(change, Run):
        _after_run(change, known)
        return
    for changed in paths_changed(change):
        for ask in (StatOf, DigestOf, ContentOf):
            known.pop(ask(changed), None)
        below = f"{changed}/"
        for fact in [fact for fact in known if not isinstance(fact, Ask) and fact.path.startswith(below)]:
            del known[fact]
        if isinstance(change, Keep | MakeOwnFolder):
            for fact in [fact for fact in known if not isinstance(fact, Ask) and changed.startswith(f"{fact.path}/")]:
                del known[fact]
    known.update(_after(change, us))


def _after_run(change: Run, known: dict[Fact, Answer | Unanswered]) -> None:
    if change.touches is None:
        known.clear()
    for fact in change.touches or ():
        known.pop(fact, None)
    known.update(change.foresees)


def _after(change: Change, us: str) -> dict[Fact, Answer]:
    """What is certain of a path after a change of it."""
    if isinstance(change, Remove) and not change.if_empty:
        return {StatOf(change.path): None, DigestOf(change.path): None, ContentOf(change.path): None}
    found: dict[Fact, Answer] = {}
    if isinstance(change, Write):
        found |= {DigestOf(change.path): hashlib.sha256(change.data).hexdigest(), ContentOf(change.path): change.data}
        named = not any((name or "").isdecimal() for name in (change.owner, change.group))  # A number may have a name.
        if change.group is not None and named:  # Else the folder gives it.
            found[StatOf(change.path)] = FileStat("file", change.mode, change.owner or us, change.group, len(change.data))
    return found
