"""A plan: data that says what will change, why, in which order, and how each change is undone.

Changes are for people, operations for the executor; both come from one decision. A plan can be saved, compared, approved
elsewhere and printed as a few lines.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from purvey._base.compare import FieldChange
from purvey._base.value import Value
from purvey._graph import Later, Node, Pause

Action = Literal["create", "update", "replace", "delete", "forget", "adopt", "check", "none", "unreadable"]
"""What happens to a node. ``forget`` drops a record without a call; ``adopt`` records what exists already."""

Verb = Literal["create", "update", "delete", "forget", "adopt", "check", "undo"]
"""What an operation does to one object."""

Verdict = Literal["", "will", "will not", "cannot know"]
"""Whether an operation changes anything on its machine; empty for one that is on none. See `Change.verdict`."""

UNSURE: Final = "(unsure)"
"""What stands among the fields of a change where nobody can know beforehand which of them will differ."""

FORMAT: Final = 1
"""Version of the plan format, in files and in JSON."""


class Change(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What happens to one node, for people.

    Attributes:
        address: The node.
        kind: Its kind.
        action: What happens to it.
        fields: The fields that differ.
        cause: Why, in words: ``declared at shop.py:12``, ``drift``, ``web.py:3: `port` changed``.
        reasons: For a replacement: what cannot be changed in place.
        undo: How an undo takes it back, in words.
        final: Whether no undo can take it back.
        gap: For a replacement: the old object goes before the new one is there.
        holds_data: Whether data would be lost that nothing restores.
        protected: Whether the object is protected, and from where (``shop.py:12``); empty if not.
        goes_with: The container that it goes with, where its own deletion needs no call.
        moved_from: The address it had before.
        source: ``file:line`` of the declaration; of the last one for a delete.
        generation: The generation that the change makes or touches.
        where: The machine that it is on, as it is recorded; empty for this one.
        verdict: Whether it changes anything on its machine: it ``will``; it ``will not``, for all that changes is the record;
            or one ``cannot know`` yet, because it depends on what an operation before it leaves behind.
        leaves: What stays in the world when the object goes: ``the home /srv/ana``.
        why: Why that cannot be known: ``depends on packages.Apt::nginx, which is not there yet``.
    """

    address: str
    kind: str
    action: Action
    fields: tuple[FieldChange, ...] = ()
    cause: str = ""
    reasons: tuple[str, ...] = ()
    undo: str = ""
    final: bool = False
    gap: bool = False
    holds_data: bool = False
    protected: str = ""
    goes_with: str = ""
    moved_from: str = ""
    source: str = ""
    generation: int = 1
    where: str = ""
    verdict: Verdict = ""
    why: str = ""
    leaves: tuple[str, ...] = ()

    @property
    def touches(self) -> bool:
        """Whether the object in the world is made, changed or removed."""
        return self.action in ("create", "update", "replace", "delete", "adopt")

    @property
    def removes(self) -> bool:
        """Whether an object goes: it is deleted, replaced, or dropped with what it lives in."""
        return self.action in ("delete", "replace") or bool(self.goes_with)


class Operation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to perform, for the executor.

    Attributes:
        id: ``verb address #generation``, unique in the plan.
        verb: What to do.
        address: To which node.
        generation: To which of its objects.
        needs: Ids of the operations that must be complete first.
        planned: The fields that the plan says will change; the operation may change fewer, never others.
        prior: The generation that it replaces, 0 if none.
        undoes: The operation id in the journal that it takes back.
        gates: A check downstream of a change: its failure fails the run.
        despite: Those of `needs` that may also have failed, or never have started because of a failure.
    """

    id: str
    verb: Verb
    address: str
    generation: int
    needs: tuple[str, ...] = ()
    planned: tuple[str, ...] = ()
    prior: int = 0
    undoes: str = ""
    gates: bool = True
    despite: tuple[str, ...] = ()


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything that one stage of a run will do.

    Attributes:
        stack: ``name/environment``.
        verb: ``apply``, ``destroy``, ``undo`` or ``drift``.
        stage: Counts from 1.
        changes: One for each node that changes, in dependency order; deletions last.
        operations: Creates, updates and checks, and deletions that must come first.
        deletions: Deletions that wait until every check has passed.
        nodes: The declarations behind the operations, by address.
        unchanged: How many nodes stay as they are.
        skipped: Addresses passed over by `--target` or `--exclude`.
        restated: Nodes whose object stays as it is and whose record follows the declaration: other options, other needs.
        pauses: Where the script waits for values of this stage.
        later: What an approval of this plan covers of the stages to come.
        outputs: The stack's outputs, as far as they are known.
        warnings: Sentences worth reading before saying yes.
        refusals: Why an apply would be refused, as far as guards can tell from the plan.
    """

    stack: str
    verb: str = "apply"
    stage: int = 1
    changes: tuple[Change, ...] = ()
    operations: tuple[Operation, ...] = ()
    deletions: tuple[Operation, ...] = ()
    nodes: dict[str, Node] = {}
    unchanged: int = 0
    skipped: tuple[str, ...] = ()
    restated: tuple[str, ...] = ()
    pauses: tuple[Pause, ...] = ()
    later: Later | None = None
    outputs: dict[str, Value] = {}
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether nothing would change; checks that run, and a pause without changes, are no change."""
        return not any(change.action not in ("check", "none", "unreadable") for change in self.changes)

    @property
    def losses(self) -> tuple[Change, ...]:
        """The changes by which data is lost that nothing restores."""
        return tuple(change for change in self.changes if change.holds_data)

    @property
    def unsure(self) -> tuple[Change, ...]:
        """The changes of which nobody can know yet whether they change anything."""
        return tuple(change for change in self.changes if change.verdict == "cannot know")

    def counts(self) -> dict[str, int]:
        """How many nodes get each action, in a fixed order, zeros left out."""
        order = ("create", "adopt", "update", "replace", "delete", "forget", "check", "unreadable")
        found = {action: sum(change.action == action for change in self.changes) for action in order}
        return {action: count for action, count in found.items() if count}


def operation_id(verb: str, address: str, generation: int) -> str:
    """The id of an operation in its plan, for example ``create files.File::motd #1``."""
    return f"{verb} {address} #{generation}"
