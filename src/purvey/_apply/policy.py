"""What a run does when something fails: take back, keep, or go on. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

from purvey._graph import OnFailure, Turn

if TYPE_CHECKING:
    from purvey._apply.perform import Failure
    from purvey._plan.plan import Plan

Policy = Literal["keep", "undo", "undo_batch", "continue"]
"""From the one that goes before all others: to keep the evidence, then to undo, then to go on."""

_ORDER: tuple[Policy, ...] = ("keep", "undo", "undo_batch", "continue")


class Verdict(NamedTuple):
    """What follows from the failures of a stage.

    Attributes:
        failure: The one that decides.
        policy: What is done.
        only: The addresses that are taken back where it is not all of the run.
    """

    failure: Failure
    policy: Policy
    only: tuple[str, ...]


def story(failure: Failure, plan: Plan | None = None) -> str:
    """What was said of a failure, what to do, and where in the script it is."""
    changes = plan.changes if plan is not None else ()
    line = next((change.source for change in changes if change.address == failure.address), "")
    word = "is" if plan is not None and failure.address in plan.nodes else "was"
    declared = f"It {word} declared at {line}." if line else ""
    return "\n".join(part for part in (failure.detail, failure.hint, declared) if part)


class Policies:
    """Says what follows from failures.

    Args:
        plan: The stage's plan.
        usual: What the run does with a failure that its node says nothing about.
        failing: The checks that failed before the first write: their failure shows nothing of what was done.
    """

    def __init__(self, plan: Plan, usual: OnFailure, failing: Collection[str]) -> None:
        self._plan = plan
        self._usual = usual
        self._failing = failing

    def of(self, address: str, failed: Sequence[str]) -> Policy:
        """What follows from the failure at an address.

        Args:
            address: Where.
            failed: Everything that has failed so far, this one with it.
        """
        if address in self._failing:
            return "keep"
        node = self._plan.nodes.get(address)
        if node is None or node.options.on_failure:
            return (node and node.options.on_failure) or self._usual
        turn = node.options.turn
        if turn is None:
            return self._usual
        if len({other.machine for other in self._turns(turn.rollout, failed)}) <= turn.failures_max:
            return "continue"
        return turn.on_failure or self._usual

    def verdict(self, failures: Sequence[Failure]) -> Verdict:
        """What follows from all the failures of the stage."""
        failed = [failure.address for failure in failures]
        policies = {address: self.of(address, failed) for address in failed}
        failure = min(failures, key=lambda item: _ORDER.index(policies[item.address]))
        policy = policies[failure.address]
        return Verdict(failure, policy, self._batch(failure, failed) if policy == "undo_batch" else ())

    def _batch(self, failure: Failure, failed: Sequence[str]) -> tuple[str, ...]:
        """The nodes of the batch in which too many had failed."""
        rollout = _turn(self._plan, failure.address).rollout
        last = max(turn.batch for turn in self._turns(rollout, failed))
        nodes = self._plan.nodes.values()
        return tuple(
            node.address for node in nodes
            if (turn := node.options.turn) is not None and (turn.rollout, turn.batch) == (rollout, last)
        )  # fmt: skip

    def _turns(self, rollout: str, failed: Sequence[str]) -> list[Turn]:
        """Whose turns they were in one rolling change."""
        nodes = [self._plan.nodes[address] for address in failed if address in self._plan.nodes]
        turns = [node.options.turn for node in nodes]
        return [turn for turn in turns if turn is not None and turn.rollout == rollout]


def _turn(plan: Plan, address: str) -> Turn:
    turn = plan.nodes[address].options.turn
    assert turn is not None  # Only a turn says that its batch is to be taken back.
    return turn
