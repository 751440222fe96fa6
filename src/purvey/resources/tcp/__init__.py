"""What is reached over TCP."""

from __future__ import annotations

from purvey.resources.tcp.check import Check

__all__ = ["Check"]
