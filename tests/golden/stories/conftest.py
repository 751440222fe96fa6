"""What the stories share."""

from __future__ import annotations

from tests.support.fixtures import project

__all__ = ["project"]
