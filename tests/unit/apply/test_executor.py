"""The executor's order among equals, and its end when work raises."""

from __future__ import annotations

import asyncio
import threading

import pytest

from purvey._apply.executor import Stop, execute


async def _run(needs: dict[str, tuple[str, ...]], **more: object) -> tuple[list[str], dict[str, str]]:
    started: list[str] = []

    async def work(item: str) -> bool:
        started.append(item)
        await asyncio.sleep(0)
        return True

    status = await execute(needs, work, parallel=1, stop=Stop())
    return started, dict(status)


async def _turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_longest_chain_starts_first() -> None:
    """So that a run ends near its critical path; among equals the given order counts."""
    started, _ = await _run({"x": (), "y": (), "a": (), "b": ("a",), "c": ("b",)})
    assert started == ["a", "b", "x", "y", "c"]


async def test_nothing_to_do() -> None:
    """Ends at once."""
    assert await _run({}) == ([], {})


async def test_needs_outside_the_plan_count_as_done() -> None:
    """What is complete already is not waited for."""
    assert await _run({"a": ("elsewhere",)}) == (["a"], {"a": "done"})


async def test_an_exception_ends_the_whole_execution() -> None:
    """It reaches the caller, and nothing is left running."""
    running: set[str] = set()

    async def work(item: str) -> bool:
        """Fail in a way that nobody expects."""
        running.add(item)
        try:
            if item == "bad":
                raise LookupError(item)
            await asyncio.Event().wait()
        finally:
            running.discard(item)
        return True

    with pytest.raises(LookupError):
        await execute({"a": (), "b": (), "bad": ()}, work, parallel=3, stop=Stop())
    await _turns()
    assert running == set()


async def test_ten_thousand_layers_take_no_stack() -> None:
    """Depth is not recursion."""
    needs: dict[str, tuple[str, ...]] = {f"n{n}": (f"n{n - 1}",) if n else () for n in range(10_000)}
    started, _ = await _run(needs)
    assert started == list(needs)


async def test_a_pause_ends_when_the_stop_is_asked() -> None:
    """From another thread, too, and however long it was to last; one that is begun afterwards does not begin at all."""
    stop = Stop()
    pause = asyncio.create_task(stop.pause(_for_ever()))
    await _turns()
    assert not pause.done()

    threading.Thread(target=stop.ask).start()
    await asyncio.wait_for(pause, 60)
    await stop.pause(_for_ever())


async def test_a_pause_lasts_as_long_as_its_sleep() -> None:
    """And tells what the sleep has to tell."""

    async def fails() -> None:
        """Tell something."""
        raise LookupError

    await Stop().pause(_turns())
    with pytest.raises(LookupError):
        await Stop().pause(fails())


async def test_a_pause_that_is_cancelled_leaves_nothing_behind() -> None:
    """The sleep is cancelled with it."""
    seen: list[str] = []

    async def sleep() -> None:
        """Tell that it was ended."""
        try:
            await _for_ever()
        finally:
            seen.append("ended")

    pause = asyncio.create_task(Stop().pause(sleep()))
    await _turns()
    pause.cancel()
    await _turns()

    assert seen == ["ended"]


async def _for_ever() -> None:
    await asyncio.Event().wait()


def test_a_pause_that_is_over_is_forgotten() -> None:
    """Who asks after the loop has ended meets nothing of it."""
    stop = Stop()
    asyncio.run(stop.pause(_turns()))

    stop.ask()
    assert stop.is_asked()
