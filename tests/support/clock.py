"""Time and chance that a test holds in its hand; public, because the tests of kinds and scripts need it too."""

from __future__ import annotations

from purvey.testing.clock import VirtualClock

__all__ = ["VirtualClock"]
