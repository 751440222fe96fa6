"""Packages of operating systems and of Python, and where they come from."""

from __future__ import annotations

from purvey.resources.packages.apt import Apt

__all__ = ["Apt"]
