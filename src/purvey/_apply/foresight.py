"""What a machine will answer at each point of a batch: an operation is decided before those before it are performed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from purvey._hosts.change import Run, foreseen, paths_changed
from purvey._hosts.fact import Ask
from purvey._hosts.paths import is_in

if TYPE_CHECKING:
    from purvey._hosts.change import Change
    from purvey._hosts.fact import Answer, Fact, Unanswered
    from purvey._plan.plan import Operation

    Known = dict[Fact, Answer | Unanswered]


class Foresight:
    """What is known, and what is known behind a command that may change anything.

    For what needs such a command nothing is certain that was not made certain since. Nor is what a program says that looks at
    what was changed before. For all else the last answers stand: the machine compares them with what it finds, and does nothing
    where they are not true any more.

    Args:
        known: What the machine has answered.
    """

    def __init__(self, known: Mapping[Fact, Answer | Unanswered]) -> None:
        self._known: Known = dict(known)
        self._behind: Known = {}
        self._uncertain: set[str] = set()
        self._followed: dict[str, tuple[Operation, Sequence[Change]]] = {}

    def of(self, operation: Operation, looks_at: Sequence[str] | None = ()) -> Mapping[Fact, Answer | Unanswered]:
        """What is known where the operation is reached.

        Args:
            operation: The operation.
            looks_at: Of its kind; see `purvey.providers.host.HostProvider.looks_at`.
        """
        known = self._known if self._uncertain.isdisjoint(operation.needs) else self._behind
        if looks_at == () or not self._may_see_another(operation, looks_at):
            return known
        return {fact: answer for fact, answer in known.items() if not isinstance(fact, Ask)}

    def _may_see_another(self, operation: Operation, looks_at: Sequence[str] | None) -> bool:
        """Whether its programs may say something else than before, for something that it needs has changed."""
        waiting, seen = [*operation.needs], set[str]()
        while waiting:
            need = waiting.pop()
            if need in self._followed and need not in seen:
                seen.add(need)
                before, changes = self._followed[need]
                places = looks_at or ()
                meets = any(is_in(path, places) or any(is_in(place, [path]) for place in places) for path in _paths(changes))
                if meets or (looks_at is None and changes):
                    return True
                waiting += before.needs
        return False

    def learn(self, answers: Mapping[Fact, Answer | Unanswered]) -> None:
        """Take in what was asked before anything is performed."""
        self._known.update(answers)
        self._behind.update(answers)

    def follow(self, operation: Operation, changes: Sequence[Change], us: str) -> None:
        """Take in what an operation will do; `us` is the user that we work as."""
        self._followed[operation.id] = (operation, changes)
        if not self._uncertain.isdisjoint(operation.needs):
            self._uncertain.add(operation.id)
        for change in changes:
            if isinstance(change, Run) and change.touches is None:
                self._uncertain.add(operation.id)
                self._behind = dict(change.foresees)
                self._known.update(change.foresees)
            else:
                foreseen(change, self._known, us)
                foreseen(change, self._behind, us)


def _paths(changes: Sequence[Change]) -> Iterator[str]:
    return (path for change in changes if not isinstance(change, Run) for path in paths_changed(change))
