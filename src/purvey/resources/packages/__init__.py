"""Packages of operating systems and of Python, and where they come from."""

from __future__ import annotations

from purvey.resources.packages.apt import Apt
from purvey.resources.packages.apt_repository import AptPin, AptRepository

__all__ = ["Apt", "AptPin", "AptRepository"]
