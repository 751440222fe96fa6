"""Services, by what starts and stops them on a machine."""

from __future__ import annotations

from purvey.resources.services.systemd import Systemd

__all__ = ["Systemd"]
