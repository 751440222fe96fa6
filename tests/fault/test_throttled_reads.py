"""A read that the cloud throttles: once found by the state machine, which wrote these steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from purvey.testing.cloud import Cloud
from tests.fault.estates import Estate

STEPS: list[list[Any]] = [
    ["lag", 0.0],
    ["add", "key", 0],
    ["add", "record", 0],
    ["add", "volume", 0],
    ["add", "network", 0],
    ["add", "network", 0],
    ["change", 4, 0, 2],
    ["change", 3, 2, 1],
    ["run", "apply", "", 28, 16, True],
    ["run", "apply", "", 38, 18, False],
    ["drift", 6, False],
    ["add", "network", 4],
    ["run", "apply", "throttle", 2, 12, True],
]  # fmt: skip


def test_the_steps_do_no_harm(purvey_cloud: Cloud, tmp_path: Path) -> None:
    """After each of them, the cloud holds what it should."""
    estate = Estate(tmp_path, purvey_cloud)
    for step in STEPS:
        estate.play(step)
