"""What a plan must not do: protected objects, budgets, and growth. Pure; checked for the whole plan before the first effect."""

from __future__ import annotations

from collections.abc import Sequence

from purvey._plan.plan import Change, Plan
from purvey.errors import RefusedError


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
        findings=tuple(
            f"{change.address} would be {_past(change)}; it is protected at {change.protected}." for change in found
        ),
        hint="If you mean it, declare it with Options(protect=False), apply that, and try again.",
    )


def _past(change: Change) -> str:
    return {"delete": "deleted", "replace": "replaced", "forget": "dropped with what it lives in"}[change.action]


def refuse_many_deletes(plan: Plan, deletes_max: int | None, earlier: Sequence[Plan] = ()) -> None:
    """Stop a run that deletes and replaces more than its budget.

    Args:
        plan: The plan of the stage that is about to begin.
        deletes_max: The budget: the smaller of ``max_deletes`` in `purvey.toml` and ``--max-deletes``; None for no limit.
        earlier: The run's stages before it, which count as well.

    Raises:
        RefusedError: ``refused.max_deletes``, with one line for each object.
    """
    changes = [change for stage in (*earlier, plan) for change in stage.changes if change.action in ("delete", "replace")]
    doomed: dict[str, Change] = {}
    for change in changes:  # An object that one stage replaces is deleted by a later one; it counts once.
        doomed.setdefault(change.address, change)
    if deletes_max is None or len(doomed) <= deletes_max:
        return
    objects = "object" if len(doomed) == 1 else "objects"
    raise RefusedError(
        "refused.max_deletes",
        "The plan deletes more than its budget allows",
        findings=tuple(f"{change.address} would be {_past(change)}" for change in doomed.values()),
        hint=f"{len(doomed)} {objects} would go, and {deletes_max} may. If you mean it, raise `--max-deletes`, or "
        "`max_deletes` of the environment in purvey.toml.",
    )


def growth(planned: Sequence[str], actual: Sequence[str]) -> tuple[str, ...]:
    """Fields that would change now and were not in the approved plan; empty when the change stayed within it."""
    allowed = set(planned)
    whole = "(unreadable)" in allowed or "needs" in allowed
    return () if whole else tuple(path for path in actual if path not in allowed)


def within_later(plan: Plan, covered: Plan) -> bool:
    """Whether the approval of `covered` (an earlier stage) also covers `plan`: creates only, of its kinds, not too many."""
    bound = covered.later
    if bound is None:
        return False
    effects = [change for change in plan.changes if change.action not in ("check", "none", "unreadable")]
    fits = all(change.action == "create" and (not bound.kinds or change.kind in bound.kinds) for change in effects)
    return fits and len(effects) <= bound.at_most
