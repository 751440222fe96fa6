"""Services, by what starts and stops them on a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey._base.on_demand import on_demand

if TYPE_CHECKING:
    from purvey.resources.services.openrc import OpenRC
    from purvey.resources.services.systemd import Systemd
    from purvey.resources.services.sysv import Sysv

__all__ = ["OpenRC", "Systemd", "Sysv"]

__getattr__, __dir__ = on_demand(__name__, {
    "OpenRC": "openrc", "Systemd": "systemd", "Sysv": "sysv",
})  # fmt: skip
