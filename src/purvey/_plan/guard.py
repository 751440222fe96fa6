"""What a plan must not do: protected objects, budgets, and growth. Pure; checked for the whole plan before the first effect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from purvey._plan.plan import UNSURE, Change, Operation, Plan
from purvey._state.resource import ResourceState
from purvey.errors import InternalError, RefusedError


def refuse_protected(plan: Plan) -> None:
    """Stop a plan that would delete or replace a protected object.

    Raises:
        RefusedError: ``refused.protected``, with one line for each object.
    """
    found = [change for change in plan.changes if change.protected and change.action in ("delete", "replace", "forget")]
    if not found:
        return
    raise RefusedError(
        "refused.protected",
        "The plan touches protected objects",
        reasons=[
            (change.address, f"{change.address} would be {_past(change)}; it is protected at {change.protected}.")
            for change in found
        ],
        hint="If you mean it, declare it with Options(protect=False), apply that, and try again.",
    )


def _past(change: Change) -> str:
    if change.goes_with:
        return f"dropped with {change.goes_with}, which it lives in"
    return {"delete": "deleted", "replace": "replaced", "update": "changed"}.get(change.action, "forgotten")


def refuse_many_deletes(plan: Plan, deletes_max: int | None, earlier: Iterable[str] = ()) -> None:
    """Stop a run that takes away more objects than its budget.

    Args:
        plan: The plan of the stage that is about to begin.
        deletes_max: The budget: the smaller of ``max_deletes`` in `purvey.toml` and ``--max-deletes``; None for no limit.
        earlier: What the run's stages before it took away, which counts as well.

    Raises:
        RefusedError: ``refused.max_deletes``, with one line for each object.
    """
    doomed = {address: f"{address} goes in an earlier stage of the run" for address in earlier}
    for change in plan.changes:  # An object that one stage replaces is deleted by a later one; it counts once.
        if change.removes:
            doomed.setdefault(change.address, f"{change.address} would be {_past(change)} ({change.source})")
    if deletes_max is None or len(doomed) <= deletes_max:
        return
    objects = "object" if len(doomed) == 1 else "objects"
    raise RefusedError(
        "refused.max_deletes",
        "The plan deletes more than its budget allows",
        reasons=doomed.items(),
        hint=f"{len(doomed)} {objects} would go, and {deletes_max} may. If you mean it, raise `--max-deletes`, or "
        "`max_deletes` of the environment in purvey.toml.",
    )


def refuse_losses(losses: Sequence[Change], final: OnFinal) -> None:
    """Stop where data would be lost that nothing restores, and nobody has agreed to that.

    Raises:
        RefusedError: ``refused.final``, with one line for each object.
    """
    if losses and final == "refuse":
        raise RefusedError(
            "refused.final",
            "Data would be lost that nothing restores",
            reasons=[
                (change.address, f"{change.address} would be {_past(change)} with its data ({change.source})")
                for change in losses
            ],
            hint="If you mean it, add `--allow-final`; or set `allow_final = true` for the environment in purvey.toml.",
        )


def refuse_all_final(plan: Plan) -> None:
    """Stop an undo that would do nothing, because nothing of what is to be taken back can be.

    Raises:
        RefusedError: ``refused.cannot_undo``, with one line for each object.
    """
    lasting = [change for change in plan.changes if change.final]
    if lasting and not plan.operations:
        raise RefusedError(
            "refused.cannot_undo",
            "Nothing of what the run did can be taken back",
            reasons=[
                (change.address, f"{change.address} cannot be undone, or is protected now ({change.source})")
                for change in lasting
            ],
            hint="Nothing was done, and the run stays as it ended. Change the script and apply, to go on from here.",
        )


OnFinal = Literal["refuse", "ask", "allow"]
"""What becomes of a plan by which data is lost that nothing restores."""

_EFFECTS: Final[Mapping[str, tuple[str, ...]]] = {
    "create": ("create", "update"), "update": ("update",), "adopt": ("update",), "delete": ("delete",), "undo": ("undo",),
}  # fmt: skip
"""What an operation of each verb may do; a create that turns out to be a change in place is an update."""


def refuse_outside(planned: Operation | None, operation: Operation, verb: str, target: ResourceState) -> None:
    """Stop an effect that is none of the approved plan's: the last look, for whatever went wrong before it.

    Args:
        planned: What the plan has under the operation's id; None if nothing, or nothing any more.
        operation: The operation that is performed.
        verb: What would be done.
        target: To which object.

    Raises:
        InternalError: if the plan does not say so.
    """
    shrinks = verb == "update" and operation.verb == "create" and operation.prior > 0
    allowed = (operation.address, operation.prior if shrinks else operation.generation)
    unsure = ("create",) if UNSURE in operation.planned and operation.verb == "adopt" else ()
    is_planned = planned == operation and verb in (*_EFFECTS.get(operation.verb, ()), *unsure)
    if not is_planned or (target.address, target.generation) != allowed:
        raise InternalError(
            f"The operation {operation.id!r} would {verb} {target.address} #{target.generation}, which the approved plan does "
            "not say. It was not done."
        )


def growth(planned: Sequence[str], actual: Sequence[str]) -> tuple[str, ...]:
    """Fields that would change now and were not in the approved plan; empty when the change stayed within it."""
    allowed = set(planned)
    whole = not allowed.isdisjoint(("(unreadable)", "needs", UNSURE))
    return () if whole else tuple(path for path in actual if path not in allowed)
