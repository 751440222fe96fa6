"""What the tests of rehearsals share."""

from __future__ import annotations

from tests.support.fixtures import project

__all__ = ["project"]
