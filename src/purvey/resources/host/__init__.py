"""Machines as a whole: what they say of themselves, how they are set up, and what is done on them."""

from __future__ import annotations

from purvey.resources.host.command import Command
from purvey.resources.host.script import Script

__all__ = ["Command", "Script"]
