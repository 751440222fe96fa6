"""What the order of an undo leaves to chance: pairs of operations that have to do with each other without an edge. Pure.

An edge comes from a reference, from a node that is given, or from `Options(after=...)`. A path that is written out, or a value
taken with `value(...)`, makes none; then the undo may remove what is used before what uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from purvey._base.value import Value
from purvey._plan.effects import Effect
from purvey._plan.plan import Operation, Plan
from purvey._rehearse.finding import Finding
from purvey._rehearse.outputs import MARK
from purvey._script.step import StepProvider
from purvey._state.record import thawed
from purvey._state.resource import ResourceState
from purvey.providers import Registry
from purvey.providers.claim import contested

Held = Callable[[ResourceState | None], tuple[str, ...]]
"""What a recorded object occupies alone."""


def left_to_chance(plan: Plan, undone: Sequence[Undone], kinds: Registry) -> list[Finding]:
    """The findings of one undo plan.

    Args:
        plan: The undo.
        undone: What it takes back, oldest first.
        kinds: The kinds.
    """
    order = _Order(plan.operations)
    return [*_removed_early(undone, order, kinds), *_still_held(undone, order)]


def undone(plan: Plan, done: Sequence[Effect], held: Held) -> list[Undone]:
    """What an undo takes back, looked at while it is all still recorded.

    Args:
        plan: The undo.
        done: What the run did, oldest first.
        held: See `Held`.
    """
    by_operation = {operation.undoes: operation for operation in plan.operations}
    return [Undone(item, by_operation[item.begun.operation], held) for item in done if item.begun.operation in by_operation]


class Undone:
    """One effect, and the operation that takes it back.

    Args:
        effect: The effect.
        operation: The operation.
        held: See `Held`.

    Attributes:
        taken: What the effect occupied alone that was not its own before.
        restored: What it gave up, and the undo needs again.
        where: The machine on which that is.
    """

    def __init__(self, effect: Effect, operation: Operation, held: Held) -> None:
        self.id = operation.id
        self.begun = effect.begun
        self.address = effect.begun.address
        self.body = effect.after or effect.begun.node
        self.where = self.body.where
        before = set(held(effect.begun.prior)) if effect.begun.verb != "create" else set()
        after = set(held(effect.after))
        self.taken = after - before
        self.restored = before - after
        self.made = effect.begun.verb == "create"


class _Order:
    """Whether one operation certainly comes after another."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._needs: Mapping[str, tuple[str, ...]] = {operation.id: operation.needs for operation in operations}
        self._behind: dict[str, frozenset[str]] = {}

    def is_after(self, later: str, earlier: str) -> bool:
        """Whether `later` waits for `earlier`."""
        return earlier in self._all(later)

    def _all(self, start: str) -> frozenset[str]:
        if start not in self._behind:
            found: set[str] = set()
            todo = list(self._needs.get(start, ()))
            while todo:
                item = todo.pop()
                if item not in found:
                    found.add(item)
                    todo.extend(self._needs.get(item, ()))
            self._behind[start] = frozenset(found)
        return self._behind[start]


def _removed_early(undone: Sequence[Undone], order: _Order, kinds: Registry) -> list[Finding]:
    """What the undo may remove before something that is built upon it."""
    found: list[Finding] = []
    for below in undone:
        if not below.made or isinstance(kinds.get(below.body.kind).provider, StepProvider):
            continue
        for above in undone:
            if above is below or order.is_after(below.id, above.id) or order.is_after(above.id, below.id):
                continue
            how = _uses(above, below, kinds)
            if how:
                found.append(
                    Finding(
                        what="order", address=below.address, source=above.body.source,
                        why=f"{above.address} {how}, but no edge says so: the undo may remove {below.address} first.",
                        fix=f"Pass the node or its output instead of the text, or add Options(after=[...]) with "
                        f"{below.address} to {above.address}.",
                    )
                )  # fmt: skip
    return found


def _uses(above: Undone, below: Undone, kinds: Registry) -> str:
    """How one object rests on another without an edge; empty if it does not."""
    kind = kinds.get(above.body.kind)
    taken = below.taken if above.where == below.where else set()
    inside = [claim for claim in above.taken for other in taken if _beneath(claim, other)]
    if above.made and inside:
        return f"is made in it ({inside[0].partition(':')[2]})"
    is_step = isinstance(kind.provider, StepProvider)
    inputs = thawed(above.body.inputs)
    texts = [text for name, value in inputs.items() if is_step or name in kind.immutable for text in _texts(value)]
    marks = [text for text in _texts(thawed(below.body.outputs)) if MARK in text]
    if any(mark in text for mark in marks for text in texts):
        return "was given its output by value(...)"
    places = [claim.partition(":")[2] for claim in taken if claim.startswith("path:")]
    if is_step and any(text == place or text.startswith(f"{place}/") for place in places for text in texts):
        return "works in it"
    return ""


def _beneath(claim: str, other: str) -> bool:
    """Whether a claim on a path lies beneath another claim."""
    return claim.startswith("path:") and claim.startswith(f"{other.rstrip('/')}/")


def _texts(value: Value) -> list[str]:
    """Every text in a value."""
    if isinstance(value, str):
        return [value] if value else []
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [text for item in items for text in _texts(item)]


def _still_held(undone: Sequence[Undone], order: _Order) -> list[Finding]:
    """What an undo puts back that another object may still occupy."""
    return [
        Finding(
            what="claim", address=back.address, source=holder.body.source,
            why=f"Its undo needs {min(contested(back.restored, holder.taken))} again, which {holder.address} took in the same "
            "run and may still hold then: no edge says which of them comes first.",
            fix=f"Add Options(after=[...]) with {back.address} to {holder.address}: what takes the place waits for what "
            "leaves it.",
        )
        for back in undone
        for holder in undone
        if back.address != holder.address and back.where == holder.where and contested(back.restored, holder.taken)
        and not order.is_after(back.id, holder.id)
    ]  # fmt: skip
