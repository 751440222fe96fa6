"""Machines as a whole: what they say of themselves, how they are set up, and what is done on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from purvey._base.on_demand import on_demand

if TYPE_CHECKING:
    from purvey.resources.host._timer import timer
    from purvey.resources.host._user_data import user_data
    from purvey.resources.host.cloud_init import CloudInit
    from purvey.resources.host.command import Command
    from purvey.resources.host.cron import Cron
    from purvey.resources.host.facts import Facts
    from purvey.resources.host.firewall import Firewall
    from purvey.resources.host.git import Git
    from purvey.resources.host.hostname import Hostname
    from purvey.resources.host.join_token import JoinToken, Revocation
    from purvey.resources.host.mount import Mount
    from purvey.resources.host.reboot import Reboot
    from purvey.resources.host.script import Script
    from purvey.resources.host.swap import Swap
    from purvey.resources.host.sysctl import Sysctl
    from purvey.resources.host.timezone import Timezone

__all__ = [
    "CloudInit", "Command", "Cron", "Facts", "Firewall", "Git", "Hostname", "JoinToken", "Mount", "Reboot", "Revocation",
    "Script", "Swap", "Sysctl", "Timezone", "timer", "user_data",
]  # fmt: skip

__getattr__, __dir__ = on_demand(__name__, {
    "CloudInit": "cloud_init", "Command": "command", "Cron": "cron", "Facts": "facts", "Firewall": "firewall",
    "Git": "git", "Hostname": "hostname", "JoinToken": "join_token", "Mount": "mount", "Reboot": "reboot",
    "Revocation": "join_token", "Script": "script", "Swap": "swap", "Sysctl": "sysctl", "Timezone": "timezone",
    "timer": "_timer", "user_data": "_user_data",
})  # fmt: skip
