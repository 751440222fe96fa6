"""What the tests of applying share."""

from __future__ import annotations

from tests.support.fixtures import project

__all__ = ["project"]
