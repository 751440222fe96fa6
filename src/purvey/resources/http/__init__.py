"""What is reached over HTTP."""

from __future__ import annotations

from purvey.resources.http.check import Check

__all__ = ["Check"]
