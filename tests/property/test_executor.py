"""The executor on random graphs: order, limit, failure, interruption; alone and in lanes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from purvey._apply.executor import Lanes, Status, Stop, execute

GRAPHS = (
    st.integers(0, 25)
    .flatmap(
        lambda count: st.tuples(
            *(st.lists(st.integers(0, max(n - 1, 0)), max_size=4 if n else 0, unique=True) for n in range(count))
        )
    )
    .map(lambda needs: {f"n{n}": tuple(f"n{need}" for need in wanted) for n, wanted in enumerate(needs)})
)

FEW = st.integers(1, 6)


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


async def _turn() -> None:
    """Let others go on."""
    await asyncio.sleep(0)


def _behind(needs: Mapping[str, tuple[str, ...]], bad: frozenset[str]) -> set[str]:
    found: set[str] = set()
    for item, wanted in needs.items():
        if any(need in bad or need in found for need in wanted):
            found.add(item)
    return found


@given(GRAPHS, st.data(), FEW, st.booleans())
def test_what_only_waits_goes_on_after_a_failure(
    needs: dict[str, tuple[str, ...]], data: st.DataObject, parallel: int, in_lanes: bool
) -> None:  # fmt: skip
    """Whoever waits for the end alone starts after it, be it a failure or never begun; whoever needs more is never started."""
    edges = [(item, need) for item, wanted in needs.items() for need in wanted]
    soft = data.draw(st.sets(st.sampled_from(edges)) if edges else st.just(set()))
    bad = frozenset(data.draw(st.sets(st.sampled_from(sorted(needs)))) if needs else ())
    firm = {item: tuple(need for need in wanted if (item, need) not in soft) for item, wanted in needs.items()}
    despite = {item: [need for need in wanted if (item, need) in soft] for item, wanted in needs.items()}
    below = _behind(firm, bad)
    over: list[str] = []

    async def one(item: str) -> bool:
        """Everything that it needs is done, and all that it waits for is over."""
        assert all(need in over or need in below for need in needs[item])
        assert not bad & set(firm[item])
        await _turn()
        over.append(item)
        return item not in bad

    async def piece(items: Sequence[str]) -> Mapping[str, bool]:
        """One after another, up to the first that fails."""
        ended: dict[str, bool] = {}
        for item in items:
            ended[item] = await one(item)
            if not ended[item]:
                break
        return ended

    lanes = Lanes(lambda item: "a" if in_lanes and item.endswith(("1", "2", "3", "4")) else "", piece, 1, 4)
    status = asyncio.run(
        execute(needs, one, parallel=parallel, stop=Stop(), go_on=lambda _: True, lanes=lanes, despite=despite)
    )
    assert sorted(over) == sorted(needs.keys() - below)
    assert {item for item, word in status.items() if word == "skipped"} == below
    assert {item for item, word in status.items() if word == "failed"} == bad - below


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


class LaneWork:
    """Notes what is done in which lane; works like `Work`, in pieces.

    Args:
        needs: The graph.
        lane_of: For each id its lane; empty for one that goes by itself.
        failing: What fails.
        back: For each id how many times a piece hands it back.
        most: How many ids a piece may have.
    """

    def __init__(
        self, needs: Mapping[str, tuple[str, ...]], lane_of: Mapping[str, str], failing: frozenset[str] = frozenset(),
        back: Mapping[str, int] | None = None, most: int = 30,
    ) -> None:  # fmt: skip
        self.alone = Work(needs, failing, 1)
        self.lane_of = lane_of
        self.most = most
        self.back = Counter(back or {})
        self.busy: set[str] = set()
        self.busiest = 0
        self.raising = ""

    async def piece(self, items: Sequence[str]) -> Mapping[str, bool]:
        """One piece: in the given order, up to the first that is handed back or fails."""
        (lane,) = {self.lane_of[item] for item in items}
        assert lane
        assert lane not in self.busy
        assert len(set(items)) == len(items) <= self.most
        self.busy.add(lane)
        self.busiest = max(self.busiest, len(self.busy))
        ended: dict[str, bool] = {}
        for item in items:
            self._require_needs(item, ended)
            await asyncio.sleep(0)
            if item == self.raising:
                raise RuntimeError(item)
            if self.back[item] and ended:  # Never the first one: that would be for ever.
                self.back[item] -= 1
                break
            ended[item] = await self._one(item)
            if not ended[item]:
                break
        self.busy.remove(lane)
        return ended

    def _require_needs(self, item: str, ended: Mapping[str, bool]) -> None:
        """Everything that it needs is done, be it in the same piece."""
        assert all(need in self.alone.done or ended.get(need) for need in self.alone.needs[item])

    async def _one(self, item: str) -> bool:
        """Do one of a piece; how many of a lane run at once is another limit than the workers'."""
        self.alone.started.append(item)
        if item in self.alone.failing:
            return False
        self.alone.done.add(item)
        return True

    async def single(self, item: str) -> bool:
        """One that goes by itself."""
        assert not self.lane_of[item]
        if item == self.raising:
            raise RuntimeError(item)
        return await self.alone(item)

    def run(
        self, *, parallel: int, at_once: int, stop: Stop | None = None, going_on: bool = False
    ) -> dict[str, Status]:  # fmt: skip
        """Execute the graph; whatever hangs is an error."""

        async def bounded() -> dict[str, Status]:
            """Give up after half a minute."""
            async with asyncio.timeout(30):
                return await execute(
                    self.alone.needs, self.single, parallel=parallel, stop=stop or Stop(), go_on=lambda _: going_on,
                    lanes=Lanes(self.lane_of.__getitem__, self.piece, at_once, self.most),
                )  # fmt: skip

        return asyncio.run(bounded())


