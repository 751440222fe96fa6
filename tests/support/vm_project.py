"""Projects whose scripts are about a virtual machine: one that brings it up, and others that find it there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Final

from purvey.testing.pytest_plugin import Project
from tests.support.vm import Vm
from tests.support.vm_disk import base_disk

_HEAD: Final = """
from pathlib import Path

from purvey import Host, Options, secret, stack, step
from purvey.resources import command, files, host, services


def machine(address: str, user: str) -> Host:
    how = {{"key": secret("file:key"), "known_hosts": "known_hosts", "host_key": "first_use", "config": ""}}
    return Host(address, port={port}, name="web", user=user, become=None if user == "root" else "sudo", **how)


"""

_NEW: Final = """
@step(repeatable=True)
def power(user_data: str, path: str) -> str:
    "Hand the user data to whoever switches machines on; the address of the new one."
    Path(path).with_suffix(".new").write_text(user_data, encoding="utf-8")
    Path(path).with_suffix(".new").rename(path)
    return "127.0.0.1"


@power.undo
def _(address: str, /, user_data: str, path: str) -> None:
    pass


def new(config: dict = {{}}, **user_data: object) -> tuple[Host, host.CloudInit]:
    key = Path(__file__).with_name("key.pub").read_text().strip()
    ops = {{"name": "ops", "shell": "/bin/sh", "sudo": "ALL=(ALL) NOPASSWD: ALL", "ssh_authorized_keys": [key]}}
    config = {{"disable_root": False, "ssh_authorized_keys": [key], **config}}
    data = host.user_data(users=["default", ops], config=config, **user_data)
    vm = power("vm", user_data=data, path=str(Path(__file__).with_name("user-data")))
    web = machine(vm.result, "root")
    return web, host.CloudInit("ready", on=web, within_s={within_s}, every_s={every_s})


@stack
def shop(text: str = 'it\\'s "quoted" — ünï 😀'):
{body}
"""

_THERE: Final = """
@stack
def shop({parameters}):
    web = machine("127.0.0.1", "{user}")
{body}
"""

_RUN_S: Final = 120.0


class VmProject(Project):
    """A project whose runs take as long as the machine needs.

    Args:
        folder: As of any project.
        vm: The machine.
    """

    def __init__(self, folder: Path, vm: Vm) -> None:
        super().__init__(folder)
        self.vm = vm
        for name in ("key", "key.pub"):
            shutil.copy(vm.folder / name, folder / name)

    def attempt(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """See `Project.attempt`."""
        return self.end(self.begin(verb, *arguments))

    def end(self, process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
        """Wait for a run that was begun."""
        try:
            told, errors = process.communicate(timeout=_RUN_S * self.vm.patience)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, told, errors)

    def kill(self, process: subprocess.Popen[str]) -> None:
        """Kill a run that was begun, with SIGKILL."""
        assert process.poll() is None, process.communicate()
        process.kill()
        process.communicate()

    def declare(self, body: str, parameters: str = "", *, user: str = "root") -> None:
        """Write a script whose stack has this body, in which `web` is the machine; ``ops`` becomes root by sudo."""
        self.write(_HEAD.format(port=self.vm.port) + _THERE.format(parameters=parameters, body=body, user=user))


def bring_up(vm: Vm, project: VmProject, body: str) -> subprocess.CompletedProcess[str]:
    """Apply a script whose stack has this body, in which ``new(…)`` switches the machine on with user data."""
    (project.folder / "setup.sh").write_text("#!/bin/sh -e\necho set up by a script: ünï 😀 >/srv/script\n", encoding="utf-8")
    project.write((_HEAD + _NEW).format(port=vm.port, within_s=120.0 * vm.patience, every_s=vm.patience, body=body))
    base_disk()  # Where it has to be made first, that is none of the time that a machine has to become ready.
    user_data, process = project.folder / "user-data", project.begin("apply", "--yes")
    try:
        if vm.until(lambda: user_data.exists() or process.poll() is not None) and user_data.exists():
            vm.start(user_data.read_text(encoding="utf-8"))
    except BaseException:
        process.kill()
        process.communicate()
        raise
    return project.end(process)
