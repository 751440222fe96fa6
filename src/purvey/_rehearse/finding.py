"""What a rehearsal says: the operations it let fail in turn, and what their undo would not restore."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

What = Literal["left", "changed", "lost", "record", "order", "claim", "apply"]
"""``left``: made and still there. ``changed``: other than before. ``lost``: gone, or back without its data. ``record``: what is
remembered is not what it was. ``order``: something could be removed while another still needs it. ``claim``: what an undo
needs, another may still hold. ``apply``: the run fails by itself, before any undo."""

WHATS: Final[tuple[What, ...]] = ("apply", "lost", "left", "changed", "order", "claim", "record")
"""In the order in which they are told: worst first."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an undo would not restore.

    Attributes:
        what: In which way.
        address: The object, or the step.
        why: The cause, in a sentence.
        source: ``file:line`` of its declaration.
        fix: What to write.
        after: The operations after which it was found, when the run fails there; in the order of the run.
    """

    what: What
    address: str
    why: str
    source: str = ""
    fix: str = ""
    after: tuple[str, ...] = ()


class Rehearsed(msgspec.Struct, frozen=True, kw_only=True):
    """One operation that had its effect, whereupon the run failed.

    Attributes:
        operation: Its id in the plan.
        address: Its node.
        verb: What it did.
        stage: In which stage.
        restored: Whether the undo brought everything back.
    """

    operation: str
    address: str
    verb: str
    stage: int
    restored: bool


class Rehearsal(msgspec.Struct, frozen=True, kw_only=True):
    """A whole rehearsal.

    Attributes:
        stack: ``name/environment``.
        operations: What was let fail, in the order of the run.
        findings: What an undo would not restore; empty for a run that can always be taken back.
        limits: Sentences: what could not be rehearsed, and what no undo is meant to restore.
    """

    stack: str
    operations: tuple[Rehearsed, ...] = ()
    findings: tuple[Finding, ...] = ()
    limits: tuple[str, ...] = ()

    @property
    def restores(self) -> bool:
        """Whether every undo restores everything."""
        return not self.findings


def merged(found: list[Finding]) -> tuple[Finding, ...]:
    """The findings with those that say the same made one, worst first."""
    kept: dict[tuple[str, str, str], Finding] = {}
    for item in found:
        key = (item.what, item.address, item.why)
        before = kept.get(key)
        after = (*before.after, *item.after) if before is not None else item.after
        kept[key] = msgspec.structs.replace(before or item, after=tuple(dict.fromkeys(after)))
    return tuple(sorted(kept.values(), key=lambda item: WHATS.index(item.what)))
