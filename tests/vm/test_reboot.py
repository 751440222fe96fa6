"""A machine that really goes down and comes up again, in the middle of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.vm.test_kinds import SETTINGS, WISHED, look

if TYPE_CHECKING:
    from tests.support.vm import Vm
    from tests.support.vm_project import VmProject

BOOTS = """
    unit = ("[Service]\\nType=oneshot\\nExecStart=/bin/sh -c 'cat /proc/sys/kernel/random/boot_id >>/srv/boots'\\n"
            "[Install]\\nWantedBy=multi-user.target\\n")
    boots = services.Systemd("boots", on=web, unit="boots", content=unit, running=None)
    host.Command("first", on=web, command=["systemctl", "start", "boots"], creates="/srv/boots", opts=Options(after=[boots]))
"""
SLOW = """
    text = "[Service]\\nExecStartPre=/bin/sleep 30\\n"
    slow = services.Systemd("slow", on=web, unit="systemd-user-sessions", drop_ins={"slow": text}, enabled=None, running=None)
"""
"""Nobody but root is let in for half a minute more."""

REBOOT = """
    reboot = host.Reboot("reboot", on=web, when=when, opts=Options(after=before))
    files.File("after", on=web, path="/srv/after", content=reboot.boot_id)
"""


def boot_id(vm: Vm) -> str:
    """Which start of the machine this is."""
    return vm.told("cat", "/proc/sys/kernel/random/boot_id")


def test_a_machine_is_restarted_and_is_still_what_is_declared(vm: Vm, project: VmProject) -> None:
    """The run waits for another boot id and goes on; swap, settings, mount and timer are there after the start."""
    project.declare(f"{SETTINGS}{BOOTS}    before = [boots, swap]{REBOOT}", "size: int = 16, when: str = 'one'")
    former = boot_id(vm)
    project.run("apply", "--yes")
    assert vm.told("cat", "/srv/after") == boot_id(vm) == former

    project.run("apply", "--yes", "--when", "two")

    now = boot_id(vm)
    assert now != former
    assert vm.told("cat", "/srv/after") == now
    assert vm.until(lambda: vm.exec("cat", "/srv/boots").stdout == f"{former}\n{now}\n")
    assert vm.until(lambda: look(vm) == WISHED)
    assert "nothing had to change" in project.run("apply", "--yes", "--when", "two")
    assert boot_id(vm) == now


def test_a_run_that_is_killed_while_the_machine_is_down_restarts_it_once(vm: Vm, project: VmProject) -> None:
    """The resume waits until the machine lets in others than root, too, and goes on with what comes after."""
    project.declare(f"{BOOTS}{SLOW}    before = [boots, slow]{REBOOT}", "when: str = 'one'", user="ops")
    project.run("apply", "--yes")
    former = boot_id(vm)
    process = project.begin("apply", "--yes", "--when", "two")
    assert vm.until(lambda: "reboot: Restarting system" in vm.console(), within_s=120)
    project.kill(process)

    project.run("resume", "--yes", "--wait")

    assert vm.told("cat", "/srv/after") == boot_id(vm) != former
    assert vm.until(lambda: vm.exec("cat", "/srv/boots").stdout == f"{former}\n{boot_id(vm)}\n")
    assert "nothing had to change" in project.run("apply", "--yes", "--when", "two")
