"""An undone repair of drift, killed on all sides: once found by the state machine, which wrote these steps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from purvey.testing.cloud import Cloud
from tests.fault.estates import Estate

STEPS: list[list[Any]] = [
    ["lag", 0.0],
    ["add", "network", 0],
    ["add", "network", 0],
    ["add", "network", 0],
    ["add", "network", 0],
    ["drift", 7, True],
    ["run", "apply", "cut_after", 15, 10, False],
    ["drift", 5, False],
    ["again"],
    ["run", "apply", "kill_after", 38, 13, True],
    ["undo", "kill", 32, 19],
    ["add", "server", 4],
    ["run", "apply", "kill_after", 8, 12, False],
]  # fmt: skip


def test_the_steps_do_no_harm(purvey_cloud: Cloud, tmp_path: Path) -> None:
    """After each of them, the cloud holds what it should."""
    estate = Estate(tmp_path, purvey_cloud)
    for step in STEPS:
        estate.play(step)
