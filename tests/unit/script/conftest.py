"""A recorder in which a test declares as a script would, and scripts that are run for what they declare."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from purvey._script.recorder import Ignorant, Recorder, recording
from tests.support.scripts import NONCE, Scripts


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """The recorder of a script that is running."""
    made = Recorder(Ignorant(), tmp_path, NONCE)
    with recording(made):
        yield made


@pytest.fixture
def scripts(tmp_path: Path) -> Scripts:
    """Runs scripts in an empty folder."""
    return Scripts(tmp_path)
