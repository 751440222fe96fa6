"""What an operation that is only planned may do to the answers of its machine. Pure.

As `purvey._apply.foresight` for a batch, but where that goes by the last answers and lets the machine compare, a plan has to be
true before anybody has compared anything: an answer that may be another one by then is open.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

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
    paths_changed,
)
from purvey._hosts.fact import Answer, Ask, ContentOf, DigestOf, Fact, FileStat, StatOf, Unanswered
from purvey._hosts.paths import OWN_FOLDER, is_in

if TYPE_CHECKING:
    from typing import TypeAlias


class Open(msgspec.Struct, frozen=True):
    """An answer that nobody can know before an operation is performed."""

    root: str


Foreseen: TypeAlias = "Answer | Unanswered | Open"

_ANYWHERE: Final = "/"


class Consequence(msgspec.Struct, frozen=True, kw_only=True):
    """What an operation may do to its machine.

    Attributes:
        address: Its node.
        where: Its machine.
        root: The node on which it hangs: itself, or the one that leaves open what it does.
        changes: What it does; None where that is open.
        own: What it asks about itself.
        reaches: See `HostProvider.reaches`.
        us: As whom purvey works there.
    """

    address: str
    where: str
    root: str
    changes: tuple[Change, ...] | None
    own: frozenset[Fact]
    reaches: tuple[str, ...] | None
    us: str

    def after(self, fact: Fact, before: Foreseen, looks_at: Sequence[str] | None) -> Foreseen:
        """What is answered when it is done, if `before` was answered until then.

        Args:
            fact: The question.
            before: The answer before.
            looks_at: Of who asks; see `HostProvider.looks_at`.
        """
        if self.reaches is None:
            return Open(self.root)
        if isinstance(fact, Ask):
            return self._after_ask(fact, before, looks_at)
        if self.changes is None:
            return Open(self.root) if is_in(fact.path, self._paths()) else before
        if is_in(fact.path, self.reaches):
            return Open(self.root)
        for change in self.changes:
            before = self._after_run(change, fact, before) if isinstance(change, Run) else _after(change, fact, before, self)
        return before

    def _after_ask(self, ask: Ask, before: Foreseen, looks_at: Sequence[str] | None) -> Foreseen:
        if looks_at is None or (self.changes is None and ask in self.own):
            return Open(self.root)
        changed = list(self._paths())
        if any(is_in(path, looks_at) or is_in(looked, [path]) for path in changed for looked in looks_at):
            return Open(self.root)
        for change in self.changes or ():
            if isinstance(change, Run):
                before = self._after_run(change, ask, before)
        return before

    def _after_run(self, change: Run, fact: Fact, before: Foreseen) -> Foreseen:
        """A command of a kind that says how far it reaches changes, beyond that, what it asks about itself at most."""
        told = dict(change.foresees)
        if fact in told:
            return told[fact]
        touched = self.own if change.touches is None else change.touches
        return Open(self.root) if fact in touched or _lacks_name(before) else before

    def _paths(self) -> Iterator[str]:
        """The paths at which something may be different afterwards."""
        yield from self.reaches if self.reaches is not None else (_ANYWHERE,)
        if self.changes is None:
            yield from (fact.path for fact in self.own if not isinstance(fact, Ask) and not is_private(fact.path))
            return
        for change in self.changes:
            yield from (path for path in paths_changed(change) if not is_private(path))


def does_anything(changes: Iterable[Change], known: Mapping[Fact, Answer | Unanswered], folder: str) -> bool:
    """Whether changes leave a machine other than it was; what purvey keeps there, in `folder`, does not count."""
    return any(_does(change, known, folder) for change in changes)


def _does(change: Change, known: Mapping[Fact, Answer | Unanswered], folder: str) -> bool:
    if isinstance(change, Run):
        return True
    if isinstance(change, Keep | MakeOwnFolder) or is_private(change.path) or is_in(change.path, [folder]):
        return False
    if isinstance(change, Remove):
        return not any(fact in known and known[fact] is None for fact in (StatOf(change.path), ContentOf(change.path)))
    status = known.get(StatOf(change.path))
    if not isinstance(status, FileStat) or not isinstance(change, SetAttributes | Write):
        return True
    wished = {"mode": change.mode, "owner": change.owner, "group": change.group}
    if any(value is not None and getattr(status, name) != value for name, value in wished.items()):
        return True
    return isinstance(change, Write) and not _holds(change, known)


def _holds(change: Write, known: Mapping[Fact, Answer | Unanswered]) -> bool:
    """Whether a file is known to hold already what is written."""
    digest = hashlib.sha256(change.data).hexdigest()
    return known.get(ContentOf(change.path)) == change.data or known.get(DigestOf(change.path)) == digest


def _lacks_name(answer: Foreseen) -> bool:
    """Whether an owner or a group is a mere number: who makes a user or a group may give it a name."""
    return isinstance(answer, FileStat) and (answer.owner.isdecimal() or answer.group.isdecimal())


def is_private(path: str) -> bool:
    """Whether a path is one of purvey's own, which nobody else looks at."""
    return path.startswith(OWN_FOLDER)


def _after(change: Change, fact: Fact, before: Foreseen, of: Consequence) -> Foreseen:
    """The answer about a path after a change that is no command."""
    assert not isinstance(fact, Ask | Run)  # They are told apart before.
    if isinstance(change, Keep | MakeOwnFolder | Run) or not is_in(fact.path, [change.path]):
        return before
    if fact.path != change.path:
        return _below(change, before, of)
    if isinstance(change, Write):
        return _of_file(change, fact, of.us)
    if isinstance(change, MakeDirectory):
        made = FileStat("directory", change.mode, change.owner or of.us, change.group or of.us, 0)
        return made if isinstance(fact, StatOf) else None
    if isinstance(change, MakeLink):
        return FileStat("link", 0o777, of.us, of.us, 0, change.target) if isinstance(fact, StatOf) else Open(of.root)
    if isinstance(change, SetAttributes):
        return _with(change, before)
    return Open(of.root) if isinstance(change, Restore) or (change.if_empty and before is not None) else None


def _below(change: Change, before: Foreseen, of: Consequence) -> Foreseen:
    """The answer about what is below a changed path: a folder that is made, or gets other attributes, leaves that alone."""
    if isinstance(change, MakeDirectory | SetAttributes) or (isinstance(change, Remove) and change.if_empty):
        return before
    return Open(of.root) if isinstance(change, MakeLink | Restore) else None


def _of_file(change: Write, fact: Fact, us: str) -> Answer:
    """What is answered about a file that was written; the group of one that gets none of its own is taken to be ours."""
    if isinstance(fact, StatOf):
        return FileStat("file", change.mode, change.owner or us, change.group or us, len(change.data))
    return hashlib.sha256(change.data).hexdigest() if isinstance(fact, DigestOf) else change.data


def _with(change: SetAttributes, before: Foreseen) -> Foreseen:
    if not isinstance(before, FileStat):
        return before
    given = {"mode": change.mode, "owner": change.owner, "group": change.group}
    return msgspec.structs.replace(before, **{name: value for name, value in given.items() if value is not None})
