"""Packages of operating systems and of Python, and where they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey._base.on_demand import on_demand

if TYPE_CHECKING:
    from purvey.resources.packages.apk import Apk
    from purvey.resources.packages.apt import Apt
    from purvey.resources.packages.apt_repository import AptPin, AptRepository
    from purvey.resources.packages.dnf import Dnf
    from purvey.resources.packages.dnf_repository import DnfRepository
    from purvey.resources.packages.pip import Pip, Venv

__all__ = ["Apk", "Apt", "AptPin", "AptRepository", "Dnf", "DnfRepository", "Pip", "Venv"]

__getattr__, __dir__ = on_demand(__name__, {
    "Apk": "apk", "Apt": "apt", "AptPin": "apt_repository", "AptRepository": "apt_repository", "Dnf": "dnf",
    "DnfRepository": "dnf_repository", "Pip": "pip", "Venv": "pip",
})  # fmt: skip
