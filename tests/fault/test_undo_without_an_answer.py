"""An undo whose answer is lost: once found by the state machine, which wrote these steps."""

from __future__ import annotations

from pathlib import Path

from purvey.testing.cloud import Cloud
from tests.fault.estates import Estate

STEPS = [
    ["lag", 0.0],
    ["add", "network", 0],
    ["add", "network", 0],
    ["add", "network", 0],
    ["add", "volume", 0],
    ["change", 0, 0, 0],
    ["rename", 0],
    ["undo", "", 1, 0],
    ["rename", 0],
    ["rename", 0],
    ["run", "apply", "unavailable_after", 12, 0, True],
]  # fmt: skip


def test_the_steps_do_no_harm(purvey_cloud: Cloud, tmp_path: Path) -> None:
    """After each of them, the cloud holds what it should."""
    estate = Estate(tmp_path, purvey_cloud)
    for step in STEPS:
        estate.play(step)
