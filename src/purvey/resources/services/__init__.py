"""Services, by what starts and stops them on a machine."""

from __future__ import annotations

from purvey.resources.services.openrc import OpenRC
from purvey.resources.services.systemd import Systemd
from purvey.resources.services.sysv import Sysv

__all__ = ["OpenRC", "Systemd", "Sysv"]
