"""The shop's programs import their own files as programs do, so their folder is on the path here too."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

SHOP = Path(__file__).resolve().parents[3] / "examples" / "shop"
sys.path.insert(0, str(SHOP / "app"))


@pytest.fixture(scope="session")
def shop_folder() -> Path:
    """The folder of the example shop."""
    return SHOP
