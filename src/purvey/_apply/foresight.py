"""What a machine will answer at each point of a batch: an operation is decided before those before it are performed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from purvey._hosts.change import Run, foreseen

if TYPE_CHECKING:
    from purvey._hosts.change import Change
    from purvey._hosts.fact import Answer, Fact, Unanswered
    from purvey._plan.plan import Operation

    Known = dict[Fact, Answer | Unanswered]


class Foresight:
    """What is known, and what is known behind a command that may change anything.

    For what needs such a command nothing is certain that was not made certain since. For all else the last answers stand: the
    machine compares them with what it finds, and does nothing where they are not true any more.

    Args:
        known: What the machine has answered.
    """

    def __init__(self, known: Mapping[Fact, Answer | Unanswered]) -> None:
        self._known: Known = dict(known)
        self._behind: Known = {}
        self._uncertain: set[str] = set()

    def of(self, operation: Operation) -> Mapping[Fact, Answer | Unanswered]:
        """What is known where the operation is reached."""
        return self._known if self._uncertain.isdisjoint(operation.needs) else self._behind

    def learn(self, answers: Mapping[Fact, Answer | Unanswered]) -> None:
        """Take in what was asked before anything is performed."""
        self._known.update(answers)
        self._behind.update(answers)

    def follow(self, operation: Operation, changes: Sequence[Change], us: str) -> None:
        """Take in what an operation will do; `us` is the user that we work as."""
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
