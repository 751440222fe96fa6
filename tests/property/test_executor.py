"""The executor on random graphs: order, limit, failure, interruption."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from purvey._apply.executor import Stop, execute

GRAPHS = (
    st.integers(0, 25)
    .flatmap(
        lambda count: st.tuples(
            *(st.lists(st.integers(0, max(n - 1, 0)), max_size=4 if n else 0, unique=True) for n in range(count))
        )
    )
    .map(lambda needs: {f"n{n}": tuple(f"n{need}" for need in wanted) for n, wanted in enumerate(needs)})
)


class Work:
    """Notes what runs, and lets the chosen ones fail.

    Args:
        needs: The graph.
        failing: What fails.
        turns: How many turns of the loop each takes.
    """

    def __init__(self, needs: Mapping[str, tuple[str, ...]], failing: frozenset[str], turns: int) -> None:
        self.needs = needs
        self.failing = failing
        self.turns = turns
        self.started: list[str] = []
        self.done: set[str] = set()
        self.running = 0
        self.most = 0

    async def __call__(self, item: str) -> bool:
        """One piece of work; everything it needs must be done."""
        assert self.done.issuperset(self.needs[item])
        self.started.append(item)
        self.running += 1
        self.most = max(self.most, self.running)
        for _ in range(self.turns):
            await asyncio.sleep(0)
        self.running -= 1
        if item in self.failing:
            return False
        self.done.add(item)
        return True


@given(GRAPHS, st.integers(1, 6), st.integers(0, 3))
def test_everything_is_done_once_in_order(needs: dict[str, tuple[str, ...]], parallel: int, turns: int) -> None:
    """None is lost, none starts before its needs are done, and never more run than allowed."""
    work = Work(needs, frozenset(), turns)
    status = asyncio.run(execute(needs, work, parallel=parallel, stop=Stop()))
    assert sorted(work.started) == sorted(needs)
    assert set(status.values()) <= {"done"}
    assert work.most <= parallel


@given(GRAPHS, st.sets(st.integers(0, 24)), st.integers(1, 6), st.booleans())
def test_a_failure_stops_what_follows(
    needs: dict[str, tuple[str, ...]], failing: set[int], parallel: int, going_on: bool
) -> None:
    """What needs a failed one is never started; the rest goes on exactly where it may."""
    bad = frozenset(f"n{n}" for n in failing) & needs.keys()
    work = Work(needs, bad, 1)
    status = asyncio.run(execute(needs, work, parallel=parallel, stop=Stop(), go_on=lambda _: going_on))

    assert {item for item, word in status.items() if word == "done"} == work.done
    assert {item for item, word in status.items() if word == "failed"} == bad & set(work.started)
    below = _behind(needs, bad)
    assert not below & set(work.started)
    if going_on or not bad:
        assert set(work.started) == needs.keys() - below


def _behind(needs: Mapping[str, tuple[str, ...]], bad: frozenset[str]) -> set[str]:
    found: set[str] = set()
    for item, wanted in needs.items():
        if any(need in bad or need in found for need in wanted):
            found.add(item)
    return found


@given(GRAPHS, st.integers(0, 25), st.integers(1, 6))
def test_when_asked_to_stop_nothing_new_starts(needs: dict[str, tuple[str, ...]], after: int, parallel: int) -> None:
    """What runs finishes; everything else is reported as skipped."""
    stop = Stop()
    work = Work(needs, frozenset(), 2)
    asked_at: list[int] = []

    async def one(item: str) -> bool:
        """Do one thing."""
        if len(work.started) >= after and not stop.is_asked():
            stop.ask()
            asked_at.append(len(work.started))
        return await work(item)

    status = asyncio.run(execute(needs, one, parallel=parallel, stop=stop))
    assert sum(word == "done" for word in status.values()) == len(work.started)
    assert sum(word == "skipped" for word in status.values()) == len(needs) - len(work.started)
    if asked_at:
        assert len(work.started) <= asked_at[0] + parallel
