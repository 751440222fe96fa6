"""The public test kit: what somebody who writes a kind needs to prove it."""

from __future__ import annotations

from purvey.testing.call import PlainCall, view
from purvey.testing.clock import VirtualClock

__all__ = ["PlainCall", "VirtualClock", "view"]