LANES = st.lists(st.sampled_from(["", "a", "b", "c"]), min_size=25, max_size=25).map(
    lambda lanes: {f"n{n}": lane for n, lane in enumerate(lanes)}
)
BACK = st.dictionaries(st.integers(0, 24).map("n{}".format), st.integers(1, 3), max_size=8)
Needs = dict[str, tuple[str, ...]]


@given(GRAPHS, LANES, BACK, FEW, FEW, st.integers(1, 3))
def test_in_lanes_everything_is_done_once_in_order(
    needs: Needs, lane_of: dict[str, str], back: dict[str, int], most: int, parallel: int, at_once: int
) -> None:
    """Also inside a piece, of which each lane has one at a time; what is handed back comes again, and no limit is passed."""
    work = LaneWork(needs, lane_of, back=back, most=most)
    status = work.run(parallel=parallel, at_once=at_once)
    assert sorted(work.alone.started) == sorted(needs)
    assert set(status.values()) <= {"done"}
    assert work.busiest <= at_once
    assert work.alone.most <= parallel


@given(GRAPHS, st.integers(1, 4))
def test_a_lane_that_has_all_goes_in_as_few_pieces_as_possible(needs: Needs, parallel: int) -> None:
    """What needs nothing but what is in the lane goes together with that, as many as are allowed."""
    pieces: list[int] = []
    work = LaneWork(needs, dict.fromkeys(needs, "a"), most=4)
    piece = work.piece

    async def noted(items: Sequence[str]) -> Mapping[str, bool]:
        """Note how many go together."""
        pieces.append(len(items))
        return await piece(items)

    work.piece = noted  # type: ignore[method-assign]
    work.run(parallel=parallel, at_once=1)
    assert pieces == [min(4, len(needs) - begin) for begin in range(0, len(needs), 4)]


@given(GRAPHS, LANES, st.sets(st.integers(0, 24)), BACK, FEW, st.booleans())
def test_in_lanes_a_failure_stops_what_follows(
    needs: Needs, lane_of: dict[str, str], failing: set[int], back: dict[str, int], parallel: int, going_on: bool
) -> None:
    """What needs a failed one is never started, be it in the same lane; the rest goes on exactly where it may."""
    bad = frozenset(f"n{n}" for n in failing) & needs.keys()
    work = LaneWork(needs, lane_of, bad, back, 4)
    status = work.run(parallel=parallel, at_once=2, going_on=going_on)

    started = work.alone.started
    assert len(started) == len(set(started))
    assert {item for item, word in status.items() if word == "done"} == work.alone.done
    assert {item for item, word in status.items() if word == "failed"} == bad & set(started)
    below = _behind(needs, bad)
    assert not below & set(started)
    if going_on or not bad:
        assert set(started) == needs.keys() - below


@given(GRAPHS, LANES, st.integers(0, 25), FEW)
def test_in_lanes_nothing_new_starts_when_asked_to_stop(
    needs: Needs, lane_of: dict[str, str], after: int, parallel: int
) -> None:  # fmt: skip
    """The pieces that are at work end; no other one begins."""
    stop = Stop()
    work = LaneWork(needs, lane_of, most=3)
    late: list[str] = []
    piece = work.piece

    async def asking(items: Sequence[str]) -> Mapping[str, bool]:
        """Ask for the end at some time."""
        if stop.is_asked():
            late.extend(items)
        if len(work.alone.started) >= after:
            stop.ask()
        return await piece(items)

    work.piece = asking  # type: ignore[method-assign]
    status = work.run(parallel=parallel, at_once=2, stop=stop)
    assert late == []
    assert {item for item, word in status.items() if word == "done"} == set(work.alone.started)
    assert set(status.values()) <= {"done", "skipped"}


@given(GRAPHS.filter(bool), LANES, st.data(), FEW)
def test_in_lanes_what_is_raised_ends_the_whole(
    needs: Needs, lane_of: dict[str, str], data: st.DataObject, parallel: int
) -> None:  # fmt: skip
    """An exception comes out, from a lane or from work by itself, and nothing waits for what never comes."""
    work = LaneWork(needs, lane_of, most=4)
    work.raising = data.draw(st.sampled_from(sorted(needs)))
    with pytest.raises(RuntimeError, match=work.raising):
        work.run(parallel=parallel, at_once=1)
