"""Machines as a whole: what they say of themselves, how they are set up, and what is done on them."""

from __future__ import annotations

from purvey.resources.host.command import Command
from purvey.resources.host.cron import Cron
from purvey.resources.host.facts import Facts
from purvey.resources.host.firewall import Firewall
from purvey.resources.host.git import Git
from purvey.resources.host.hostname import Hostname
from purvey.resources.host.mount import Mount
from purvey.resources.host.reboot import Reboot
from purvey.resources.host.script import Script
from purvey.resources.host.swap import Swap
from purvey.resources.host.sysctl import Sysctl
from purvey.resources.host.timer import timer
from purvey.resources.host.timezone import Timezone

__all__ = [
    "Command", "Cron", "Facts", "Firewall", "Git", "Hostname", "Mount", "Reboot", "Script", "Swap", "Sysctl", "Timezone",
    "timer",
]  # fmt: skip
