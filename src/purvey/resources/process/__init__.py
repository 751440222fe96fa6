"""Programs that keep running on a machine."""

from __future__ import annotations

from purvey.resources.process.service import Service

__all__ = ["Service"]
