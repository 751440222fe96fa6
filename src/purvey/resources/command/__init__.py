"""Programs on a machine."""

from __future__ import annotations

from purvey.resources.command.check import Check

__all__ = ["Check"]
