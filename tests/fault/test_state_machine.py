"""Random estates, edits, renames, failures, crashes and resumes over a cloud, against a simple model."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import seed as with_seed
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from purvey.testing.cloud import Cloud
from tests.fault.cloud_kills import KINDS
from tests.fault.estates import TROUBLE, Estate, Step, as_test

FOUND = Path(__file__).with_name("test_found_by_chance.py")
"""Where a failing case is written; under another name it is kept."""

PLACES = st.integers(0, 9)
REQUESTS = st.integers(1, 40)


class Machine(RuleBasedStateMachine):
    """Plays steps, and writes those that led to a failure down as a test; the last ones written are the fewest."""

    cloud: Cloud

    def __init__(self) -> None:
        super().__init__()
        self.cloud.reset()
        self._folder = tempfile.TemporaryDirectory(prefix="purvey-machine-", ignore_cleanup_errors=True)
        self.estate = Estate(Path(self._folder.name), self.cloud)
        self.steps: list[Step] = []

    def teardown(self) -> None:
        """Leave no folder."""
        self._folder.cleanup()

    def _play(self, *step: Any) -> None:
        self.steps.append(step)
        try:
            self.estate.play(step)
        except Exception:
            FOUND.write_text(as_test(self.steps), encoding="utf-8")
            raise

    @initialize(hidden_s=st.sampled_from([0.0, 0.0, 0.3]), kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=5))
    def begin(self, hidden_s: float, kinds: list[str]) -> None:
        """A cloud that lags or not, and a first script."""
        self._play("lag", hidden_s)
        for kind in kinds:
            self._play("add", kind, 0)

    @rule(kind=st.sampled_from(KINDS), place=PLACES)
    def add(self, kind: str, place: int) -> None:
        """See `Estate.add`."""
        self._play("add", kind, place)

    @rule(place=PLACES, number=st.integers(0, 5), fixed=st.integers(0, 2))
    def change(self, place: int, number: int, fixed: int) -> None:
        """See `Estate.change`."""
        self._play("change", place, number, fixed)

    @rule(place=PLACES)
    def rename(self, place: int) -> None:
        """See `Estate.rename`."""
        self._play("rename", place)

    @rule(place=PLACES)
    def remove(self, place: int) -> None:
        """See `Estate.remove`."""
        self._play("remove", place)

    @rule(place=PLACES, lose=st.booleans())
    def drift(self, place: int, lose: bool) -> None:
        """See `Estate.drift`."""
        self._play("drift", place, lose)

    @rule(trouble=st.sampled_from(TROUBLE), nth=REQUESTS, again=st.integers(0, 20), fails=st.booleans())
    def apply(self, trouble: str, nth: int, again: int, fails: bool) -> None:
        """See `Estate.run`."""
        self._play("run", "apply", trouble, nth, again, fails)

    @rule(trouble=st.sampled_from(TROUBLE), nth=REQUESTS, again=st.integers(0, 20))
    def destroy(self, trouble: str, nth: int, again: int) -> None:
        """See `Estate.run`."""
        self._play("run", "destroy", trouble, nth, again, False)

    @rule(trouble=st.sampled_from(TROUBLE), nth=REQUESTS, again=st.integers(0, 20))
    def undo(self, trouble: str, nth: int, again: int) -> None:
        """See `Estate.undo`."""
        self._play("undo", trouble, nth, again)

    @rule()
    def again(self) -> None:
        """See `Estate.again`."""
        self._play("again")


@pytest.mark.trials(sample=2, full=40)
def test_random_estates_come_to_what_they_should(purvey_cloud: Cloud, seed: int) -> None:
    """Whatever is edited, breaks or is killed: nothing is lost, leaked or doubled, and the world is the model's."""
    full = bool(os.environ.get("PURVEY_TEST_FULL"))
    machine = with_seed(seed)(type("SeededMachine", (Machine,), {"cloud": purvey_cloud}))
    phases = (Phase.explicit, Phase.generate, *([Phase.shrink] if full else []))
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=3, stateful_step_count=12, derandomize=False, database=None, deadline=None, phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip
