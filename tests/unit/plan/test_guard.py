"""What a guard says of two generations of one address: a replacement, and what an earlier one has left behind."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from purvey._plan.guard import refuse_all_final, refuse_losses, refuse_protected
from purvey._plan.plan import Change, Plan
from purvey.errors import RefusedError

BOTH = (
    Change(
        address="test.Book::b", kind="test.Book", action="replace", generation=2, protected="main.py:3", final=True,
        holds_data=True,
    ),
    Change(
        address="test.Book::b", kind="test.Book", action="delete", generation=1, protected="main.py:3", final=True,
        holds_data=True,
    ),
)  # fmt: skip


@pytest.mark.parametrize("guard", [refuse_protected, lambda plan: refuse_losses(plan.changes, "refuse"), refuse_all_final])
def test_each_generation_is_told(guard: Callable[[Plan], None]) -> None:
    """Neither stands for the other: their data is not the same."""
    with pytest.raises(RefusedError) as caught:
        guard(Plan(stack="main/dev", verb="apply", changes=BOTH, operations=()))

    assert len(caught.value.findings) == 2
    assert [problem.address for problem in caught.value.single] == ["test.Book::b"] * 2
