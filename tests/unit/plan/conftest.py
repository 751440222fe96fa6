"""What the tests of planning share."""

from __future__ import annotations

from tests.support.fixtures import project

__all__ = ["project"]
