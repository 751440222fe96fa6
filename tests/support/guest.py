"""A machine that comes up as one in a cloud does: off at first, then given user data, booted, and set up by cloud-init.

A host of a lab has no systemd, so cloud-init's four stages are run by hand, as its units do.
"""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from purvey.testing.hosts import Host

SEED: Final = "var/lib/cloud/seed/nocloud"
STAGES: Final = (("init", "--local"), ("init",), ("modules", "--mode=config"), ("modules", "--mode=final"))
CONFIG: Final = """\
datasource_list: [NoCloud]
network: {config: disabled}
disable_root: false
users: []
cloud_init_modules: [write-files, users-groups]
cloud_config_modules: [runcmd, timezone]
cloud_final_modules: [package-update-upgrade-install, scripts-user, final-message]
output: {all: "| tee -a /var/log/cloud-init-output.log"}
"""
"""Only what does not change the machine beyond the user data: the host keeps its keys, its network and its name."""

SCRIPT: Final = """
from pathlib import Path

from purvey import Host, Options, secret, stack, step
from purvey.resources import command, files, host


@step(repeatable=True)
def machine(user_data: str, power: str) -> str:
    "Hand the user data to whoever boots machines; the address of the new one."
    Path(power).write_text(user_data, encoding="utf-8")
    return "192.0.2.11"


@machine.undo
def _(address: str, /, user_data: str, power: str) -> None:
    pass


def new(user_data: str, within_s: float = 120.0, **login: str) -> tuple[Host, host.CloudInit]:
    vm = machine("vm", user_data=user_data, power=str(Path(__file__).with_name("power")))
    how = {"user": "root", **login}
    web = Host(vm.result, name="web", key=secret("file:key"), known_hosts="known_hosts", config="", **how)
    return web, host.CloudInit("ready", on=web, within_s=within_s, every_s=0.2)
"""
"""How a script gets such a machine: by a step that reads its user data into a pipe, at whose other end `Guest` boots it."""


class Guest:
    """A machine that is off, and boots when a script gives it user data.

    Args:
        host: The host that it is.
        pipe: Where the script writes the user data; made here.

    Attributes:
        host: As given.
        pipe: As given.
    """

    def __init__(self, host: Host, pipe: Path) -> None:
        self.host = host
        self.pipe = pipe
        os.mkfifo(pipe)
        host.stop()
        self.tell("/etc/cloud/cloud.cfg", CONFIG)
        for name in ("result.json", "status.json"):
            (host.root / "var/lib/cloud/data" / name).unlink(missing_ok=True)

    def tell(self, path: str, text: str) -> None:
        """Put a file onto the machine, whether it is on or off."""
        place = self.host.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")

    def await_power(self) -> None:
        """Boot as soon as the script has written the user data; returns at once."""
        threading.Thread(target=lambda: self.boot(self.pipe.read_text(encoding="utf-8")), daemon=True).start()

    def boot(self, user_data: str) -> None:
        """Boot with this user data; returns when cloud-init has ended, or the machine was stopped."""
        self.tell(f"/{SEED}/user-data", user_data)
        self.tell(f"/{SEED}/meta-data", f"instance-id: {self.pipe.parent.name}\n")
        self.host.start()
        for stage in STAGES:
            self.host.exec(["cloud-init", *stage], timeout=600)

    def told(self, *argv: str) -> str:
        """What a program on it says, which must succeed."""
        ended: subprocess.CompletedProcess[str] = self.host.exec(argv)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout
